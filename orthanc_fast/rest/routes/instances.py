"""POST /instances: one DICOM file, a gzip of one, or a ZIP archive. Source: reference chapter 1,
section 2."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.errors import BadFileFormat, InexistentTag
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import Response, json_response
from orthanc_fast.rest.router import Router
from orthanc_fast.services.ingest.contract import IngestRequest, Stored
from orthanc_fast.services.ingest.unpack import gunzip, is_zip, members

# Members of an archive that wait for the disk together, hence in memory at the same time.
MAX_PENDING_MEMBERS = 16
MAX_PENDING_BYTES = 64 << 20


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
            "POST", "/instances", post_instances, body="application/dicom", answer=UploadAnswer
        )


async def post_instances(request: Request) -> Response:
    """Stores one DICOM file, a gzip of one, or a ZIP archive, whose answer is a list."""
    body = await request.upload()
    if isinstance(body, Path):
        return await _post_file(request, body)
    if not body:
        raise BadFileFormat("Received an empty DICOM file")
    if is_zip(body):
        return await _post_archive(request, body)
    if _is_gzip(request):
        limit = request.services.settings.maximum_file_size_in_archive_mb << 20
        body = await asyncio.to_thread(gunzip, body, limit)
    return json_response(_answer(await _store(request, data=body)))


async def _post_file(request: Request, path: Path) -> Response:
    """A body too large for memory."""
    try:
        with path.open("rb") as file:
            head = file.read(4)
        if is_zip(head):
            return await _post_archive(request, path)
        if _is_gzip(request):
            limit = request.services.settings.maximum_file_size_in_archive_mb << 20
            data = await asyncio.to_thread(lambda: gunzip(path.read_bytes(), limit))
            return json_response(_answer(await _store(request, data=data)))
        return json_response(_answer(await _store(request, partial=path)))
    finally:
        path.unlink(missing_ok=True)


async def _store(
    request: Request, data: bytes | None = None, partial: Path | None = None
) -> Stored:
    wanted = IngestRequest(caller=request.caller, data=data, partial=partial)
    return await request.services.ingest.store(wanted)


def _is_gzip(request: Request) -> bool:
    coding = request.header(b"content-encoding")
    return coding is not None and coding.lower() == b"gzip"


async def _post_archive(request: Request, archive: bytes | Path) -> Response:
    """Stores the members in order; those that are no DICOM files or no instances are left out."""
    limit = request.services.settings.maximum_file_size_in_archive_mb << 20
    contents = members(archive, limit)
    answers: list[UploadAnswer] = []
    pending: list[asyncio.Task[Stored]] = []
    waiting = 0
    try:
        while (data := await asyncio.to_thread(_next, contents)) is not None:
            pending.append(asyncio.create_task(_store(request, data=data)))
            waiting += len(data)
            if len(pending) >= MAX_PENDING_MEMBERS or waiting >= MAX_PENDING_BYTES:
                await _settle(pending, answers)
                waiting = 0
    finally:
        await _settle(pending, answers)
    return json_response(answers)


def _next(contents: Iterator[bytes]) -> bytes | None:
    return next(contents, None)


async def _settle(pending: list[asyncio.Task[Stored]], answers: list[UploadAnswer]) -> None:
    """Waits for all, keeps the answers in order, then raises the first error that counts."""
    results = await asyncio.gather(*pending, return_exceptions=True)
    pending.clear()
    for result in results:
        if isinstance(result, Stored):
            answers.append(_answer(result))
        elif not isinstance(result, BadFileFormat | InexistentTag):
            raise result


def _answer(stored: Stored) -> UploadAnswer:
    # Nobody knows the identifiers of what was discarded unread.
    patient, study, series, instance = (to_text(each) if each else "" for each in stored.publics)
    return UploadAnswer(
        ID=instance,
        ParentPatient=patient,
        ParentSeries=series,
        ParentStudy=study,
        Path=f"/instances/{instance}",
        Status=stored.status,
    )
