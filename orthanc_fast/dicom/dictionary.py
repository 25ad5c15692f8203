"""Names and VRs of tags: the standard, the private dictionary, and what the configuration adds.

Names are those that Orthanc shows: the DICOM keyword, `RETIRED_` before retired ones. Source:
reference chapter 2, sections 1.7 and 1.8. The facts lie in `dictionary.msgpack`, written by
`scripts/make_dictionary.py`.
"""

import itertools
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.resources import files

import msgspec

from orthanc_fast.dicom.dictionary_file import definitions
from orthanc_fast.errors import OrthancError, ParameterOutOfRange, UnknownDicomTag

ALREADY_EXISTING_TAG = 2042

UNKNOWN_NAME = "Unknown Tag & Data"
OTHER_PATIENT_IDS = 0x00101000

_TAG = re.compile(r"([0-9a-fA-F]{4})[,-]?([0-9a-fA-F]{4})\Z")
_LOOSE_TAG = re.compile(r"([0-9a-fA-F]{1,4}),([0-9a-fA-F]{1,4})\Z")

_MAX_FIELDS = 5  # of an entry of the option Dictionary

TEXT_VRS = frozenset(
    "AE AS CS DA DS DT IS LO LT PN SH ST TM UC UI UR UT".split()  # noqa: SIM905 - a table
)
VRS = TEXT_VRS | frozenset("AT FL FD OB OD OF OL OV OW SL SQ SS SV UL UN US UV".split())  # noqa: SIM905 - a table


# Of the attributes that are US or SS those that follow PixelRepresentation, if their own data set
# has it; without it, and for the others, implicit VR does not say what they are. As DCMTK 3.7.
FOLLOW_PIXEL_REPRESENTATION = frozenset(
    [
        *(0x00280106, 0x00280107, 0x00280108, 0x00280109, 0x00280120, 0x00280121, 0x00283002),
        *(0x00409211, 0x00409216, 0x00603004, 0x00603006),
    ]
)


