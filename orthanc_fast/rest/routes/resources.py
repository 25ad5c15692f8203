"""Patients, studies, series and instances: listings, single resources, children, parents,
statistics, deletion.

Source: reference chapter 1, sections 4 and 8.1.
"""

from typing import Any

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.dicom.identifiers import from_text, to_text
from orthanc_fast.errors import BadRequest, OrthancError, UnknownDicomTag, UnknownResource
from orthanc_fast.index.lmdb.view import View
from orthanc_fast.model import Level, Resource
from orthanc_fast.rest.identifiers import find, require
from orthanc_fast.rest.listing import listing_response, show
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import JSON, NOT_FOUND, Response, encode_json, json_response
from orthanc_fast.rest.router import Handler, Router
from orthanc_fast.rest.uri import boolean, unsigned
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
        )
        router.add(
            "GET", f"/{plural}/{{}}", _resource(level), arguments=SHOWN, answer=dict[str, Any]
        )
        router.add("GET", f"/{plural}/{{}}/statistics", _statistics(level), answer=dict[str, Any])
        if not settings.read_only:
            router.add("DELETE", f"/{plural}/{{}}", _delete(level), answer=dict[str, Any])
        for other in Level:
            if other > level:
                router.add(
                    "GET",
                    f"/{plural}/{{}}/{PLURALS[other]}",
                    _children(level, other),
                    arguments=f"expand {SHOWN}",
                    answer=list[dict[str, Any]],
                )
            elif other < level:
                name = NAMES[other].lower()
                router.add(
                    "GET",
                    f"/{plural}/{{}}/{name}",
                    _ancestor(level, other),
                    arguments="short full",
                    answer=dict[str, Any],
                )


def _listing(level: Level) -> Handler:
    async def get_resources(request: Request) -> Response:
        """The resources of a level: identifiers, or resources as `expand` or `response-content`
        ask; `since` with `limit`."""
        services = request.services
        since, limit = _page(request.arguments)
        how = _presentation(request, level)
        with services.index.view() as view:
            packed = view.listing_packed(level, since, limit)
            total = view.totals().resources[level]
        return await listing_response(services, level, packed, how, total)

    return get_resources


def _page(arguments: dict[str, str]) -> tuple[int, int]:
    """(since, limit); 0 is no limit."""
    if ("since" in arguments) != ("limit" in arguments):
        raise BadRequest('The arguments "since" and "limit" must be given together')
    if "since" not in arguments:
        return 0, 0
    since, limit = unsigned(arguments["since"]), unsigned(arguments["limit"])
    if max(since, limit) > MAX_INTEGER:
        raise OrthancError('"since" and "limit" must not be negative', code=SQLITE_CANNOT_STEP)
    return since, limit


def _presentation(request: Request, level: Level) -> Presentation | None:
    """How a listing shows its resources; None for bare identifiers."""
    arguments = request.arguments
    expand = boolean(arguments, "expand")
    if "response-content" in arguments:
        text = arguments["response-content"]
        content = parse_content(text.split(";") if text else ())
        return Presentation(request.form, content, _requested(request, level))
    return Presentation(request.form, None, _requested(request, level)) if expand else None


def _requested(request: Request, level: Level) -> RequestedTags | None:
    """Those of the argument `requested-tags`. Raises BadRequest."""
    arguments = request.arguments
    text = arguments.get("requested-tags") or arguments.get("requestedTags")
    if not text:
        return None
    finder = request.services.finder
    try:
        tags = [finder.tags.dictionary.parse(name) for name in text.split(";")]
    except UnknownDicomTag as error:
        raise BadRequest(f"requested-tags: unknown DICOM tag: {error.details}") from error
    return RequestedTags(tags, level, finder.tags, finder.options)


def _resource(level: Level) -> Handler:
    async def get_resource(request: Request) -> Response:
        """One resource, expanded."""
        services = request.services
        with services.index.view() as view:
            resource = find(view, level, request.params[0])
            if resource is None:
                return NOT_FOUND
            if not request.arguments:
                answer = services.describer.describe(view, resource, request.form)
                return Response(encode_json(answer), JSON)
            how = Presentation(request.form, None, _requested(request, level))
        shown = await show(services, level, resource.public, how)
        return json_response(shown[0]) if shown else NOT_FOUND

    return get_resource


def _children(level: Level, below: Level) -> Handler:
    async def get_children(request: Request) -> Response:
        """The resources below: expanded, unless `expand=false`; sorted by identifier."""
        expand = boolean(request.arguments, "expand", default=True)
        with request.services.index.view() as view:
            packed = b"".join(view.descendants(require(view, level, request.params[0]), below))
        if not packed:
            raise UnknownResource
        how = Presentation(request.form, None, _requested(request, below)) if expand else None
        return await listing_response(request.services, below, packed, how)

    return get_children


def _ancestor(level: Level, above: Level) -> Handler:
    async def get_ancestor(request: Request) -> Response:
        """The resource above, expanded; the identifier of another level finds nothing."""
        services = request.services
        with services.index.view() as view:
            resource = find(view, level, request.params[0])
            if resource is None and not _is_known(view, request.params[0]):
                raise UnknownResource
            while resource is not None and resource.level > above:
                resource = view.parent(resource)
            if resource is None:
                return NOT_FOUND
            return json_response(services.describer.describe(view, resource, request.form))

    return get_ancestor


def _is_known(view: View, text: str) -> bool:
    """Whether a resource of any level has this identifier."""
    public = from_text(text)
    return public is not None and view.resource_of_any_level(public) is not None


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

    async def get_statistics(request: Request) -> Response:
        """Numbers and sizes of what is below; an unknown resource has zeros."""
        with request.services.index.view() as view:
            resource = find(view, level, request.params[0])
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
        public = from_text(request.params[0])
        if public is None:
            return NOT_FOUND
        outcome = await request.services.delete(level, public)
        if not outcome.found:
            return NOT_FOUND
        remaining = None
        if outcome.remaining is not None:
            above, ancestor = outcome.remaining
            text = to_text(ancestor)
            remaining = {"ID": text, "Path": f"/{PLURALS[above]}/{text}", "Type": NAMES[above]}
        return json_response({"RemainingAncestor": remaining})

    return delete_resource
