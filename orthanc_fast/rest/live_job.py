"""Watching one job: the stream of events of GET /jobs/{id}/events.

It is this server's own, and that of the HTML standard (server-sent events): `event` is `state` when
the job has taken another state and `progress` else, `data` what of the job changes, as JSON. The
stream begins with the state as it is, and ends when the job is completed or forgotten.
"""

import asyncio
from collections.abc import AsyncGenerator

from orthanc_fast.rest.live_changes import (
    COMMENT,
    EVENT_STREAM,
    HEARTBEAT,
    HELLO,
    STREAM_HEADERS,
)
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import NOT_FOUND, Response, encode_json
from orthanc_fast.services.jobs.describe import JobEvent


def get_events(request: Request) -> Response:
    """The state and the progress of a job as server-sent events, until it is completed."""
    if request.services.jobs.event(request.caller, request.params[0]) is None:
        return NOT_FOUND
    return Response(kind=EVENT_STREAM, headers=STREAM_HEADERS, stream=_events(request))


async def _events(request: Request) -> AsyncGenerator[bytes]:
    jobs, job = request.services.jobs, request.params[0]
    request.waited = True
    gone = asyncio.ensure_future(request.gone())
    clock = asyncio.get_running_loop().time
    last: JobEvent | None = None
    try:
        yield HELLO
        told_at = clock()
        while not gone.done() and not jobs.is_ending:
            heard = jobs.heard(job)
            event = await request.services.reads.run(jobs.event, request.caller, job)
            if event is None:
                return
            if last is None or _key(event) != _key(last):
                yield _encoded(event, last is None or event.State != last.State)
                last, told_at = event, clock()
            elif clock() - told_at >= HEARTBEAT:
                yield COMMENT
                told_at = clock()
            if event.is_last:
                return
            await _changed_or_gone(request, heard, gone)
    finally:
        gone.cancel()


async def _changed_or_gone(request: Request, heard: int, gone: asyncio.Future[None]) -> None:
    waiting = asyncio.ensure_future(request.services.jobs.changed(request.params[0], heard))
    try:
        await asyncio.wait({waiting, gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()


def _key(event: JobEvent) -> tuple[str, int]:
    return event.State, event.Progress


def _encoded(event: JobEvent, is_new_state: bool) -> bytes:
    name = b"state" if is_new_state else b"progress"
    return b"event: " + name + b"\ndata: " + encode_json(event) + b"\n\n"
