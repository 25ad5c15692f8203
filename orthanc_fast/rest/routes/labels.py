"""/{level}/{id}/labels and /tools/labels. Source: reference chapter 1, section 6.3."""

from orthanc_fast.config import Settings
from orthanc_fast.model import Level
from orthanc_fast.rest.path_identifiers import public_id
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import NOT_FOUND, Response, json_response, text_response
from orthanc_fast.rest.router import Handler, Router
from orthanc_fast.rights import Right
from orthanc_fast.services.browse.describe import PLURALS


def add_routes(router: Router, settings: Settings) -> None:
    for level, plural in PLURALS.items():
        if level == Level.PATIENT and not settings.patient_level_enabled:
            continue
        path = f"/{plural}/{{}}/labels"
        router.add("GET", path, _list(level), answer=list[str], needs=Right.BROWSE, limited=True)
        router.add(
            "GET",
            f"{path}/{{}}",
            _get(level),
            answer="text/plain",
            needs=Right.BROWSE,
            limited=True,
        )
        if not settings.read_only:
            router.add("PUT", f"{path}/{{}}", _put(level), answer="text/plain", needs=Right.MODIFY)
            router.add(
                "DELETE", f"{path}/{{}}", _delete(level), answer="text/plain", needs=Right.MODIFY
            )
    router.add(
        "GET", "/tools/labels", get_labels, answer=list[str], needs=Right.BROWSE, limited=True
    )


def get_labels(request: Request) -> Response:
    """The labels that any resource has, sorted."""
    return json_response(request.services.labels.in_use(request.caller))


def _list(level: Level) -> Handler:
    def get_labels_of_resource(request: Request) -> Response:
        """The labels of a resource, sorted."""
        found = request.services.labels.of(request.caller, level, public_id(request))
        return json_response(found)

    return get_labels_of_resource


def _get(level: Level) -> Handler:
    def get_label(request: Request) -> Response:
        """200 if the resource has the label, else 404."""
        found = request.services.labels.of(request.caller, level, public_id(request))
        return text_response() if request.params[1] in found else NOT_FOUND

    return get_label


def _put(level: Level) -> Handler:
    async def put_label(request: Request) -> Response:
        """Adds a label."""
        labels = request.services.labels
        await labels.add(request.caller, level, public_id(request), request.params[1])
        return text_response()

    return put_label


def _delete(level: Level) -> Handler:
    async def delete_label(request: Request) -> Response:
        """Removes a label."""
        labels = request.services.labels
        await labels.remove(request.caller, level, public_id(request), request.params[1])
        return text_response()

    return delete_label
