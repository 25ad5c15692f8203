"""Data sets before and after an edit, made comparable."""

import io
import itertools
import re
from collections.abc import Iterator
from typing import Any

import pydicom
from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence

_NEW_UID = re.compile(r"(?:1\.2\.276\.0\.7230010\.3\.1\.[1-4]\.|2\.25\.)[0-9.]+\Z")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_ANONYMIZED = re.compile(r"Anonymized[0-9]+\Z")

_SEQUENCE = "SQ"


def item(**values: Any) -> Dataset:
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def sequence(*items: Dataset) -> Sequence:
    return Sequence(items)


def file_bytes(dataset: FileDataset) -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def read(data: bytes) -> FileDataset:
    return pydicom.dcmread(io.BytesIO(data), force=True)


class Canonical:
    """Data sets as trees in which new identifiers have names in the order in which they come: two
    servers that give other ones in the same places give the same trees."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._numbers = itertools.count()

    def tree(self, dataset: Dataset) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for raw in list(dataset.values()):
            element = dataset[raw.tag]
            key = f"{int(element.tag):08x}"
            if element.VR == _SEQUENCE:
                found[key] = [self.tree(each) for each in element.value]
            elif element.tag == 0x7FE00010 or element.VR in ("OB", "OW", "UN"):
                found[key] = bytes(element.value or b"").hex()
            else:
                found[key] = self.name(str(element.value or ""))
        return found

    def name(self, text: str) -> str:
        """New UIDs, UUIDs and names that are numbered by name, all else as it is."""
        for pattern, kind in ((_NEW_UID, "uid"), (_UUID, "uuid"), (_ANONYMIZED, "name")):
            if pattern.match(text):
                if text not in self._names:
                    self._names[text] = f"{kind} {next(self._numbers)}"
                return self._names[text]
        return text


def values(dataset: Dataset) -> Iterator[tuple[int, str]]:
    """All values at any depth, as texts."""
    for raw in list(dataset.values()):
        element = dataset[raw.tag]
        if element.VR == _SEQUENCE:
            for each in element.value:
                yield from values(each)
        else:
            yield int(element.tag), str(element.value)
