"""`top`: what a server is doing, as it does it."""

import sys
import time
from collections.abc import Mapping
from itertools import pairwise

import click
import msgspec

from orthanc_fast.cli.remote import JSON, print_json, print_table, server_options, size_text
from orthanc_fast.client.answers import Job, System
from orthanc_fast.client.errors import ServerError
from orthanc_fast.client.server import Server

CLEAR = "\x1b[H\x1b[2J"
OTHER_SCREEN, FIRST_SCREEN = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
BARS = " ▁▂▃▄▅▆▇█"
PLOTTED = 60  # places for the last hour
JOBS_SHOWN = 8

REQUESTS = "orthanc_rest_api_latency_seconds_count"


class Load(msgspec.Struct, rename="pascal", kw_only=True):
    """Between two looks at the figures. Rates are in one second; those that a server does not tell
    are None."""

    time: float
    seconds: float
    instances: int
    studies: int
    disk_bytes: float
    instances_per_second: float
    written_bytes_per_second: float | None
    read_bytes_per_second: float | None
    requests_per_second: float | None
    active_requests: int | None
    associations: int | None
    jobs_running: int
    jobs_pending: int
    jobs_failed: int


@click.command()
@click.option(
    "--interval",
    type=click.FloatRange(min=0.05),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="Between two looks; rates are those in between.",
)
@click.option("--once", is_flag=True, help="One line, after one interval, and the end.")
@JSON
@server_options
def top(server: Server, interval: float, once: bool, as_json: bool) -> None:
    """Shows throughput of ingest and reads, jobs, associations and the size of the store, until
    Ctrl-C. The screen is refreshed on a terminal; elsewhere there is a line for each interval. With
    --json each is an object in a line. Needs the right to administrate, and figures that are
    enabled (MetricsEnabled). With Orthanc there are no requests per second and no plot.
    """
    system = server.system()
    before, begin = _figures(server), time.monotonic()
    screen = sys.stdout.isatty() and not once and not as_json
    if screen:
        click.echo(OTHER_SCREEN, nl=False)
    try:
        while True:
            time.sleep(interval)
            now, end = _figures(server), time.monotonic()
            load = load_between(before, now, end - begin)
            before, begin = now, end
            if as_json:
                print_json(load)
            elif screen:
                _draw(server, system, load)
            else:
                click.echo(line_of(load))
            if once:
                return
            sys.stdout.flush()
    except KeyboardInterrupt:
        return
    finally:
        if screen:
            click.echo(FIRST_SCREEN, nl=False)


def _figures(server: Server) -> dict[str, float]:
    found = server.metrics()
    if not found:
        text = "the server has its figures off: set MetricsEnabled, or PUT 1 to /tools/metrics"
        raise ServerError(404, text)
    return found


def load_between(before: Mapping[str, float], now: Mapping[str, float], seconds: float) -> Load:
    """From the figures of /tools/metrics-prometheus, which are Orthanc's."""

    def rate(name: str) -> float | None:
        if name not in now:
            return None
        # Figures begin anew when the server does.
        return max(now[name] - before.get(name, 0.0), 0.0) / seconds

    def number(name: str) -> int | None:
        return int(now[name]) if name in now else None

    requests = [_sum_of(figures, REQUESTS) for figures in (before, now)]
    answered = None if requests[1] is None else max(requests[1] - (requests[0] or 0.0), 0.0)
    instances = now.get("orthanc_count_instances", 0)
    return Load(
        time=time.time(),
        seconds=seconds,
        instances=int(instances),
        studies=int(now.get("orthanc_count_studies", 0)),
        disk_bytes=now.get("orthanc_disk_size_mb", 0.0) * (1 << 20),
        instances_per_second=(instances - before.get("orthanc_count_instances", 0)) / seconds,
        written_bytes_per_second=rate("orthanc_storage_written_bytes"),
        read_bytes_per_second=rate("orthanc_storage_read_bytes"),
        requests_per_second=None if answered is None else answered / seconds,
        active_requests=number("orthanc_rest_api_active_requests"),
        associations=number("orthanc_dicom_active_associations"),
        jobs_running=int(now.get("orthanc_jobs_running", 0)),
        jobs_pending=int(now.get("orthanc_jobs_pending", 0)),
        jobs_failed=int(now.get("orthanc_jobs_total_failed", 0)),
    )


