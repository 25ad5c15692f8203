"""The routes about what the DICOM server accepts. Source: reference chapter 4, section 1.4."""

import asyncio

from orthanc_fast.config import Settings
from orthanc_fast.config_file import parse
from orthanc_fast.errors import BadFileFormat
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import Response, json_response, text_response
from orthanc_fast.rest.router import Router
from orthanc_fast.rights import Right
from orthanc_fast.services.scp import transfer_syntaxes as scp_syntaxes
from orthanc_fast.services.scp.conformance_statement import conformance_statement


def add_routes(router: Router, settings: Settings) -> None:
    router.add(
        "GET",
        "/tools/accepted-transfer-syntaxes",
        get_syntaxes,
        answer=list[str],
        needs=Right.BROWSE,
        limited=True,
    )
    router.add(
        "PUT",
        "/tools/accepted-transfer-syntaxes",
        put_syntaxes,
        body=list[str],
        answer=list[str],
        needs=Right.ADMINISTRATE,
    )
    router.add(
        "GET",
        "/tools/unknown-sop-class-accepted",
        get_unknown_accepted,
        answer="text/plain",
        needs=Right.BROWSE,
        limited=True,
    )
    router.add(
        "PUT",
        "/tools/unknown-sop-class-accepted",
        put_unknown_accepted,
        body="text/plain",
        answer="text/plain",
        needs=Right.ADMINISTRATE,
    )
    router.add(
        "GET",
        "/tools/accepted-sop-classes",
        get_classes,
        answer=list[str],
        needs=Right.BROWSE,
        limited=True,
    )
    router.add(
        "GET",
        "/tools/dicom-conformance",
        get_conformance,
        answer="text/plain",
        needs=Right.BROWSE,
        limited=True,
    )


def get_syntaxes(request: Request) -> Response:
    """The accepted transfer syntaxes."""
    accepted = request.services.scp_policy.syntaxes()
    return json_response([uid for uid in scp_syntaxes.KNOWN if uid in accepted])


async def put_syntaxes(request: Request) -> Response:
    """A list of UIDs and patterns, one of them as JSON text, or one as plain text that is no JSON.

    What matches nothing is ignored; a UID without quotes is a JSON number, hence refused.
    """
    body = await request.body()
    try:
        value = parse(body)
    except ValueError:
        value = _plain(body)
    patterns = [value] if isinstance(value, str) else value
    if not isinstance(patterns, list) or not all(isinstance(each, str) for each in patterns):
        raise BadFileFormat("A transfer syntax or a list of transfer syntaxes is expected")
    request.services.scp_policy.accept(request.caller, patterns)
    return await request.services.reads.run(get_syntaxes, request)


def _plain(body: bytes) -> str:
    # Orthanc's JSON reader stops behind a number: "1.2.840..." is one to it, and no text.
    if body[:1].isdigit():
        raise BadFileFormat("A transfer syntax must be in quotes")
    return body.decode("utf-8", "replace")


def get_unknown_accepted(request: Request) -> Response:
    """1 if classes that the standard does not know may be stored, else 0."""
    return text_response("1" if request.services.scp_policy.unknown_accepted() else "0")


async def put_unknown_accepted(request: Request) -> Response:
    """Sets it: 0, 1, true or false."""
    accepted = await request.boolean_text()
    request.services.scp_policy.accept_unknown(request.caller, accepted)
    return text_response()


def get_classes(request: Request) -> Response:
    """The storage classes that are accepted."""
    return json_response(sorted(request.services.scp_policy.storage_classes))


async def get_conformance(request: Request) -> Response:
    """The DICOM conformance statement, as the server is configured at this moment."""
    services = request.services
    # The first one loads a library.
    statement = asyncio.to_thread(conformance_statement, services.settings, services.scp_policy)
    return text_response(await statement)
