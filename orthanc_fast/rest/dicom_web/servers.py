"""/dicom-web/servers: other servers of DICOMweb, and what this one asks of them. Source: reference
chapter 5, section 11."""

from collections.abc import Sequence
from typing import Any, Final

from orthanc_fast.config import Settings
from orthanc_fast.errors import BadFileFormat, BadRequest, ParameterOutOfRange
from orthanc_fast.rest.dicom_web.description import way_up
from orthanc_fast.rest.job_submission import boolean_field, integer_field, synchronous_field
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import PLAIN_JSON, Response, encode_json
from orthanc_fast.rest.router import Router
from orthanc_fast.rest.streaming import while_present
from orthanc_fast.rest.uri import boolean
from orthanc_fast.rights import Right
from orthanc_fast.services.dicom_web_client.orders import Wanted
from orthanc_fast.services.dicom_web_client.questions import Question, texts
from orthanc_fast.services.dicom_web_client.server import has_delete
from orthanc_fast.services.jobs.contract import Submission
from orthanc_fast.services.peers.peer import configuration, parse_server

_OPERATIONS: Final = ("get", "retrieve", "stow", "wado", "qido")
_LEVELS: Final = {"Study": 1, "Series": 2, "Instance": 3}
_UIDS: Final = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
_KINDS: Final = ("studies", "series", "instances")


def add_routes(router: Router, settings: Settings) -> None:
    if not settings.dicom_web.enable:
        return
    root, answer = f"{settings.dicom_web.root}servers", dict[str, Any]
    router.add("GET", root, get_servers, arguments="expand", answer=list[str], needs=Right.BROWSE)
    router.add("GET", f"{root}/{{}}", get_server, answer=list[str], needs=Right.BROWSE)
    router.add(
        "PUT",
        f"{root}/{{}}",
        put_server,
        body=dict[str, Any],
        answer=answer,
        needs=Right.ADMINISTRATE,
    )
    router.add("DELETE", f"{root}/{{}}", delete_server, answer=answer, needs=Right.ADMINISTRATE)
    for name, handler, right in (
        ("get", post_get, Right.UPLOAD),
        ("qido", post_qido, Right.UPLOAD),
        ("stow", post_stow, Right.MODIFY),
        ("retrieve", post_retrieve, Right.UPLOAD),
        ("wado", post_wado, Right.UPLOAD),
        ("delete", post_delete, Right.DELETE),
    ):
        if settings.read_only and handler in (post_retrieve, post_wado):
            continue  # they store
        path = f"{root}/{{}}/{name}"
        router.add("POST", path, handler, body=dict[str, Any], answer=answer, needs=right)


def get_servers(request: Request) -> Response:
    """The symbolic names; with `expand` the configurations by name, without secrets."""
    known = request.services.dicom_web.servers.all(request.caller)
    if not boolean(request.arguments, "expand"):
        return _json(list(known))
    return _json({name: configuration(server) for name, server in known.items()})


def get_server(request: Request) -> Response:
    """What can be asked of a server."""
    server = request.services.dicom_web.servers.get(request.caller, request.params[0])
    return _json([*_OPERATIONS, *(["delete"] if has_delete(server) else [])])


async def put_server(request: Request) -> Response:
    """Adds or replaces a server, given in either format."""
    server = parse_server(await _body(request))
    await request.services.dicom_web.servers.put(request.caller, request.params[0], server)
    return _json({})


async def delete_server(request: Request) -> Response:
    """Removes a server."""
    await request.services.dicom_web.servers.delete(request.caller, request.params[0])
    return _json({})


async def post_get(request: Request) -> Response:
    """Passes on what the server answers at `Uri`, with `Arguments` and `HttpHeaders`."""
    question = _question(await _body(request))
    exchange = await request.services.dicom_web.exchange()
    passed = await exchange.get(request.caller, request.params[0], question)
    kind = (passed.content_type or "application/octet-stream").encode("latin-1", "replace")
    headers = tuple(
        (name.lower().encode("latin-1"), value.encode("latin-1", "replace"))
        for name, value in passed.headers
    )
    return await while_present(
        request, passed.stream, (b"content-type", kind), headers, passed.length
    )


async def post_qido(request: Request) -> Response:
    """Searches on the server at `Uri`, with `Arguments` and `HttpHeaders`: tag by tag the name and
    the first value."""
    question = _question(await _body(request))
    exchange = await request.services.dicom_web.exchange()
    return _json(await exchange.search(request.caller, request.params[0], question))


async def post_delete(request: Request) -> Response:
    """Has the server delete a study, series or instance: `Level`, and the UIDs down to it."""
    body = await _body(request)
    if not isinstance(body, dict) or not all(
        isinstance(body.get(name), str) for name in ("Level", _UIDS[0])
    ):
        raise BadFileFormat(
            'The request body must contain a JSON object with fields "Level" and "StudyInstanceUID"'
        )
    depth = _LEVELS.get(body["Level"])
    if depth is None:
        raise ParameterOutOfRange(f"Level is one of {', '.join(_LEVELS)}, not {body['Level']}")
    path = []
    for kind, name in list(zip(_KINDS, _UIDS, strict=True))[:depth]:
        if not isinstance(body.get(name), str):
            raise BadFileFormat(f'The request body must contain the field "{name}"')
        if not body[name]:
            raise BadFileFormat(f'The field "{name}" must not be empty')
        path += [kind, body[name]]
    exchange = await request.services.dicom_web.exchange()
    headers = texts(body, "HttpHeaders")
    await exchange.delete(request.caller, request.params[0], "/".join(path), headers)
    return _json({})


