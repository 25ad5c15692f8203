"""/peers: other Orthanc servers. Source: reference chapter 4, section 8."""

from typing import Any, Final

from orthanc_fast.config import Settings
from orthanc_fast.errors import BadFileFormat, BadRequest
from orthanc_fast.rest.job_submission import (
    DESCRIPTION,
    answer_job,
    boolean_field,
    job_fields,
)
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import (
    JSON,
    NOT_FOUND,
    PLAIN_JSON,
    Response,
    empty_response,
    json_response,
    text_response,
)
from orthanc_fast.rest.router import Router
from orthanc_fast.rest.sent_resources import sent_resources
from orthanc_fast.rest.uri import boolean
from orthanc_fast.rights import SERVER_FACTS, Right
from orthanc_fast.services.peers.peer import check_files, configuration, parse_peer
from orthanc_fast.services.peers.store_orders import StoreOptions, check_transcode

OPERATIONS: Final = ("configuration", "store", "store-straight", "system")


def add_routes(router: Router, settings: Settings) -> None:
    answer = dict[str, Any]
    router.add("GET", "/peers", get_peers, arguments="expand", answer=list[str], needs=SERVER_FACTS)
    router.add("GET", "/peers/{}", get_peer, answer=list[str], needs=SERVER_FACTS)
    router.add(
        "PUT",
        "/peers/{}",
        put_peer,
        body=dict[str, Any],
        answer="text/plain",
        needs=Right.ADMINISTRATE,
    )
    router.add("DELETE", "/peers/{}", delete_peer, answer="text/plain", needs=Right.ADMINISTRATE)
    router.add(
        "GET", "/peers/{}/configuration", get_configuration, answer=answer, needs=SERVER_FACTS
    )
    router.add(
        "GET",
        "/peers/{}/system",
        get_system,
        answer=answer,
        needs=Right.MODIFY | Right.ADMINISTRATE,
    )
    router.add(
        "POST",
        "/peers/{}/store",
        post_store,
        body=dict[str, Any],
        answer=answer,
        needs=Right.MODIFY,
    )
    router.add(
        "POST",
        "/peers/{}/store-straight",
        post_store_straight,
        body="application/dicom",
        answer=answer,
        needs=Right.MODIFY,
    )


def get_peers(request: Request) -> Response:
    """The symbolic names; with `expand` the configurations by name, without secrets."""
    known = request.services.peers.all(request.caller)
    if not boolean(request.arguments, "expand"):
        return json_response(list(known))
    return json_response({name: configuration(peer) for name, peer in known.items()})


def get_peer(request: Request) -> Response:
    """What can be done with a peer."""
    if request.params[0] not in request.services.peers.all(request.caller):
        return NOT_FOUND
    return json_response(OPERATIONS)


def get_configuration(request: Request) -> Response:
    """The object format, whatever the peer was given in, without secrets."""
    return json_response(
        configuration(request.services.peers.get(request.caller, request.params[0]))
    )


async def put_peer(request: Request) -> Response:
    """Adds or replaces a peer, given in either format."""
    try:
        value = await request.json()
    except BadRequest:
        return NOT_FOUND
    name = request.params[0]
    peer = parse_peer(name, value)
    check_files(peer)
    await request.services.peers.put(request.caller, name, peer)
    return text_response()


async def delete_peer(request: Request) -> Response:
    """Removes a peer."""
    await request.services.peers.delete(request.caller, request.params[0])
    return text_response()


async def get_system(request: Request) -> Response:
    """What the peer answers to `GET /system`."""
    peers = await request.services.peer_exchange()
    answer = await peers.system(request.caller, request.params[0])
    if answer.is_success:
        return Response(answer.body, PLAIN_JSON)
    return empty_response(answer.status)


async def post_store(request: Request) -> Response:
    """Sends resources of any level to a peer, as a job: `Resources`, or just a list or one
    identifier. `Compress` sends gzip, `Transcode` in another transfer syntax; and the fields of all
    jobs."""
    body, names = await sent_resources(request)
    fields = job_fields(body)
    options = StoreOptions(
        description=DESCRIPTION,
        compress=boolean_field(body, "Compress", False),
        transcode=_transcode(body),
        permissive=fields.permissive,
        priority=fields.priority,
        user_data=fields.user_data,
    )
    peers = await request.services.peer_exchange()
    job = await peers.store(request.caller, request.params[0], names, options)
    return await answer_job(request, job, fields.is_synchronous)


def _transcode(body: dict[str, Any]) -> str | None:
    if "Transcode" not in body:
        return None
    value = body["Transcode"]
    if not isinstance(value, str):
        raise BadFileFormat("String value expected in field: Transcode")
    return check_transcode(value)


async def post_store_straight(request: Request) -> Response:
    """Sends the DICOM file in the body to a peer, without storing it here; the answer is that of
    the peer."""
    peers, file = await request.services.peer_exchange(), await request.upload()
    answer = await peers.store_straight(request.caller, request.params[0], file)
    return Response(answer, JSON)
