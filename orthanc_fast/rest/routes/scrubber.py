"""/tools/scrubber: what is known of damaged files. This server's own: docs/operations.md."""

from orthanc_fast.config import Settings
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import Response, json_response
from orthanc_fast.rest.router import Router
from orthanc_fast.rights import Right
from orthanc_fast.services.administration.integrity import ScrubberAnswer


def add_routes(router: Router, settings: Settings) -> None:
    router.add(
        "GET", "/tools/scrubber", get_scrubber, answer=ScrubberAnswer, needs=Right.ADMINISTRATE
    )


def get_scrubber(request: Request) -> Response:
    """How far the reading of stored files is, and which of them are damaged, with patient and
    study; also those that `orthanc-fast check --deep` has found."""
    return json_response(request.services.integrity.answer(request.caller))
