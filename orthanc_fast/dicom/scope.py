"""One data set of a file, the root or an item, for reading a few values and skipping the rest."""

from typing import NamedTuple

from orthanc_fast._ext.scan import elements, items
from orthanc_fast.dicom.part10 import Buffer, DicomFile, open_dicom
from orthanc_fast.dicom.text import ascii_text

_UN = ord("U") << 8 | ord("N")


class Scope(NamedTuple):
    """Where a data set lies in `data`, and how it is encoded. The methods raise ScanError."""

    data: Buffer
    start: int
    end: int
    explicit: bool
    big: bool

    def item(self, tag: int, index: int = 0) -> "Scope | None":
        """Item `index` of the sequence `tag`, None if there is no such item."""
        for row in elements(self.data, self.start, self.end, self.explicit, self.big):
            if row[0] == tag:
                # A sequence written as UN is implicit and little endian inside (PS3.5 6.2.2).
                plain = row[1] == _UN
                explicit, big = self.explicit and not plain, self.big and not plain
                found = items(self.data, row[3], row[5], explicit, big)
                if 0 <= index < len(found):
                    return Scope(self.data, *found[index], explicit, big)
                return None
        return None

    def values(self, wanted: frozenset[int]) -> dict[int, bytes]:
        """The raw values of those elements that are there; of sequences the bytes of their
        items."""
        rows = elements(self.data, self.start, self.end, self.explicit, self.big)
        return {row[0]: bytes(self.data[row[3] : row[5]]) for row in rows if row[0] in wanted}

    def texts(self, wanted: frozenset[int]) -> dict[int, str]:
        """The values as texts without padding, of elements with decimal strings."""
        return {tag: ascii_text(raw, "DS") for tag, raw in self.values(wanted).items()}


def root(data: Buffer | DicomFile) -> Scope:
    """The data set of a DICOM file, or of its part up to any element. Raises ScanError."""
    file = open_dicom(data)
    source = file.data
    return Scope(source, file.start, len(source), file.explicit, file.big)
