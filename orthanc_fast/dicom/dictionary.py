"""Names and VRs of tags: the standard, the private dictionary, and what the configuration adds.

Names are those that Orthanc shows: the DICOM keyword, `RETIRED_` before retired ones. Source:
reference chapter 2, sections 1.7 and 1.8. The facts lie in `dictionary.msgpack`, written by
`scripts/make_dictionary.py`.
"""

import itertools
import re
import threading
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


class Definition(msgspec.Struct, frozen=True, array_like=True):
    """A tag that is made known, with how many values it has at least and at most, 0 for any number;
    a private one mostly with its creator."""

    group: int
    element: int
    vr: str
    name: str
    low: int = 1
    high: int = 0
    creator: str = ""

    @property
    def tag(self) -> int:
        return self.group << 16 | self.element


class Dictionary:
    """What a process knows about tags. Build it once; only `register` and `learn` change it, by
    which `version` grows and new tables take the place of those below.

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
        self.version = 0
        self._tags: dict[str, int] = {}
        self._multiplicities: dict[int, tuple[int, int]] = {}  # of what is not of the standard
        self._learned: dict[tuple[int, str], Definition] = {}
        self._turn = threading.Lock()
        external = list(external)
        if external:
            for text in external:
                self._load_file(text)
        else:
            self._load_facts(load_private)
        self.names: dict[int, str] = {tag: row[0].decode() for tag, row in self.standard.items()}
        for text, entry in (extra or {}).items():
            self._add(text, entry)

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
        owner = creator if isinstance(creator, str) else ""
        definition = Definition(group, element, vr, name, minimum, maximum, owner)
        _check(definition)
        if self._has(definition):
            raise _registered_twice(definition)
        self._define(definition)
        if not owner:
            self._tags[name] = definition.tag

    def register(self, definition: Definition) -> None:
        """Makes a tag known, as one that `learn` was told of before or not at all. A name that
        means a tag already goes on doing so.

        Raises ParameterOutOfRange or OrthancError 2042 for what cannot be taken.
        """
        _check(definition)
        with self._turn:
            if self._learned.pop((definition.tag, definition.creator), None) is None and (
                self._has(definition)
            ):
                raise _registered_twice(definition)
            self._define(definition)

    def learn(self, definitions: Iterable[Definition]) -> None:
        """Makes known what another process of this server has registered."""
        with self._turn:
            for definition in definitions:
                key = definition.tag, definition.creator
                known = self._learned.get(key)
                if known != definition and (known is not None or not self._has(definition)):
                    self._learned[key] = definition
                    self._define(definition)

    def _has(self, definition: Definition) -> bool:
        if not definition.creator:
            return definition.tag in self.standard
        return _key(definition) in self.private.get(definition.creator.encode(), {})

    def _define(self, definition: Definition) -> None:
        """Others may be reading the tables, so they get new ones."""
        row = definition.name.encode(), definition.vr.encode()
        if definition.creator:
            creator = definition.creator.encode()
            rows = {**self.private.get(creator, {}), _key(definition): row}
            self.private = {**self.private, creator: rows}
        else:
            tag = definition.tag
            self.standard = {**self.standard, tag: row}
            self.names = {**self.names, tag: definition.name}
            self._tags.setdefault(definition.name, tag)
            self._multiplicities[tag] = definition.low, definition.high
        self.version += 1

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

    def multiplicity(self, tag: int) -> tuple[int, int]:
        """How many values a tag has at least and at most, 0 for any number; 1 and 0 for those that
        nobody knows."""
        own = self._multiplicities.get(tag)
        if own is not None:
            return own
        entry = _facts().standard.get(tag)
        low, _, high = ("1-n" if entry is None else entry.multiplicity).partition("-")
        most = (high or low) if (high or low).isdigit() else "0"
        return int(low) if low.isdigit() else 1, int(most)


def _check(definition: Definition) -> None:
    """Raises ParameterOutOfRange."""
    group, low, high = definition.group, definition.low, definition.high
    text = f"Dictionary: {group:04x},{definition.element:04x}"
    if low < 1 or (high and high < low):
        raise ParameterOutOfRange(f"{text}: the multiplicities do not fit")
    if definition.creator and (group % 2 == 0 or group in (1, 3, 5, 7, 0xFFFF)):
        raise ParameterOutOfRange(f"{text}: the group is not private")


def _registered_twice(definition: Definition) -> OrthancError:
    text = f"{definition.group:04x},{definition.element:04x}"
    owner = f" of {definition.creator}" if definition.creator else ""
    return OrthancError(f"Cannot register twice the tag {text}{owner}", code=ALREADY_EXISTING_TAG)


def _key(definition: Definition) -> int:
    """Below 0x100 the element stands for every block, above for the one block it names."""
    element = definition.element
    return _private_key(definition.group, element, is_fixed=element >= 0x100)


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
