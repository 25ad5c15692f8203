"""The files of new instances on their way into the store."""

from collections.abc import Sequence

from orthanc_fast.config import Settings
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.part10 import Buffer
from orthanc_fast.errors import NotImplementedYet
from orthanc_fast.services.ingest.contract import Spool
from orthanc_fast.services.ingest.ingest import Ingest
from orthanc_fast.services.modification.apply import Modified
from orthanc_fast.services.modification.buffers import Buffers
from orthanc_fast.services.transcoding.transcode import transcode
from orthanc_fast.storage.contract import Content


class Files:
    """Those of one job, which belong to one thread: in memory that is used again and again, large
    ones as spools. With `syntax` they are transcoded to that, where it can be done."""

    def __init__(
        self, settings: Settings, ingest: Ingest, dictionary: Dictionary, syntax: str | None
    ) -> None:
        self._small = settings.maximum_upload_memory_mb << 20
        self._quality = settings.dicom_lossy_transcoding_quality
        self._ingest = ingest
        self._dictionary = dictionary
        self._syntax = syntax
        self._buffers = Buffers()

    def file(self, modified: Modified) -> Content | Spool:
        """The file of a new instance. Raises FullStorage, StorageFault, and for damaged pixels
        BadFileFormat."""
        is_small = modified.size <= self._small
        if self._syntax is None:
            if is_small:
                return self._buffers.joined(modified.parts, modified.size)
            return self._spool(modified.parts)
        if is_small:
            data = modified.data
            return self._transcoded(data, self._syntax) or data
        spool = self._spool(modified.parts)
        try:
            transcoded = self._transcoded(spool.buffer(), self._syntax)
        except BaseException:
            spool.drop()
            raise
        if transcoded is None:
            return spool
        spool.drop()
        return self._spool([transcoded])

    def give_back(self, data: Content | Spool) -> None:
        """The file is not needed any longer: what held it will change."""
        self._buffers.give_back(data)

    def _spool(self, parts: Sequence[Buffer]) -> Spool:
        spool = self._ingest.new_spool()
        for part in parts:
            spool.write(memoryview(part))
        return spool

    def _transcoded(self, data: Buffer, syntax: str) -> bytes | None:
        """None for what cannot be transcoded."""
        try:
            made = transcode(data, syntax, self._quality, self._dictionary, keeps_identity=True)
        except NotImplementedYet:
            return None
        return made.data
