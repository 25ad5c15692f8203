"""/tools/metrics and /tools/metrics-prometheus. Source: reference chapter 1, section 10.2."""

import asyncio
import time

from orthanc_fast.config import Settings
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import Response, json_response, text_response
from orthanc_fast.rest.router import Router
from orthanc_fast.rights import Right
from orthanc_fast.services.administration.history import Sample

PROMETHEUS = (b"content-type", b"text/plain; version=0.0.4")


def add_routes(router: Router, settings: Settings) -> None:
    router.add("GET", "/tools/metrics", get_enabled, answer="text/plain", needs=Right.ADMINISTRATE)
    router.add(
        "PUT",
        "/tools/metrics",
        put_enabled,
        body="text/plain",
        answer="text/plain",
        needs=Right.ADMINISTRATE,
    )
    router.add(
        "GET",
        "/tools/metrics-prometheus",
        get_prometheus,
        answer="text/plain",
        needs=Right.ADMINISTRATE,
    )
    router.add(
        "GET",
        "/tools/metrics-history",
        get_history,
        answer=list[Sample],
        needs=Right.ADMINISTRATE,
    )


def get_enabled(request: Request) -> Response:
    """Whether metrics are shown: 1 or 0."""
    return text_response("1" if request.services.metrics_enabled.get() else "0")


async def put_enabled(request: Request) -> Response:
    """Shows or hides the metrics, in all processes until the server ends: 0, 1, true or false."""
    request.services.metrics_enabled.set(request.caller, await request.boolean_text())
    return text_response()


async def get_prometheus(request: Request) -> Response:
    """The figures of all processes, in the text format of Prometheus; nothing while metrics are
    off."""
    if not request.services.metrics_enabled.get():
        return Response(b"", PROMETHEUS)
    shown = await asyncio.to_thread(request.services.figures.all, request.caller)
    now = int(time.time() * 1000)
    lines = [f"{name} {_number(value)} {now}\n" for name, value in sorted(shown.items())]
    return Response("".join(lines).encode(), PROMETHEUS)


async def get_history(request: Request) -> Response:
    """The counters of the last hour, twice a minute, and as they are now."""
    return json_response(await asyncio.to_thread(request.services.history.samples))


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
