"""/tools/find, /tools/count-resources, /tools/bulk-content. Source: reference chapter 1, sections
8.2 and 9."""

from functools import partial
from typing import Any, Literal

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.dicom.identifiers import from_text
from orthanc_fast.dicom.main_tags import level_named
from orthanc_fast.dicom.tag_json import Format
from orthanc_fast.errors import BadFileFormat, ParameterOutOfRange
from orthanc_fast.model import Level
from orthanc_fast.rest.find_body import FORMS, FindBody
from orthanc_fast.rest.path_identifiers import NOBODY
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.resource_listing import listing_response
from orthanc_fast.rest.response import Response, json_response
from orthanc_fast.rest.router import Router
from orthanc_fast.rest.streaming import presence
from orthanc_fast.rights import Right
from orthanc_fast.services.browse.describe import LevelName
from orthanc_fast.services.find.content import Presentation


class OrderRequest(msgspec.Struct):
    """One key of the order of results."""

    Type: Literal[
        "DicomTag",
        "DicomTagFolded",
        "DicomTagAsInt",
        "DicomTagAsFloat",
        "Metadata",
        "MetadataAsInt",
        "MetadataAsFloat",
    ]
    Key: str
    Direction: Literal["ASC", "DESC"]


class CountRequest(msgspec.Struct, kw_only=True):
    """What is searched for. Bodies are read by `FindBody`; this is how they are described."""

    Level: LevelName
    Query: dict[str, str]
    Labels: list[str] = []
    LabelsConstraint: Literal["All", "Any", "None"] = "All"
    MetadataQuery: dict[str, str] = {}
    ParentPatient: str = ""
    ParentStudy: str = ""
    ParentSeries: str = ""


class FindRequest(CountRequest, kw_only=True):
    """What is searched for, and how it is shown."""

    CaseSensitive: bool = False
    Expand: bool = False
    ResponseContent: list[str] = []
    RequestedTags: list[str] = []
    OrderBy: list[OrderRequest] = []
    Since: int = 0
    Limit: int = 0
    Short: bool = False
    Full: bool = False


class Count(msgspec.Struct):
    """The answer of /tools/count-resources."""

    Count: int


class BulkContentRequest(msgspec.Struct, kw_only=True):
    """Which resources are shown, and how."""

    Resources: list[str]
    Level: LevelName | None = None
    Metadata: bool = True
    Short: bool = False
    Full: bool = False


def add_routes(router: Router, settings: Settings) -> None:
    router.add(
        "POST",
        "/tools/find",
        post_find,
        body=FindRequest,
        answer=list[Any],
        needs=Right.BROWSE,
        limited=True,
    )
    router.add(
        "POST",
        "/tools/count-resources",
        post_count,
        body=CountRequest,
        answer=Count,
        needs=Right.BROWSE,
        limited=True,
    )
    router.add(
        "POST",
        "/tools/bulk-content",
        post_bulk_content,
        body=BulkContentRequest,
        answer=list[dict[str, Any]],
        needs=Right.BROWSE,
        limited=True,
    )


async def post_find(request: Request) -> Response:
    """The resources of one level that match a query: identifiers, or shown as the body asks."""
    services = request.services
    finder = services.finder
    body = FindBody(await request.json_object(), finder, services.metadata_names)
    query, how = body.query(), body.presentation()
    finder.limit(query, body.since_given)
    found = await finder.found(request.caller, query, partial(presence, request))
    return await _listed(request, query.level, found.packed, how, found.total)


async def post_count(request: Request) -> Response:
    """How many resources match; what concerns pages and the form of answers is ignored."""
    services = request.services
    body = FindBody(await request.json_object(), services.finder, services.metadata_names)
    if body.case_sensitive:
        raise ParameterOutOfRange("Counting does not look at the case of letters")
    query = body.conditions()
    return json_response(Count(await services.finder.counted(request.caller, query)))


async def post_bulk_content(request: Request) -> Response:
    """The resources that the body lists, expanded; with `Level`, their relatives at that level."""
    body = await request.json_object()
    form = _form(body)
    with_metadata = body.get("Metadata", True)
    if not isinstance(with_metadata, bool):
        raise BadFileFormat('The field "Metadata" must be true or false')
    level = None
    if "Level" in body:
        if not isinstance(body["Level"], str):
            raise BadFileFormat('The field "Level" must be a text')
        level = level_named(body["Level"])
    listed = body.get("Resources")
    if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
        raise BadFileFormat('The field "Resources" must be a list of identifiers')
    how = Presentation(form, metadata=with_metadata)
    services, caller = request.services, request.caller
    publics = [from_text(item) or NOBODY for item in listed]
    if level is None:
        shown = services.presenter.show_listed
        return json_response(await services.reads.run(shown, caller, publics, how))
    packed = await services.reads.run(services.finder.relatives, caller, publics, level)
    return await _listed(request, level, packed, how)


async def _listed(
    request: Request,
    level: Level,
    packed: bytes,
    how: Presentation | None,
    total: int | None = None,
) -> Response:
    """As `listing_response`, of a handler that is a coroutine anyway."""
    answer = listing_response(request, level, packed, how, total)
    return answer if isinstance(answer, Response) else await answer


def _form(body: dict[str, Any]) -> Format:
    """Of several the first one counts, and none behind it is looked at. Raises BadFileFormat."""
    for name, form in FORMS.items():
        value = body.get(name, False)
        if not isinstance(value, bool):
            raise BadFileFormat(f"Boolean value expected in field: {name}")
        if value:
            return form
    return "simplify"
