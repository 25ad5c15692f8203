"""Watching jobs: the streams of events of GET /jobs/{id}/events and GET /jobs.

They are this server's own, and those of the HTML standard (server-sent events): `event` is `state`
when the job has taken another state and `progress` else, `data` what of the job changes, as JSON.
The stream of one job begins with the state as it is, and ends when the job is completed or
forgotten. That of all jobs begins with the state of each and does not end; `forgotten` tells of a
job that is no longer there.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from typing import Final

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

LOOK: Final = 0.5  # seconds between two looks at all jobs


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
            if event is None or await request.is_over():
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


def get_all_events(request: Request) -> Response:
    """The states and the progress of all jobs as server-sent events."""
    return Response(kind=EVENT_STREAM, headers=STREAM_HEADERS, stream=_all_events(request))


async def _all_events(request: Request) -> AsyncGenerator[bytes]:
    jobs = request.services.jobs
    request.waited = True
    gone = asyncio.ensure_future(request.gone())
    clock = asyncio.get_running_loop().time
    known: dict[str, JobEvent] = {}
    try:
        yield HELLO
        told_at = clock()
        while not (gone.done() or jobs.is_ending or await request.is_over()):
            events = await request.services.reads.run(jobs.events, request.caller)
            news = b"".join(_news(known, events))
            if news or clock() - told_at >= HEARTBEAT:
                yield news or COMMENT
                told_at = clock()
            known = {event.ID: event for event in events}
            await asyncio.wait({gone}, timeout=LOOK)
    finally:
        gone.cancel()


def _news(known: dict[str, JobEvent], events: list[JobEvent]) -> Iterator[bytes]:
    for event in events:
        before = known.get(event.ID)
        if before is None or _key(before) != _key(event):
            yield _encoded(event, before is None or before.State != event.State)
    for job in known.keys() - {event.ID for event in events}:
        yield b"event: forgotten\ndata: " + encode_json({"ID": job}) + b"\n\n"


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
