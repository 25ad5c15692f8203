"""Patients, studies, series and instances: listings, single resources, children, parents,
statistics, deletion.

Source: reference chapter 1, sections 4 and 8.1.
"""

from typing import Any

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.errors import BadRequest, OrthancError, UnknownDicomTag, UnknownResource
from orthanc_fast.model import Level, Resource
from orthanc_fast.rest.path_identifiers import public_id
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.resource_listing import listing_response
from orthanc_fast.rest.response import JSON, NOT_FOUND, Response, encode_json, json_response
from orthanc_fast.rest.router import Handler, Reply, Router
from orthanc_fast.rest.uri import boolean, unsigned_argument
from orthanc_fast.rights import Right
from orthanc_fast.services.browse.describe import NAMES, PLURALS
from orthanc_fast.services.find.content import Presentation, parse_content
from orthanc_fast.services.find.requested import RequestedTags

SQLITE_CANNOT_STEP = 1010
MAX_INTEGER = (1 << 63) - 1  # of SQLite; negative numbers wrap around to what is above

MEGABYTE = 1 << 20

SHOWN = "short full requested-tags"  # arguments of every route that shows resources


def add_routes(router: Router, settings: Settings) -> None:
    for level, plural in PLURALS.items():
        if level == Level.PATIENT and not settings.patient_level_enabled:
            continue
        router.add(
            "GET",
            f"/{plural}",
            _listing(level),
            arguments=f"since limit expand response-content {SHOWN}",
            answer=list[str],
            needs=Right.BROWSE,
            limited=True,
        )
        router.add(
            "GET",
            f"/{plural}/{{}}",
            _resource(level),
            arguments=SHOWN,
            answer=dict[str, Any],
            needs=Right.BROWSE,
            limited=True,
        )
        router.add(
            "GET",
            f"/{plural}/{{}}/statistics",
            _statistics(level),
            answer=dict[str, Any],
            needs=Right.BROWSE,
            limited=True,
        )
        if not settings.read_only:
            router.add(
                "DELETE",
                f"/{plural}/{{}}",
                _delete(level),
                answer=dict[str, Any],
                needs=Right.DELETE,
                limited=level > Level.PATIENT,
            )
        for other in Level:
            if other > level:
                router.add(
                    "GET",
                    f"/{plural}/{{}}/{PLURALS[other]}",
                    _children(level, other),
                    arguments=f"expand {SHOWN}",
                    answer=list[dict[str, Any]],
                    needs=Right.BROWSE,
                    limited=True,
                )
            elif other < level:
                name = NAMES[other].lower()
                router.add(
                    "GET",
                    f"/{plural}/{{}}/{name}",
                    _ancestor(level, other),
                    arguments=SHOWN,
                    answer=dict[str, Any],
                    needs=Right.BROWSE,
                    limited=True,
                )


def _listing(level: Level) -> Handler:
    def get_resources(request: Request) -> Reply:
        """The resources of a level: identifiers, or resources as `expand` or `response-content`
        ask; `since` with `limit`."""
        since, limit = _page(request.arguments)
        how = _presentation(request, level)
        page = request.services.resources.page(request.caller, level, since, limit)
        return listing_response(request, level, page.packed, how, page.total)

    return get_resources


def _page(arguments: dict[str, str]) -> tuple[int, int]:
    """(since, limit); 0 is no limit."""
    if ("since" in arguments) != ("limit" in arguments):
        raise BadRequest('The arguments "since" and "limit" must be given together')
    if "since" not in arguments:
        return 0, 0
    since, limit = unsigned_argument(arguments["since"]), unsigned_argument(arguments["limit"])
    if max(since, limit) > MAX_INTEGER:
        raise OrthancError('"since" and "limit" must not be negative', code=SQLITE_CANNOT_STEP)
    return since, limit


def _presentation(request: Request, level: Level) -> Presentation | None:
    """How a listing shows its resources; None for bare identifiers."""
    arguments = request.arguments
    expand = boolean(arguments, "expand")
    requested = _requested(request, level)
    if "response-content" in arguments:
        text = arguments["response-content"]
        content = parse_content(text.split(";") if text else ())
        return Presentation(request.form, content, requested)
    return Presentation(request.form, None, requested) if expand else None