def _sum_of(figures: Mapping[str, float], name: str) -> float | None:
    """Over all labels."""
    found = [value for key, value in figures.items() if key.partition("{")[0] == name]
    return sum(found) if found else None


def _rate_text(rate: float | None) -> str:
    return "-" if rate is None else f"{size_text(rate)}/s"


def line_of(load: Load) -> str:
    """All of it in one line."""
    requests = "-" if load.requests_per_second is None else f"{load.requests_per_second:.0f}"
    associations = "-" if load.associations is None else str(load.associations)
    return (
        f"{load.instances} instances ({load.instances_per_second:+.1f}/s), "
        f"{size_text(load.disk_bytes)}; "
        f"in {_rate_text(load.written_bytes_per_second)}, "
        f"out {_rate_text(load.read_bytes_per_second)}; {requests} requests/s; "
        f"{associations} associations; jobs: {load.jobs_running} running, "
        f"{load.jobs_pending} pending, {load.jobs_failed} failed"
    )


def _draw(server: Server, system: System, load: Load) -> None:
    jobs = [job for job in server.jobs() if not job.is_done][:JOBS_SHOWN]
    rates = _last_hour(server) if system.is_ours else []
    kind = "orthanc-fast" if system.is_ours else "Orthanc"
    click.echo(CLEAR, nl=False)
    click.echo(f"{server.url}  {system.name}  {kind} {system.version}  {time.strftime('%H:%M:%S')}")
    click.echo()
    requests = "-" if load.requests_per_second is None else f"{load.requests_per_second:.0f}/s"
    print_table(
        ["STORE", "", "INGEST", "", "REQUESTS", "", "WORK", ""],
        [
            [
                *("studies", str(load.studies), "instances"),
                f"{load.instances_per_second:+.1f}/s",
                *("answered", requests, "jobs running", str(load.jobs_running)),
            ],
            [
                *("instances", str(load.instances), "written"),
                _rate_text(load.written_bytes_per_second),
                *("active", _or_dash(load.active_requests)),
                *("jobs pending", str(load.jobs_pending)),
            ],
            [
                *("disk", size_text(load.disk_bytes), "read"),
                _rate_text(load.read_bytes_per_second),
                *("associations", _or_dash(load.associations)),
                *("jobs failed", str(load.jobs_failed)),
            ],
        ],
    )
    if rates:
        click.echo()
        top_rate = max(rates)
        click.echo(f"written, last hour {plot(rates)} up to {size_text(top_rate)}/s")
    if jobs:
        click.echo()
        print_table(["JOB", "TYPE", "STATE", ""], (_job_row(job) for job in jobs))
    sys.stdout.flush()


def _or_dash(number: int | None) -> str:
    return "-" if number is None else str(number)


def _job_row(job: Job) -> list[str]:
    done = job.progress // 5
    return [job.id, job.type, job.state, f"{'█' * done}{'·' * (20 - done)} {job.progress}%"]


def _last_hour(server: Server) -> list[float]:
    """Bytes in a second that were written, between each two samples."""
    samples = server.history()
    return [
        max(after.written_bytes - before.written_bytes, 0.0) / max(after.time - before.time, 1e-3)
        for before, after in pairwise(samples)
    ]


def plot(values: list[float]) -> str:
    """One letter for each of the last ones, as high as it is beside the greatest."""
    greatest = max(values, default=0.0) or 1.0
    last = values[-PLOTTED:]
    return "".join(BARS[round(value / greatest * (len(BARS) - 1))] for value in last)
