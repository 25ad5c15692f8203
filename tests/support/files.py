"""The DICOM files of pydicom and pydicom-data, without any download."""

from functools import cache
from pathlib import Path

import data_store
import pydicom.data

_OTHER = {".py", ".pyc", ".txt", ".json", ".md", ".zip", ".gz", ".dump", ".icc", ".xml", ".log"}


@cache
def dicom_files() -> tuple[Path, ...]:
    """All files of both collections that may be DICOM, sorted."""
    roots = [Path(pydicom.data.__file__).parent, Path(data_store.__file__).parent]
    found = {
        path
        for root in roots
        for path in root.rglob("*")
        if path.is_file() and path.suffix not in _OTHER and path.name not in ("README", "py.typed")
    }
    return tuple(sorted(found))


def file_named(name: str) -> Path:
    return next(path for path in dicom_files() if path.name == name)
