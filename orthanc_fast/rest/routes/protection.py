"""/patients/{id}/protected. Source: reference chapter 1, section 8.3."""

from orthanc_fast.config import Settings
from orthanc_fast.dicom.identifiers import from_text
from orthanc_fast.errors import ParameterOutOfRange
from orthanc_fast.model import Level
from orthanc_fast.rest.identifiers import find
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import Response, text_response
from orthanc_fast.rest.router import Router
from orthanc_fast.services.retention.protection import SetProtected

PATH = "/patients/{}/protected"


def add_routes(router: Router, settings: Settings) -> None:
    if not settings.patient_level_enabled:
        return
    router.add("GET", PATH, get_protected, answer="text/plain")
    if not settings.read_only:
        router.add("PUT", PATH, put_protected, body="text/plain", answer="text/plain")


async def get_protected(request: Request) -> Response:
    """Whether recycling spares the patient: 1 or 0."""
    with request.services.index.view() as view:
        patient = find(view, Level.PATIENT, request.params[0])
    if patient is None:
        raise _no_patient()
    return text_response("1" if patient.protected else "0")


async def put_protected(request: Request) -> Response:
    """Protects the patient, or makes it the last one to be recycled."""
    protected = await request.boolean_text()
    public = from_text(request.params[0])
    if public is None:
        raise _no_patient()
    await request.services.write(SetProtected(public, protected))
    return text_response()


def _no_patient() -> ParameterOutOfRange:
    return ParameterOutOfRange("there is no such patient")
