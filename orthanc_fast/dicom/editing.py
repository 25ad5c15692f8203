"""Changes of a few root elements of a data set while it is written in another encoding.

The data set is never decoded: `_ext.rewrite` copies it element by element, whatever it holds, and
what changes here takes the place of the old. Source: DICOM PS3.5 section 7.
"""

from orthanc_fast._ext.rewrite import NestedPixels, RewriteError, rewrite
from orthanc_fast._ext.scan import ScanError, elements
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.elements import Writer
from orthanc_fast.dicom.part10 import Buffer, DicomFile, open_dicom
from orthanc_fast.errors import BadFileFormat

_ICON = 0x00880200  # IconImageSequence

Row = tuple[int, int, int, int, int, int]  # tag, VR, start, value, length or -1, end


class Editor:
    """The data set of one DICOM file with its changes. `write` encodes what is set, in the
    target's encoding."""

    def __init__(self, file: Buffer, explicit: bool, big: bool, dictionary: Dictionary) -> None:
        """`explicit` and `big` are the target's. Raises BadFileFormat for what is no DICOM
        file."""
        try:
            self.source: DicomFile = open_dicom(file)
            source = self.source
            rows = elements(
                source.data, source.start, len(source.data), source.explicit, source.big
            )
        except ScanError as error:
            raise BadFileFormat(str(error)) from error
        self.rows: dict[int, Row] = {row[0]: row for row in reversed(rows)}
        self.write = Writer(explicit, big)
        self._dictionary = dictionary
        self._changes: dict[int, bytes] = {}

    # Reading

    def raw(self, tag: int) -> bytes | None:
        """The value as it is in the file, None where the element is absent."""
        row = self.rows.get(tag)
        return None if row is None else bytes(self.source.data[row[3] : row[5]])

    def text(self, tag: int) -> str | None:
        """An ASCII text without padding."""
        raw = self.raw(tag)
        return None if raw is None else raw.decode("latin-1").strip(" \0")

    def number(self, tag: int, signed: bool = False) -> int | None:
        """The first value of a US or SS."""
        raw = self.raw(tag)
        if raw is None or len(raw) < 2:
            return None
        return int.from_bytes(raw[:2], "big" if self.source.big else "little", signed=signed)

    def items(self, tag: int) -> bytes:
        """The items of a sequence in the target's encoding, for more to be joined to."""
        row = self.rows.get(tag)
        if row is None:
            return b""
        element = self._rewrite(row[2], row[5], [], False)
        return element[12:] if self.write.explicit else element[8:]

    def element(self, tag: int) -> bytes | None:
        """The whole element in the target's encoding, None where it is absent."""
        row = self.rows.get(tag)
        return None if row is None else self._rewrite(row[2], row[5], [], False)

    # Changing

    def set(self, tag: int, element: bytes) -> None:
        """`element` is the whole element, made by `write`."""
        self._changes[tag] = element

    def set_number(self, tag: int, value: int) -> None:
        self.set(tag, self.write.number(tag, value))

    def set_text(self, tag: int, vr: str, *values: str) -> None:
        self.set(tag, self.write.text(tag, vr, *values))

    def append_text(self, tag: int, vr: str, value: str) -> None:
        """One more value behind those that are there."""
        old = (self.raw(tag) or b"").rstrip(b" \0")
        joined = old + b"\\" + value.encode("ascii") if old else value.encode("ascii")
        self.set(tag, self.write.element(tag, vr, joined))

    def append_item(self, tag: int, item: bytes) -> None:
        """One more item behind those that are there."""
        appended = self.write.sequence(tag, [item])
        head = 12 if self.write.explicit else 8
        self.set(tag, self.write.element(tag, "SQ", self.items(tag) + appended[head:]))

    def remove(self, *tags: int) -> None:
        for tag in tags:
            self._changes[tag] = b""

    # Writing

    def head(self, pixels: Row | None, nested_pixels: bool) -> bytes:
        """The elements before the pixel data, all of them without such, in the target's encoding.

        `nested_pixels` tells that compressed icons may stay; otherwise they are left out.
        """
        end = len(self.source.data) if pixels is None else pixels[2]
        changes = sorted(self._changes.items())
        try:
            return self._rewrite(self.source.start, end, changes, nested_pixels)
        except NestedPixels:
            self.remove(_ICON)
            changes = sorted(self._changes.items())
            return self._rewrite(self.source.start, end, changes, nested_pixels)

    def tail(self, pixels: Row) -> bytes:
        """The elements behind the pixel data."""
        return self._rewrite(pixels[5], len(self.source.data), [], False)

    def _rewrite(
        self, start: int, end: int, changes: list[tuple[int, bytes]], nested_pixels: bool
    ) -> bytes:
        source, write = self.source, self.write
        try:
            return rewrite(
                source.data,
                start,
                end,
                source.explicit,
                source.big,
                write.explicit,
                write.big,
                self._dictionary,
                changes,
                nested_pixels,
            )
        except NestedPixels:
            raise
        except RewriteError as error:
            raise BadFileFormat(f"the data set cannot be rewritten: {error}") from error