class Entry(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One attribute. `vr` may name two ("US or SS"): then the data set decides."""

    keyword: str
    vr: str
    multiplicity: str = "1"
    retired: bool = False

    @property
    def name(self) -> str:
        return f"RETIRED_{self.keyword}" if self.retired else self.keyword


class _PrivateEntry(msgspec.Struct, frozen=True, gc=False, array_like=True):
    keyword: str
    vr: str


class _Facts(msgspec.Struct):
    standard: dict[int, Entry]
    repeating: dict[str, Entry]
    private: dict[str, dict[int, _PrivateEntry]]


@lru_cache(maxsize=1)
def _facts() -> _Facts:
    data = files("orthanc_fast.dicom").joinpath("dictionary.msgpack").read_bytes()
    return msgspec.msgpack.decode(data, type=_Facts)


class Dictionary:
    """What a process knows about tags. Build it once; it does not change afterwards.

    `standard` and `private` are for the compiled writers: tag -> (name, VR), and private creator ->
    (group << 8 | low byte of the element) -> (name, VR), names and VRs as bytes. `signed` are the
    tags that are SS where PixelRepresentation is 1, US where it is something else.
    """

    signed = FOLLOW_PIXEL_REPRESENTATION

    def __init__(
        self,
        extra: Mapping[str, list[object]] | None = None,
        load_private: bool = True,
        external: Iterable[str] = (),
    ) -> None:
        """`extra` is the option Dictionary, `external` the texts of DCMTK dictionary files.

        Raises ParameterOutOfRange or OrthancError 2042 for entries that cannot be taken.
        """
        self.standard: dict[int, tuple[bytes, bytes]] = {}
        self.private: dict[bytes, dict[int, tuple[bytes, bytes]]] = {}
        self._tags: dict[str, int] = {}
        external = list(external)
        if external:
            for text in external:
                self._load_file(text)
        else:
            self._load_facts(load_private)
        for tag, entry in (extra or {}).items():
            self._add(tag, entry)
        self.names: dict[int, str] = {tag: row[0].decode() for tag, row in self.standard.items()}

    def _load_facts(self, load_private: bool) -> None:
        facts = _facts()
        for tag, entry in facts.standard.items():
            self._put(tag, entry.name, entry.vr)
            self._tags.setdefault(entry.keyword, tag)
        self._put(OTHER_PATIENT_IDS, "OtherPatientIDs", "LO")
        for pattern, entry in facts.repeating.items():
            for tag in _expand(pattern):
                if tag not in self.standard:
                    self.standard[tag] = (entry.name.encode(), entry.vr.encode())
            self._tags.setdefault(entry.name, int(pattern.replace("x", "0"), 16))
        if load_private:
            for creator, rows in facts.private.items():
                self.private[creator.encode()] = {
                    key: (row.keyword.encode(), row.vr.encode()) for key, row in rows.items()
                }

    def _put(self, tag: int, name: str, vr: str) -> None:
        self.standard[tag] = (name.encode(), vr.encode())
        self._tags[name] = tag

    def _load_file(self, text: str) -> None:
        for line in definitions(text):
            if line.name == generic_name(line.groups[0] << 16 | line.elements[0]):
                continue  # millions of tags, whose names are known without a table
            rows = self.private.setdefault(line.creator.encode(), {}) if line.creator else None
            for group, element in itertools.product(line.groups, line.elements):
                if rows is None:
                    self._put(group << 16 | element, line.name, line.vr)
                else:
                    key = _private_key(group, element, line.is_fixed)
                    rows[key] = (line.name.encode(), line.vr.encode())

    def _add(self, tag_text: str, entry: list[object]) -> None:
        """One entry of the option Dictionary: [VR, name, minimum VM, maximum VM, private
        creator]."""
        match = _TAG.match(tag_text) or _LOOSE_TAG.match(tag_text)
        if match is None:
            raise ParameterOutOfRange(f"Dictionary: {tag_text!r} is not a tag gggg,eeee")
        group, element = int(match[1], 16), int(match[2], 16)
        if len(entry) > _MAX_FIELDS:
            raise ParameterOutOfRange(f"Dictionary: {tag_text}: more than {_MAX_FIELDS} fields")
        vr, name, low, high, creator = (list(entry) + [None] * _MAX_FIELDS)[:_MAX_FIELDS]
        minimum = low if isinstance(low, int) else 0
        maximum = high if isinstance(high, int) else 0
        if not isinstance(vr, str) or not isinstance(name, str) or vr not in VRS:
            raise ParameterOutOfRange(f"Dictionary: {tag_text}: unknown VR {vr!r} or bad name")
        if minimum < 1 or (maximum and maximum < minimum):
            raise ParameterOutOfRange(f"Dictionary: {tag_text}: the multiplicities do not fit")
        if isinstance(creator, str) and creator:
            if group % 2 == 0 or group in (1, 3, 5, 7, 0xFFFF):
                raise ParameterOutOfRange(f"Dictionary: {tag_text}: the group is not private")
            self._add_private(group, element, creator, name, vr)
            return
        tag = group << 16 | element
        if tag in self.standard:
            raise OrthancError(
                f"Cannot register twice the tag {tag_text}", code=ALREADY_EXISTING_TAG
            )
        self._put(tag, name, vr)

    def _add_private(self, group: int, element: int, creator: str, name: str, vr: str) -> None:
        rows = self.private.setdefault(creator.encode(), {})
        # Below 0x100 the element stands for every block, above for the one block it names.
        key = _private_key(group, element, is_fixed=element >= 0x100)
        if key in rows:
            raise OrthancError(
                f"Cannot register twice the tag {group:04x},{element:04x} of {creator}",
                code=ALREADY_EXISTING_TAG,
            )
        rows[key] = (name.encode(), vr.encode())

    def parse(self, text: str) -> int:
        """The tag that a text names: `gggg,eeee`, `gggg-eeee`, `ggggeeee`, loose hex, or a name.

        Raises UnknownDicomTag.
        """
        match = _TAG.match(text)
        if match is not None:
            return int(match[1] + match[2], 16)
        found = self._tags.get(text)
        if found is not None:
            return found
        match = _LOOSE_TAG.match(text)
        if match is not None:
            return int(match[1], 16) << 16 | int(match[2], 16)
        raise UnknownDicomTag(text)

    def name(self, tag: int) -> str:
        """The name of a tag without private creator."""
        return self.names.get(tag) or generic_name(tag)

    def entry(self, tag: int, creator: bytes | None = None) -> tuple[bytes, bytes] | None:
        """(name, VR) of a tag; of a private one with a creator what belongs to that creator."""
        if creator is None:
            return self.standard.get(tag)
        rows = self.private.get(creator, {})
        return rows.get(1 << 32 | tag) or rows.get(tag >> 16 << 8 | tag & 0xFF)

    def vr(self, tag: int, creator: bytes | None = None) -> str:
        """The VR of a tag, the first one where there are several; UN for unknown tags. A tag that
        is registered without a creator lends it to those of any creator."""
        entry = self.entry(tag, creator) or self.standard.get(tag)
        if entry:
            return entry[1].decode().split(" ")[0]
        if is_private_creator(tag):
            return "LO"
        return "UL" if tag & 0xFFFF == 0 else "UN"


def multiplicity(tag: int) -> tuple[int, int]:
    """How many values an attribute of the standard has at least and at most, 0 for any number; 1
    and 0 for other tags."""
    entry = _facts().standard.get(tag)
    low, _, high = ("1-n" if entry is None else entry.multiplicity).partition("-")
    most = (high or low) if (high or low).isdigit() else "0"
    return int(low) if low.isdigit() else 1, int(most)


def _private_key(group: int, element: int, is_fixed: bool) -> int:
    """What stands for a private element among those of its creator."""
    return 1 << 32 | group << 16 | element if is_fixed else group << 8 | element & 0xFF


def is_private_creator(tag: int) -> bool:
    """Whether a tag reserves a block of private elements."""
    return tag >> 16 & 1 == 1 and 0x10 <= tag & 0xFFFF <= 0xFF


def creator_tag(tag: int) -> int | None:
    """The private creator that a private element belongs to, None for any other tag."""
    if tag >> 16 & 1 == 0 or tag & 0xFFFF < 0x1000:
        return None
    return tag & 0xFFFF0000 | (tag & 0xFFFF) >> 8


def generic_name(tag: int) -> str:
    """The name of a tag that no dictionary has."""
    group, element = tag >> 16, tag & 0xFFFF
    if group & 1:
        if group < 9:
            if element == 0:
                return "IllegalGroupLength"
            if 0x10 <= element <= 0xFF:
                return "IllegalPrivateCreator"
        elif element == 0:
            return "PrivateGroupLength"
        elif 0x10 <= element <= 0xFF:
            return "PrivateCreator"
    elif element == 0:
        return "GenericGroupLength"
    return UNKNOWN_NAME


def tag_text(tag: int) -> str:
    """`gggg,eeee` in lower case."""
    return f"{tag >> 16:04x},{tag & 0xFFFF:04x}"


def _expand(pattern: str) -> list[int]:
    """The tags of a repeating group: 50xx, 60xx with even groups; 0020,31xx and the like."""
    at = pattern.index("x")
    count = pattern.count("x")
    step = 2 if at < 4 else 1
    if count > 2:
        return []
    return [
        int(pattern[:at] + f"{number:0{count}x}" + pattern[at + count :], 16)
        for number in range(0, 16**count, step)
    ]
