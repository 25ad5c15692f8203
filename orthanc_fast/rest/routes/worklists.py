"""Worklists of modalities. Source: reference chapter 4, section 5.7."""

from typing import Any

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.dicom.tag_json import Format
from orthanc_fast.errors import BadParameterType
from orthanc_fast.rest.asking import answered
from orthanc_fast.rest.find_body import FORMS
from orthanc_fast.rest.job_submission import boolean_field
from orthanc_fast.rest.query_body import by_tag, object_body
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import Response, json_response
from orthanc_fast.rest.router import Router
from orthanc_fast.rest.scu_fields import timeout_field
from orthanc_fast.rights import Right


class WorklistRequest(msgspec.Struct, kw_only=True):
    """What is asked for; items of sequences are objects in a list. A body without `Query` is
    itself the query."""

    Query: dict[str, str | list[Any] | None]
    Simplify: bool = False
    Short: bool = False
    Full: bool = False
    Timeout: int = 0


def add_routes(router: Router, settings: Settings) -> None:
    router.add(
        "POST",
        "/modalities/{}/find-worklist",
        post_find_worklist,
        body=WorklistRequest,
        answer=list[dict[str, Any]],
        needs=Right.UPLOAD,
    )


async def post_find_worklist(request: Request) -> Response:
    """Asks a modality for its worklist."""
    body = await object_body(request)
    services, caller, modality = request.services, request.caller, request.params[0]
    query: Any = body
    form: Format = "simplify"
    timeout: int | None = None
    if "Query" in body:
        query = body["Query"]
        if not isinstance(query, dict):
            raise BadParameterType("The field Query must contain a JSON object")
        form = next((FORMS[name] for name in FORMS if boolean_field(body, name, False)), "simplify")
        timeout = timeout_field(body)
    tags = by_tag(query, services.dictionary)
    ask = services.worklists.find
    found = await answered(request, lambda stop: ask(caller, modality, tags, form, timeout, stop))
    return json_response(found)
