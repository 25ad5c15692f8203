"""Whatever a data set looks like: of the elements on which the profile acts no value is left in the
anonymized file, and all others keep theirs."""

import itertools
import struct
from collections.abc import Iterator
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from support import encoded
from support.encoded import BIG, EXPLICIT, IMPLICIT, UNDEFINED

from orthanc_fast._ext.scan import elements, items
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.edits import Tables
from orthanc_fast.dicom.file_meta import meta_header
from orthanc_fast.dicom.part10 import open_dicom
from orthanc_fast.services.modification.apply import Modifier
from orthanc_fast.services.modification.identifiers import Identifiers
from orthanc_fast.services.modification.identifying import Collector
from orthanc_fast.services.modification.plan import Planner
from orthanc_fast.services.modification.request import read_anonymization
from orthanc_fast.services.modification.studies import Studies

DICTIONARY = Dictionary()
COLLECTOR = Collector(Tables(DICTIONARY), DICTIONARY)
PLANNER = Planner(Tables(DICTIONARY), "1.13.0")

# Tags with their VRs. The profile acts on the secret ones, each in another way.
SECRET = {
    **{0x00100010: "PN", 0x00100020: "LO", 0x00100030: "DA", 0x00104000: "LT"},
    **{0x0020000D: "UI", 0x00200052: "UI", 0x00081155: "UI", 0x00080080: "LO"},
    **{0x00291001: "LO", 0x00291002: "OB", 0x60003000: "OW", 0x60004000: "LT"},
}
PLAIN = {0x00080060: "CS", 0x00200011: "IS", 0x00180015: "CS", 0x00420010: "ST", 0x0040A160: "UT"}
OPEN_SEQUENCES = (0x00081115, 0x00081140, 0x00082112, 0x52009230)
SECRET_SEQUENCES = (0x00400275, 0x00291003)
LENGTHS = ("known", "undefined")


class Leaf(NamedTuple):
    tag: int
    as_unknown: bool


class Branch(NamedTuple):
    tag: int
    items: tuple["tuple[Leaf | Branch, ...]", ...]
    length: str
    item_length: str
    as_unknown: bool


Node = Leaf | Branch

leaves = st.builds(Leaf, st.sampled_from([*SECRET, *PLAIN]), st.booleans())
nodes = st.recursive(
    leaves,
    lambda below: st.builds(
        Branch,
        st.sampled_from([*OPEN_SEQUENCES, *SECRET_SEQUENCES]),
        st.lists(st.lists(below, max_size=4).map(tuple), max_size=3).map(tuple),
        st.sampled_from(LENGTHS),
        st.sampled_from(LENGTHS),
        st.booleans(),
    ),
    max_leaves=25,
)


class Writing:
    """Encodes nodes, and keeps what must vanish and what must stay."""

    def __init__(self) -> None:
        self.secrets: list[bytes] = []
        self.plain: list[bytes] = []
        self._numbers = itertools.count(1)

    def data_set(self, found: "tuple[Node, ...]", syntax: str, is_secret: bool) -> bytes:
        parts: dict[int, bytes] = {}
        for node in found:
            if node.tag in parts:
                continue
            if isinstance(node, Leaf):
                parts[node.tag] = self._leaf(node, syntax, is_secret)
            else:
                parts[node.tag] = self._branch(node, syntax, is_secret)
        return b"".join(part for _, part in sorted(parts.items()))

    def _leaf(self, leaf: Leaf, syntax: str, is_secret: bool) -> bytes:
        acts = leaf.tag in SECRET
        vr = (SECRET if acts else PLAIN)[leaf.tag]
        number = next(self._numbers)
        value = b"1.2.9.%09d" % number if vr == "UI" else b"~K%011d~ " % number
        value += b"\0" * (len(value) % 2)
        (self.secrets if acts or is_secret else self.plain).append(value[:15])
        return encoded.element(leaf.tag, "UN" if leaf.as_unknown else vr, value, syntax)

    def _branch(self, branch: Branch, syntax: str, is_secret: bool) -> bytes:
        is_secret |= branch.tag in SECRET_SEQUENCES
        inside = IMPLICIT if branch.as_unknown else syntax
        order = ">" if inside == BIG else "<"
        value = b""
        for each in branch.items:
            item = self.data_set(each, inside, is_secret)
            known = branch.item_length == "known"
            length = len(item) if known else UNDEFINED
            value += struct.pack(f"{order}HHI", 0xFFFE, 0xE000, length) + item
            if not known:
                value += struct.pack(f"{order}HHI", 0xFFFE, 0xE00D, 0)
        vr = "UN" if branch.as_unknown else "SQ"
        if branch.length == "known":
            return encoded.element(branch.tag, vr, value, syntax)
        value += struct.pack(f"{order}HHI", 0xFFFE, 0xE0DD, 0)
        return encoded.element(branch.tag, vr, value, syntax, length=UNDEFINED)


def walk(data: bytes, start: int, end: int, explicit: bool, big: bool) -> Iterator[int]:
    """The tags at all depths; raises ScanError where lengths are wrong."""
    before = -1
    for tag, vr, _, value, length, stop in elements(data, start, end, explicit, big):
        assert tag > before
        before = tag
        yield tag
        unknown = vr == 0x554E
        if vr == 0x5351 or length == -1 or data[value : value + 4] == b"\xfe\xff\x00\xe0":
            deep_explicit, deep_big = explicit and not unknown, big and not unknown
            for first, last in items(data, value, stop, deep_explicit, deep_big):
                yield from walk(data, first, last, deep_explicit, deep_big)


@settings(max_examples=150, deadline=None)
@given(st.lists(nodes, max_size=8).map(tuple), st.sampled_from([EXPLICIT, IMPLICIT, BIG]))
def test_nothing_survives(found: tuple[Node, ...], syntax: str) -> None:
    writing = Writing()
    data = meta_header(b"1.2", b"1.2.3", syntax) + writing.data_set(found, syntax, False)
    plan = PLANNER.plan(read_anonymization({}, DICTIONARY), None, "Anonymized1")
    studies = Studies(COLLECTOR, lambda: "Latin1")
    modifier = Modifier(plan, Identifiers(b"secret"), DICTIONARY, lambda: "Latin1", studies)
    result = modifier.modified(data).data
    for secret in writing.secrets:
        assert secret not in result
    for value in writing.plain:
        assert value in result
    file = open_dicom(result)
    tags = list(walk(result, file.start, len(result), file.explicit, file.big))
    assert not [tag for tag in tags if tag >> 16 & 1]
