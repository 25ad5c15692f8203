"""Instances as files of a folder: each comes to its place by renaming, when it is on the disk."""

import errno
import hashlib
import os
import re
from pathlib import Path
from typing import Final

from orthanc_fast.config_routing import Destination
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.main_tags import MainTags
from orthanc_fast.dicom.reader import read_header
from orthanc_fast.errors import OrthancError
from orthanc_fast.model import Header, Level
from orthanc_fast.services.attachments.reading import opened
from orthanc_fast.services.routing.contract import Door, Hopeless, Item, Refused
from orthanc_fast.storage.contract import Storage

_CANNOT_WRITE_FILE: Final = 14
_PART: Final = 1 << 20  # bytes
_STUDY_DATE: Final = 0x00080020
_MODALITY: Final = 0x00080060
_ACCESSION_NUMBER: Final = 0x00080050
_LONGEST: Final = 100  # characters of what stands for a tag
# A file is in the way of a folder, or a folder of a file; the file is too large for the disk.
_OF_FILE: Final = frozenset({errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.EFBIG})

# Of names of files on any system; what is left of a tag after that may still be a name of its own.
_UNSAFE = re.compile(r"[^A-Za-z0-9._ -]")


class FolderDoor(Door):
    """For one thread."""

    def __init__(
        self,
        destination: Destination,
        storage: Storage,
        main_tags: MainTags,
        dictionary: Dictionary,
    ) -> None:
        self._folder = Path(destination.folder)
        self._path = destination.path
        self._storage = storage
        self._main_tags = main_tags
        self._dictionary = dictionary

    def send(self, item: Item) -> None:
        """Raises OrthancError 14 where the folder cannot be written to, Refused where only this
        file cannot be, Hopeless where the path is too long, and as reading the stored file does."""
        data = opened(self._storage, item.file) if item.data is None else item.data
        header = read_header(data, self._main_tags, self._dictionary)
        target = self._folder / self._place(header, item.rule)
        try:
            _write(self._folder, target, memoryview(data))
        except OSError as error:
            raise self._kind(error)(
                f"cannot write into the folder: {error.strerror}",
                private=target,
                code=_CANNOT_WRITE_FILE,
            ) from error

    def _kind(self, error: OSError) -> type[OrthancError]:
        if error.errno == errno.ENAMETOOLONG:
            return Hopeless
        is_below = error.errno in _OF_FILE and self._folder.is_dir()
        if error.errno == errno.EACCES:  # of a folder that somebody else has made
            is_below = os.access(self._folder, os.W_OK | os.X_OK)
        return Refused if is_below else OrthancError

    def close(self) -> None:
        """Nothing is open."""

    def _place(self, header: Header, rule: str) -> str:
        study, series = header.main_tags[Level.STUDY], header.main_tags[Level.SERIES]
        values = {
            "PatientID": header.patient_id,
            "StudyInstanceUID": _distinct(header.study_uid),
            "SeriesInstanceUID": _distinct(header.series_uid),
            "SOPInstanceUID": _distinct(header.sop_uid),
            "StudyDate": study.get(_STUDY_DATE, ""),
            "Modality": series.get(_MODALITY, ""),
            "AccessionNumber": study.get(_ACCESSION_NUMBER, ""),
            "Rule": rule,
        }
        return re.sub(r"\{([^{}]*)\}", lambda found: _safe(values[found[1]]), self._path)


def _safe(text: str) -> str:
    """As a part of a path: never empty, `.` or `..`."""
    found = _UNSAFE.sub("_", text.strip())[:_LONGEST].strip(" ")
    return "_" if not found.strip(".") else found


def _distinct(uid: str) -> str:
    """The same, unless that would make two identifiers one: they may be too long, or none at
    all."""
    text = uid.strip(" \0")
    if _safe(text) == text:
        return text
    return f"{_safe(text)[:80]}-{hashlib.sha1(text.encode()).hexdigest()[:12]}"


def _write(folder: Path, target: Path, data: memoryview) -> None:
    """All of it durable, or nothing at the place. Raises OSError."""
    _make(target.parent, folder)
    part = target.with_name(f".{target.name}.part")
    try:
        with part.open("wb") as file:
            for start in range(0, len(data), _PART):
                file.write(data[start : start + _PART])
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync(target.parent)


def _make(wanted: Path, folder: Path) -> None:
    """Folders below one that has to be there: a disk that is not mounted must not be taken for an
    empty one."""
    if wanted == folder or wanted.is_dir():
        return
    _make(wanted.parent, folder)
    wanted.mkdir(exist_ok=True)
    _sync(wanted.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
