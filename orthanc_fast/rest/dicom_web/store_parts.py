"""The parts of one body of STOW-RS: files, or metadata with their bulk data.

Source: PS3.18, section 10.5.2.
"""

import asyncio
from typing import Final

from orthanc_fast.dicom.model_reading import Model, model_of_xml, models_of_json
from orthanc_fast.errors import BadFileFormat, BadRequest, FullStorage, StorageFault
from orthanc_fast.media_types import content_type
from orthanc_fast.rest.body import add, discarded, finished
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import HeaderField
from orthanc_fast.services.dicom_web.composing import Bulk, composed, identity_of
from orthanc_fast.services.dicom_web.storing import OUT_OF_RESOURCES, Storing
from orthanc_fast.services.ingest.uploads import ArrivingBody, Body, Content, Share, Spool

DICOM: Final = "application/dicom"
METADATA_JSON: Final = "application/dicom+json"
METADATA_XML: Final = "application/dicom+xml"
_METADATA: Final = {
    METADATA_JSON: METADATA_JSON,
    "application/json": METADATA_JSON,
    METADATA_XML: METADATA_XML,
    "application/xml": METADATA_XML,
    "text/xml": METADATA_XML,
}
_MAXIMUM_BULKS: Final = 100_000  # parts; each costs memory, even if it is empty


class InstanceParts:
    """The parts of one body on their way into the store."""

    def __init__(self, request: Request, storing: Storing, part_type: str) -> None:
        self._uploads = request.services.uploads
        self._memory = request.services.settings.maximum_upload_memory_mb << 20
        self._storing = storing
        self._share = self._uploads.share()
        self._body: ArrivingBody | None = None

    def begin(self, headers: list[HeaderField]) -> None:
        """Raises BadRequest where too many parts are no instances."""
        kind = _header(headers, b"content-type")
        if kind is None or content_type(kind).type == DICOM:
            self._body = self._uploads.arriving(self._memory, self._share)
        else:
            self._storing.refuse()

    async def add(self, content: Content) -> None:
        if self._body is not None:
            try:
                await add(self._body, content)
            except (FullStorage, StorageFault):
                await self.close()
                self._storing.refuse(OUT_OF_RESOURCES)

    async def end(self) -> None:
        if self._body is not None:
            body, self._body = self._body, None
            share, self._share = self._share, self._uploads.share()
            await self._storing.add(await finished(body), share)

    async def finish(self) -> None:
        """All have come, and are on their way already."""

    async def close(self) -> None:
        """Leaves nothing behind of a part that has not come as a whole."""
        body, self._body = self._body, None
        if body is not None:
            await discarded(body)
        self._share.release()


class MetadataParts:
    """The metadata of instances, and their bulk data: the instances are made when all has come,
    one at a time."""

    def __init__(self, request: Request, storing: Storing, part_type: str) -> None:
        self._uploads = request.services.uploads
        settings = request.services.settings
        self._memory = settings.maximum_upload_memory_mb << 20
        self._most = settings.maximum_json_body_size_mb << 20
        self._storing = storing
        self._default = part_type
        self._share = self._uploads.share()
        self._kind = ("", "")  # of the part that is coming: its media type and transfer syntax
        self._location: str | None = None  # None: it is metadata
        self._body: ArrivingBody | None = None
        self._metadata = 0  # bytes
        self._models: list[Model] = []
        self._bulks: dict[str, list[Bulk]] = {}
        self._count = 0

    def begin(self, headers: list[HeaderField]) -> None:
        """Raises BadRequest where there are too many parts."""
        value = _header(headers, b"content-type")
        kind = content_type(value or self._default.encode())
        location = _header(headers, b"content-location")
        self._kind = kind.type, kind.parameters.get("transfer-syntax", "")
        is_metadata = kind.type in _METADATA and not (value is None and location)
        self._location = None if is_metadata else (location or b"").decode("latin-1")
        self._count += 1
        if self._count > _MAXIMUM_BULKS:
            raise BadRequest(f"The body has more than {_MAXIMUM_BULKS} parts")
        if self._location == "":
            self._storing.refuse()  # nothing can refer to it
        else:
            self._body = self._uploads.arriving(self._memory, self._share)

    async def add(self, content: Content) -> None:
        """Raises BadRequest (413) for too much metadata, FullStorage or StorageFault."""
        if self._body is None:
            return
        if self._location is None:
            self._metadata += len(content)
            if self._most and self._metadata > self._most:
                raise BadRequest(
                    f"The metadata have at most {self._most >> 20} MB: see the option "
                    "MaximumJsonBodySizeMB",
                    http_status=413,
                )
        await add(self._body, content)

    async def end(self) -> None:
        if self._body is None:
            return
        body, self._body = await finished(self._body), None
        if self._location is not None:
            self._bulks.setdefault(self._location, []).append(Bulk(*self._kind, body))
            return
        try:
            self._models += await asyncio.to_thread(_models, self._kind[0], body)
        except BadFileFormat as error:
            raise BadRequest(error.details) from error

    async def finish(self) -> None:
        """Makes the instances."""
        for model in self._models:
            share = self._uploads.share()
            try:
                body, warning = await asyncio.to_thread(self._made, model, share)
            except (BadFileFormat, FullStorage, StorageFault) as error:
                share.release()
                if isinstance(error, BadFileFormat):
                    self._storing.fail(*identity_of(model))
                else:
                    self._storing.refuse(OUT_OF_RESOURCES)
            else:
                await self._storing.add(body, share, warning)

    async def close(self) -> None:
        """Leaves nothing behind of the bulk data."""
        body, self._body = self._body, None
        if body is not None:
            await discarded(body)
        spools = [
            each.body
            for bulks in self._bulks.values()
            for each in bulks
            if isinstance(each.body, Spool)
        ]
        self._bulks.clear()
        if spools:
            await asyncio.to_thread(lambda: [spool.drop() for spool in spools])
        self._share.release()

    def _made(self, model: Model, share: Share) -> tuple[Body, int]:
        pieces, warning = composed(model, self._bulks)
        arriving = self._uploads.arriving(self._memory, share)
        try:
            for piece in pieces:
                arriving.add(piece)
            return arriving.finish(), warning
        except BaseException:
            arriving.discard()
            raise


def _models(kind: str, body: Body) -> list[Model]:
    try:
        data = body if isinstance(body, bytes) else body.read()
    finally:
        if isinstance(body, Spool):
            body.drop()
    return models_of_json(data) if _METADATA[kind] == METADATA_JSON else [model_of_xml(data)]


def _header(headers: list[HeaderField], name: bytes) -> bytes | None:
    return next((value for key, value in headers if key == name), None)