def _requested(request: Request, level: Level) -> RequestedTags | None:
    """Those of the argument `requested-tags`. Raises BadRequest."""
    arguments = request.arguments
    text = arguments.get("requested-tags") or arguments.get("requestedTags")
    if not text:
        return None
    finder = request.services.finder
    try:
        tags = [finder.tags.dictionary.parse(name) for name in text.split(";") if name]
    except UnknownDicomTag as error:
        raise BadRequest(f"requested-tags: unknown DICOM tag: {error.details}") from error
    return RequestedTags(tags, level, finder.tags, finder.options)


def _resource(level: Level) -> Handler:
    def get_resource(request: Request) -> Reply:
        """One resource, expanded."""
        public = public_id(request)
        requested = _requested(request, level) if request.arguments else None
        if requested is not None:
            return _shown(request, level, public, Presentation(request.form, None, requested))
        resources = request.services.resources
        answer = resources.expanded(request.caller, level, public, request.form)
        return NOT_FOUND if answer is None else Response(encode_json(answer), JSON)

    return get_resource


async def _shown(request: Request, level: Level, public: bytes, how: Presentation) -> Response:
    shown = await request.services.presenter.shown(request.caller, level, public, how)
    return json_response(shown[0]) if shown else NOT_FOUND


def _children(level: Level, below: Level) -> Handler:
    def get_children(request: Request) -> Reply:
        """The resources below: expanded, unless `expand=false`; sorted by identifier."""
        expand = boolean(request.arguments, "expand", default=True)
        requested = _requested(request, below)
        how = Presentation(request.form, None, requested) if expand else None
        found = request.services.resources.descendants(
            request.caller, level, public_id(request), below
        )
        if not found:
            raise UnknownResource
        return listing_response(request, below, b"".join(found), how)

    return get_children


def _ancestor(level: Level, above: Level) -> Handler:
    def get_ancestor(request: Request) -> Response:
        """The resource above, expanded; the identifier of another level finds nothing. The names of
        `requested-tags` must be ones, but nothing is shown of them, as in Orthanc."""
        _requested(request, above)
        answer = request.services.resources.ancestor(
            request.caller, level, public_id(request), above, request.form
        )
        return NOT_FOUND if answer is None else json_response(answer)

    return get_ancestor


class Sizes(msgspec.Struct, gc=False):
    """What every level's statistics show: bytes as texts, megabytes as numbers."""

    DicomDiskSize: str
    DicomDiskSizeMB: int
    DicomUncompressedSize: str
    DicomUncompressedSizeMB: int
    DiskSize: str
    DiskSizeMB: int
    UncompressedSize: str
    UncompressedSizeMB: int


def _statistics(level: Level) -> Handler:
    counters = [
        f"Count{NAMES[below] if below == Level.SERIES else PLURALS[below].title()}"
        for below in Level
        if below > level
    ]

    def get_statistics(request: Request) -> Response:
        """Numbers and sizes of what is below; an unknown resource has zeros."""
        resource = request.services.resources.find(request.caller, level, public_id(request))
        answer = msgspec.to_builtins(_sizes(resource))
        counts = [0, 0, 0] if resource is None else resource.counts
        answer.update(zip(counters, counts[level:], strict=True))
        return json_response(answer)

    return get_statistics


def _sizes(resource: Resource | None) -> Sizes:
    disk = size = dicom_disk = dicom_size = 0
    if resource is not None:
        disk, size = resource.disk_size, resource.uncompressed_size
        dicom_disk, dicom_size = resource.dicom_disk_size, resource.dicom_uncompressed_size
    return Sizes(
        DicomDiskSize=str(dicom_disk),
        DicomDiskSizeMB=dicom_disk // MEGABYTE,
        DicomUncompressedSize=str(dicom_size),
        DicomUncompressedSizeMB=dicom_size // MEGABYTE,
        DiskSize=str(disk),
        DiskSizeMB=disk // MEGABYTE,
        UncompressedSize=str(size),
        UncompressedSizeMB=size // MEGABYTE,
    )


def _delete(level: Level) -> Handler:
    async def delete_resource(request: Request) -> Response:
        """Deletes a resource and what is below; names the lowest ancestor that remains."""
        outcome = await request.services.deletion.delete(request.caller, level, public_id(request))
        if not outcome.found:
            return NOT_FOUND
        remaining = None
        if outcome.remaining is not None:
            above, ancestor = outcome.remaining
            text = to_text(ancestor)
            remaining = {"ID": text, "Path": f"/{PLURALS[above]}/{text}", "Type": NAMES[above]}
        return json_response({"RemainingAncestor": remaining})

    return delete_resource
