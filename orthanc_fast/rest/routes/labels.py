"""/{level}/{id}/labels and /tools/labels. Source: reference chapter 1, section 6.3."""

from orthanc_fast.config import Settings
from orthanc_fast.dicom.identifiers import from_text
from orthanc_fast.errors import UnknownResource
from orthanc_fast.index.lmdb.labels import labels_in_use
from orthanc_fast.model import Level
from orthanc_fast.rest.identifiers import require
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import NOT_FOUND, Response, json_response, text_response
from orthanc_fast.rest.router import Handler, Router
from orthanc_fast.services.browse.describe import PLURALS
from orthanc_fast.services.browse.labels import SetLabel, checked_label


def add_routes(router: Router, settings: Settings) -> None:
    for level, plural in PLURALS.items():
        if level == Level.PATIENT and not settings.patient_level_enabled:
            continue
        path = f"/{plural}/{{}}/labels"
        router.add("GET", path, _list(level), answer=list[str])
        router.add("GET", f"{path}/{{}}", _get(level), answer="text/plain")
        if not settings.read_only:
            router.add("PUT", f"{path}/{{}}", _set(level, True), answer="text/plain")
            router.add("DELETE", f"{path}/{{}}", _set(level, False), answer="text/plain")
    router.add("GET", "/tools/labels", get_labels, answer=list[str])


async def get_labels(request: Request) -> Response:
    """The labels that any resource has, sorted."""
    with request.services.index.view() as view:
        return json_response(labels_in_use(view))


def _list(level: Level) -> Handler:
    async def get_labels_of_resource(request: Request) -> Response:
        """The labels of a resource, sorted."""
        with request.services.index.view() as view:
            return json_response(sorted(require(view, level, request.params[0]).labels))

    return get_labels_of_resource


def _get(level: Level) -> Handler:
    async def get_label(request: Request) -> Response:
        """200 if the resource has the label, else 404."""
        with request.services.index.view() as view:
            resource = require(view, level, request.params[0])
        return text_response() if request.params[1] in resource.labels else NOT_FOUND

    return get_label


def _set(level: Level, present: bool) -> Handler:
    async def change_label(request: Request) -> Response:
        """PUT adds a label, DELETE removes it."""
        label = checked_label(request.params[1])
        public = from_text(request.params[0])
        if public is None:
            raise UnknownResource
        await request.services.write(SetLabel(level, public, label, present))
        return text_response()

    return change_label
