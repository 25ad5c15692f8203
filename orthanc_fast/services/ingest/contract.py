"""What the ingest is asked, and what it answers: the same for HTTP, DICOM, jobs and scripts."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from orthanc_fast.config import Overwrite
from orthanc_fast.model import Caller, Header, Level
from orthanc_fast.storage.contract import Content
from orthanc_fast.storage.contract import Spool as Spool
from orthanc_fast.storage.upload_memory import Share as Share
from orthanc_fast.storage.upload_memory import UploadMemory as UploadMemory

Status = Literal["Success", "AlreadyStored", "FilteredOut"]

_NOTHING: Mapping[Level, Any] = MappingProxyType({})

NOBODY = (b"", b"", b"", b"")  # the identifiers of a file that was discarded and lacks one


class MadeFrom(msgspec.Struct, frozen=True, gc=False):
    """What an instance was made from: `publics` are its identifiers, patient first. The metadata
    `number` of the new instance names the old one, that of each other level the old resource where
    it is another one."""

    number: int
    publics: tuple[bytes, bytes, bytes, bytes]


class IngestRequest(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One DICOM file that shall be stored.

    A spool of bytes (`Ingest.new_spool`) belongs to the ingest from then on. `metadata` (texts by
    number) and `labels` are set per level in the transaction that stores the instance; nothing is
    set where it is not stored, but for the labels if `labels_known`: these are set too where the
    instance is there already. `overwrite` is the rule of this call, None the configuration's.
    `may_transcode`: IngestTranscoding applies. `is_cold`: nobody is about to
    read it. `examine` sees what the reader has learnt of the file before anything is kept of it,
    perhaps in a thread; what it raises refuses the file.
    """

    caller: Caller
    data: Content | Spool
    metadata: Mapping[Level, Mapping[int, str]] = _NOTHING
    labels: Mapping[Level, Sequence[str]] = _NOTHING
    labels_known: bool = False
    made_from: MadeFrom | None = None
    overwrite: Overwrite | None = None
    may_transcode: bool = True
    is_cold: bool = False
    examine: Callable[[Header], None] | None = None


class Stored(msgspec.Struct, frozen=True, gc=False):
    """What became of one file, and the 20-byte identifiers, patient first.

    `FilteredOut`: somebody who may refuse did so. If he saw nothing but the bytes, the identifier
    of the instance is empty, and so are all (`NOBODY`) where the file lacks one.
    """

    status: Status
    publics: tuple[bytes, bytes, bytes, bytes]
    sop_class: str | None = None
    sop_uid: str = ""
