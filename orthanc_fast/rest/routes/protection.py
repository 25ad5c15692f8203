"""/patients/{id}/protected. Source: reference chapter 1, section 8.3."""

from orthanc_fast.config import Settings
from orthanc_fast.rest.path_identifiers import public_id
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import Response, text_response
from orthanc_fast.rest.router import Router
from orthanc_fast.rights import Right

PATH = "/patients/{}/protected"


def add_routes(router: Router, settings: Settings) -> None:
    if not settings.patient_level_enabled:
        return
    router.add("GET", PATH, get_protected, answer="text/plain", needs=Right.BROWSE, limited=True)
    if not settings.read_only:
        router.add(
            "PUT", PATH, put_protected, body="text/plain", answer="text/plain", needs=Right.MODIFY
        )


def get_protected(request: Request) -> Response:
    """Whether recycling spares the patient: 1 or 0."""
    protected = request.services.protection.is_protected(request.caller, public_id(request))
    return text_response("1" if protected else "0")


async def put_protected(request: Request) -> Response:
    """Protects the patient, or makes it the last one to be recycled."""
    protected = await request.boolean_text()
    await request.services.protection.protect(request.caller, public_id(request), protected)
    return text_response()
