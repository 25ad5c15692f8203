"""The routes of /jobs. Source: reference chapter 3, section 3.8.2; the stream of events is this
server's own: see `live_job`."""

from orthanc_fast.config import Settings
from orthanc_fast.rest import live_changes, live_job
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import (
    NOT_FOUND,
    PLAIN_JSON,
    Response,
    disposition,
    empty_response,
    json_response,
    text_response,
)
from orthanc_fast.rest.router import ONE, Handler, Router
from orthanc_fast.rest.uri import boolean
from orthanc_fast.rights import Right
from orthanc_fast.services.jobs.describe import JobAnswer


def add_routes(router: Router, settings: Settings) -> None:
    router.add(
        "GET",
        "/jobs",
        get_jobs,
        arguments="expand",
        answer=list[str],
        needs=Right.BROWSE,
        limited=True,
    )
    router.add("GET", "/jobs/{}", get_job, answer=JobAnswer, needs=Right.BROWSE, limited=True)
    router.add("DELETE", "/jobs/{}", delete_job, answer="text/plain", needs=Right.MODIFY)
    for action, handler in _ACTIONS.items():
        router.add("POST", f"/jobs/{{}}/{action}", handler, answer=dict, needs=Right.MODIFY)
    router.add(
        "GET",
        "/jobs/{}/events",
        live_job.get_events,
        answer="text/event-stream",
        needs=Right.BROWSE,
        limited=True,
    )
    for key in (ONE, *_ACTIONS):  # an output may have any name
        router.add(
            "GET",
            f"/jobs/{{}}/{key}",
            get_output,
            answer="application/octet-stream",
            needs=Right.BROWSE,
            limited=True,
        )
        router.add(
            "DELETE", f"/jobs/{{}}/{key}", delete_output, answer="text/plain", needs=Right.MODIFY
        )


def get_jobs(request: Request) -> Response:
    """The IDs of all jobs, sorted; with `expand` the jobs themselves. With `Accept:
    text/event-stream` what changes of them comes as a stream of events."""
    if live_changes.is_wanted(request):
        return live_job.get_all_events(request)
    jobs = request.services.jobs
    if boolean(request.arguments, "expand"):
        return json_response(jobs.all(request.caller))
    return json_response(jobs.ids(request.caller))


def get_job(request: Request) -> Response:
    """One job: its state, its progress and its content."""
    found = request.services.jobs.get(request.caller, request.params[0])
    return NOT_FOUND if found is None else json_response(found)


async def delete_job(request: Request) -> Response:
    """Forgets a job that is completed, with what it has made."""
    await request.services.jobs.delete(request.caller, request.params[0])
    return text_response()


async def post_cancel(request: Request) -> Response:
    """Cancels a job; one that is completed stays as it is."""
    return _done(await request.services.jobs.cancel(request.caller, request.params[0]))


async def post_pause(request: Request) -> Response:
    """Pauses a job; one that is completed stays as it is."""
    return _done(await request.services.jobs.pause(request.caller, request.params[0]))


async def post_resume(request: Request) -> Response:
    """Goes on with a job that is paused."""
    return _done(await request.services.jobs.resume(request.caller, request.params[0]))


async def post_resubmit(request: Request) -> Response:
    """Runs a job again that has failed."""
    return _done(await request.services.jobs.resubmit(request.caller, request.params[0]))


_ACTIONS: dict[str, Handler] = {
    "cancel": post_cancel,
    "pause": post_pause,
    "resume": post_resume,
    "resubmit": post_resubmit,
}


def _done(is_done: bool) -> Response:
    return Response(b"{}", PLAIN_JSON) if is_done else empty_response(400)


async def get_output(request: Request) -> Response:
    """A file that the job has made, such as `archive`."""
    _, job, key = request.segments
    found = request.services.jobs.output(request.caller, job, key)
    return Response(
        kind=(b"content-type", found.media_type.encode()),
        headers=disposition(found.filename),
        path=found.sendable,
        length=found.size,
    )


async def delete_output(request: Request) -> Response:
    """Removes a file that the job has made."""
    _, job, key = request.segments
    request.services.jobs.delete_output(request.caller, job, key)
    return text_response()