async def post_stow(request: Request) -> Response:
    """Sends resources of any level to the server, as a job: `Resources` are their identifiers.
    `HttpHeaders`, `Synchronous`, `Asynchronous`, `Priority`."""
    body = await _body(request)
    if not isinstance(body, dict) or not isinstance(body.get("Resources"), list):
        raise BadFileFormat(
            "A request to the DICOMweb STOW-RS client must provide a JSON object with the field "
            '"Resources" containing an array of resources to be sent'
        )
    headers, names = texts(body, "HttpHeaders"), body["Resources"]
    if not all(isinstance(each, str) for each in names):
        raise BadFileFormat('"Resources" must be identifiers')
    is_synchronous, priority = synchronous_field(body), _priority(body)
    exchange = await request.services.dicom_web.exchange()
    job = await exchange.stow(request.caller, request.params[0], names, headers, priority)
    return await _answer_job(request, job, is_synchronous)


async def post_retrieve(request: Request) -> Response:
    """Retrieves studies, series or instances from the server, as a job: `Resources` are objects
    with `Study`, `Series` and `Instance`. `GetArguments`, `HttpHeaders`, `Synchronous`,
    `Asynchronous`, `Priority`."""
    body = await _body(request)
    if not isinstance(body, dict):
        raise BadFileFormat("This is not a JSON object")
    if not isinstance(body.get("Resources"), list):
        raise BadFileFormat('The body must be a JSON object containing an array "Resources"')
    arguments, headers = texts(body, "GetArguments"), texts(body, "HttpHeaders")
    wanted = [_wanted(each) for each in body["Resources"]]
    return await _retrieve(request, wanted, arguments, headers, body, synchronous_field(body))


async def post_wado(request: Request) -> Response:
    """Retrieves what the server answers at `Uri`, with `Arguments` and `HttpHeaders`, as a job:
    `Synchronous`, `Asynchronous`, `Priority`."""
    body = await _body(request)
    question = _question(body)
    # Unlike the others it is not waited for unless that is asked.
    is_synchronous = boolean_field(body, "Synchronous", False)
    if "Synchronous" not in body and "Asynchronous" in body:
        is_synchronous = synchronous_field(body)
    wanted = [Wanted(question.uri)]
    return await _retrieve(
        request, wanted, question.arguments, question.headers, body, is_synchronous
    )


async def _retrieve(
    request: Request,
    wanted: Sequence[Wanted],
    arguments: dict[str, str],
    headers: dict[str, str],
    body: dict[str, Any],
    is_synchronous: bool,
) -> Response:
    priority = _priority(body)
    exchange = await request.services.dicom_web.exchange()
    name = request.params[0]
    job = exchange.retrieve(request.caller, name, wanted, arguments, headers, priority)
    return await _answer_job(request, job, is_synchronous)


async def _answer_job(request: Request, submission: Submission, is_synchronous: bool) -> Response:
    jobs = request.services.jobs
    if is_synchronous:
        return Response(bytes(await jobs.run(request.caller, submission)), PLAIN_JSON)
    job = await jobs.submit(request.caller, submission)
    up = way_up(request.services.settings.dicom_web)
    return _json({"ID": job, "Path": f"../{up}jobs/{job}"})


def _wanted(value: Any) -> Wanted:
    if not isinstance(value, dict):
        raise BadFileFormat('The field "Study" must be a JSON object')
    study, series, instance = (_uid(value, name) for name in _LEVELS)
    if not study:
        raise BadFileFormat('Missing "Study" field in the body')
    if instance and not series:
        raise BadFileFormat('Missing "Series" field in the body, as "Instance" is present')
    uri = f"studies/{study}"
    if series:
        uri += f"/series/{series}"
    if instance:
        return Wanted(f"{uri}/instances/{instance}")
    return Wanted(uri, study, series)


def _uid(value: dict[str, Any], name: str) -> str:
    found = value.get(name, "")
    if not isinstance(found, str):
        raise BadFileFormat(f'The field "{name}" in a JSON object should be a string')
    if "?" in found:
        raise BadFileFormat(f'"{name}" is no UID: {found}')
    return found


def _question(body: Any) -> Question:
    if not isinstance(body, dict) or "Uri" not in body:
        raise BadFileFormat(
            "A request to the DICOMweb client must provide a JSON object with the field "
            '"Uri" containing the URI of interest'
        )
    uri = body["Uri"]
    if not isinstance(uri, str):
        raise BadFileFormat('The field "Uri" in a JSON object should be a string')
    if "?" in uri:
        raise BadFileFormat(
            "The GET arguments must be provided in a separate field (explicit "
            f'"?" is disallowed): {uri}'
        )
    return Question(uri, texts(body, "Arguments"), texts(body, "HttpHeaders"))


def _priority(body: dict[str, Any]) -> int:
    return integer_field(body, "Priority", 0)


async def _body(request: Request) -> Any:
    try:
        return await request.json()
    except BadRequest as error:
        raise BadFileFormat("A JSON file was expected") from error


def _json(value: Any) -> Response:
    return Response(encode_json(value), PLAIN_JSON)
