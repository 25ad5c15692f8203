"""/health/live and /health/ready, for load balancers and those who watch: open to everybody, since
they say nothing about what is stored. They are this server's own."""

import asyncio

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import PLAIN_JSON, Response, encode_json, json_response
from orthanc_fast.rest.router import Router
from orthanc_fast.rights import NOTHING
from orthanc_fast.services.administration.health import Readiness


class Liveness(msgspec.Struct, frozen=True, rename="pascal"):
    """That somebody answers."""

    alive: bool = True


def add_routes(router: Router, settings: Settings) -> None:
    router.add("GET", "/health/live", get_live, answer=Liveness, needs=NOTHING, limited=True)
    router.add("GET", "/health/ready", get_ready, answer=Readiness, needs=NOTHING, limited=True)


def get_live(request: Request) -> Response:
    """Whether this process answers requests: always 200, if anything."""
    return json_response(Liveness())


async def get_ready(request: Request) -> Response:
    """Whether the server can do its work: the index can be read, each kind of worker is there, the
    disks of the store have room. 503 with the reasons where it cannot."""
    found = await asyncio.to_thread(request.services.health.readiness)
    return Response(encode_json(found), PLAIN_JSON, 200 if found.ready else 503)
