"""POST /instances: one DICOM file, a gzip of one, or a ZIP archive. Source: reference chapter 1,
section 2."""

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import Response, json_response
from orthanc_fast.rest.router import Router
from orthanc_fast.rights import Right
from orthanc_fast.services.ingest.contract import Stored


class UploadAnswer(msgspec.Struct, gc=False):
    """What became of one file."""

    ID: str
    ParentPatient: str
    ParentSeries: str
    ParentStudy: str
    Path: str
    Status: str


def add_routes(router: Router, settings: Settings) -> None:
    if not settings.read_only:
        router.add(
            "POST",
            "/instances",
            post_instances,
            body="application/dicom",
            answer=UploadAnswer,
            needs=Right.UPLOAD,
        )


async def post_instances(request: Request) -> Response:
    """Stores one DICOM file, a gzip of one, or a ZIP archive, whose answer is a list."""
    coding = request.header(b"content-encoding")
    is_gzipped = coding is not None and coding.lower() == b"gzip"
    stored = await request.services.uploads.store(
        request.caller, await request.upload(), is_gzipped
    )
    if isinstance(stored, Stored):
        return json_response(upload_answer(stored))
    return json_response([upload_answer(each) for each in stored])


def upload_answer(stored: Stored) -> UploadAnswer:
    patient, study, series, public = stored.publics
    if not patient:
        return UploadAnswer("", "", "", "", "/instances/", stored.status)
    instance = to_text(public) if public else ""
    return UploadAnswer(
        ID=instance,
        ParentPatient=to_text(patient),
        ParentSeries=to_text(series),
        ParentStudy=to_text(study),
        Path=f"/instances/{instance}",
        Status=stored.status,
    )
