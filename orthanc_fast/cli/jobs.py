"""`jobs`: what the server has to do, and how far it is."""

from collections.abc import Callable, Sequence
from typing import Any

import click
from tqdm import tqdm

from orthanc_fast.cli.common import FOUND
from orthanc_fast.cli.remote import JSON, fail, print_json, print_table, server_options
from orthanc_fast.client.answers import Job
from orthanc_fast.client.jobs import JobAction
from orthanc_fast.client.server import Server

JOBS = click.argument("jobs", nargs=-1, required=True, metavar="JOB...")


def follow_with_progress(server: Server, names: Sequence[str]) -> list[Job]:
    """Waits for jobs, one after the other, with a progress bar on a terminal."""
    done = []
    for name in names:
        with tqdm(total=100, unit="%", disable=None, bar_format=_BAR) as bar:

            def show(job: Job, bar: "tqdm[Any]" = bar) -> None:
                bar.set_description(f"{job.type}, {job.state}", refresh=False)
                bar.update(job.progress - bar.n)

            done.append(server.follow(name, show))
    return done


_BAR = "{desc}: {percentage:3.0f}% |{bar}| {elapsed}"


def told(jobs: Sequence[Job], as_json: bool) -> None:
    """Prints jobs that are done; ends with 1 where one has failed."""
    if as_json:
        print_json(jobs)
    failed = [job for job in jobs if job.state == "Failure"]
    for job in failed:
        click.echo(f"orthanc-fast: job {job.id} has failed: {job.reason}", err=True)
    if failed:
        raise SystemExit(FOUND)


@click.group(name="jobs")
def jobs_command() -> None:
    """Lists and steers the jobs of a server: anonymizations, archives, transfers and others."""


@jobs_command.command(name="list")
@click.option("--all/--active", "every", default=True, help="Also those that are done (default).")
@JSON
@server_options
def list_jobs(server: Server, every: bool, as_json: bool) -> None:
    """Lists the jobs, the newest first."""
    found = [job for job in server.jobs() if every or not job.is_done]
    found.sort(key=lambda job: job.creation_time, reverse=True)
    if as_json:
        print_json(found)
        return
    titles = ["ID", "TYPE", "STATE", "PROGRESS", "CREATED", "RUN TIME", "REASON"]
    print_table(titles, (_row(job) for job in found))


def _row(job: Job) -> list[str]:
    created = "" if job.created is None else f"{job.created:%Y-%m-%d %H:%M:%S}Z"
    reason = job.reason if job.state == "Failure" else ""
    run_time = f"{job.effective_runtime:.1f} s"
    return [job.id, job.type, job.state, f"{job.progress}%", created, run_time, reason]


@jobs_command.command(name="show")
@JOBS
@JSON
@server_options
def show_jobs(server: Server, jobs: tuple[str, ...], as_json: bool) -> None:
    """Shows all that the server tells of jobs."""
    found = [server.job(name) for name in jobs]
    if as_json:
        print_json(found)
        return
    for job in found:
        print_table(["ID", job.id], [[key, str(value)] for key, value in _facts(job)])


def _facts(job: Job) -> list[tuple[str, Any]]:
    facts = [
        ("Type", job.type),
        ("State", job.state),
        ("Progress", f"{job.progress}%"),
        ("Priority", job.priority),
        ("Created", job.creation_time),
        ("Completed", job.completion_time),
        ("Error", job.reason if job.error_code else ""),
        *job.content.items(),
    ]
    return [(key, value) for key, value in facts if value != ""]


@jobs_command.command(name="follow")
@JOBS
@JSON
@server_options
def follow_jobs(server: Server, jobs: tuple[str, ...], as_json: bool) -> None:
    """Waits until jobs are done, with a progress bar on a terminal; one that is paused
    until it is resumed and done. Exit code 1: one has failed."""
    done = follow_with_progress(server, jobs)
    if not as_json:
        for job in done:
            click.echo(f"{job.id} {job.state}")
    told(done, as_json)


def _action(name: JobAction, text: str) -> None:
    def act(server: Server, jobs: tuple[str, ...], as_json: bool) -> None:
        _each(lambda job: server.act_on_job(job, name), jobs)
        if as_json:
            print_json([server.job(job) for job in jobs])

    act.__doc__ = text
    jobs_command.command(name=name)(JOBS(JSON(server_options(act))))


_action("cancel", "Cancels jobs; what they have made so far stays.")
_action("pause", "Pauses jobs that run or wait, until they are resumed.")
_action("resume", "Goes on with jobs that are paused.")
_action("resubmit", "Runs jobs again that have failed.")


@jobs_command.command(name="forget")
@JOBS
@server_options
def forget_jobs(server: Server, jobs: tuple[str, ...]) -> None:
    """Takes jobs that are done from the list, with archives that they have made."""
    _each(server.forget_job, jobs)


def _each(act: Callable[[str], Any], jobs: Sequence[str]) -> None:
    """All of them, also after an error; ends with 1 after one."""
    from orthanc_fast.client.errors import ServerError

    errors = []
    for name in jobs:
        try:
            act(name)
        except ServerError as error:
            if error.status == 0:
                raise
            errors.append(f"job {name}: {error}")
    if errors:
        fail("; ".join(errors), FOUND)
