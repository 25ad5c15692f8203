"""The walk that edits data sets: order, lengths, paths, damage. What anonymizations need of it is
in tests/services/modification."""

import random
import struct
from collections.abc import Sequence

import pytest
from support import encoded, generated
from support.encoded import BIG, EXPLICIT, IMPLICIT, SEQUENCE_END, UNDEFINED, element, item
from support.files import file_named
from support.mutations import mutated

from orthanc_fast._ext.edit import EditError, Rules, edit
from orthanc_fast._ext.scan import ScanError
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.edits import Action, PathRule, Rule, Tables, edited
from orthanc_fast.dicom.part10 import open_dicom
from orthanc_fast.dicom.tag_paths import parse_path
from orthanc_fast.errors import BadFileFormat

DICTIONARY = Dictionary()
TABLES = Tables(DICTIONARY)
SYNTAXES = (EXPLICIT, IMPLICIT, BIG)
NAME, SEQUENCE = 0x00100010, 0x00081140


def run(data: bytes, syntax: str, rules: Rules, values: Sequence[bytes] = ()) -> bytes:
    head, rest = edit(
        data,
        0,
        len(data),
        syntax != IMPLICIT,
        syntax == BIG,
        rules,
        [(value, value) for value in values],
        lambda kind, old: b"<%d>" % kind + old,
    )
    return b"".join([*head, *rest])


def rules(root: dict[int, Rule], paths: Sequence[PathRule] = ()) -> Rules:
    return TABLES.rules(root, {}, paths=paths)


def path(text: str, action: Action, argument: int = 0) -> PathRule:
    return parse_path(text, DICTIONARY), action, argument


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_nothing_to_do(syntax: str) -> None:
    data = element(NAME, "PN", b"a", syntax) + element(0x7FE00010, "OW", bytes(100_000), syntax)
    assert run(data, syntax, rules({})) == data


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_what_is_added_only_where_it_is_absent(syntax: str) -> None:
    name, added = element(NAME, "PN", b"ab", syntax), element(0x00100020, "LO", b"cd", syntax)
    nested = element(SEQUENCE, "SQ", item(name, syntax), syntax)
    both = rules({NAME: (Action.ADD, 0), 0x00100020: (Action.ADD, 1)})
    other = element(NAME, "PN", b"zz", syntax)
    assert run(nested + name, syntax, both, [other, added]) == nested + name + added
    # One that comes out of order is not there twice.
    late = element(0x00200010, "SH", b"xy", syntax)
    assert run(late + name, syntax, both, [other, added]) == other + added + late


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_one_action_each(syntax: str) -> None:
    tags = (0x00080016, 0x00080018, 0x00080020, NAME, 0x00100020)
    data = b"".join(element(tag, "LO", b"v%d" % n, syntax) for n, tag in enumerate(tags))
    new = element(0x00080020, "LO", b"new!", syntax)
    first, last = (element(tag, "LO", b"in", syntax) for tag in (0x00080005, 0x00200010))
    found = run(
        data,
        syntax,
        rules(
            {
                0x00080005: (Action.REPLACE, 0),
                0x00080016: (Action.REMOVE, 0),
                0x00080018: (Action.CLEAR, 0),
                0x00080020: (Action.REPLACE, 1),
                NAME: (Action.MAP, 7),
                0x00200010: (Action.REPLACE, 2),
            }
        ),
        [first, new, last],
    )
    expected = [
        first,
        element(0x00080018, "LO", b"", syntax),
        new,
        element(NAME, "LO", b"<7>v3 ", syntax),
        element(0x00100020, "LO", b"v4", syntax),
        last,
    ]
    assert found == b"".join(expected)


def test_repeated_and_unordered_elements() -> None:
    """All that the file has of a tag is replaced by one."""
    new = element(NAME, "PN", b"new ")
    late = element(0x00200010, "SH", b"1 ")
    old = element(NAME, "PN", b"old ")
    replace = rules({NAME: (Action.REPLACE, 0)})
    assert run(old + old + late, EXPLICIT, replace, [new]) == new + late
    assert run(late + old, EXPLICIT, replace, [new]) == new + late


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_group_lengths_follow(syntax: str) -> None:
    order = ">" if syntax == BIG else "<"
    name = element(NAME, "PN", b"a ", syntax)
    length = element(0x00100000, "UL", struct.pack(f"{order}I", 999), syntax)
    pixels = element(0x7FE00010, "OW", bytes(40_000), syntax)
    pixel_length = element(0x7FE00000, "UL", struct.pack(f"{order}I", 1), syntax)
    longer = element(NAME, "PN", b"longer", syntax)
    found = run(
        length + name + pixel_length + pixels, syntax, rules({NAME: (Action.REPLACE, 0)}), [longer]
    )
    right = [
        element(0x00100000, "UL", struct.pack(f"{order}I", len(longer)), syntax),
        longer,
        element(0x7FE00000, "UL", struct.pack(f"{order}I", len(pixels)), syntax),
        pixels,
    ]
    assert found == b"".join(right)


def test_long_values_are_parts_of_the_source() -> None:
    data = element(NAME, "PN", b"a ") + element(0x7FE00010, "OW", bytes(1 << 20))
    replace = rules({NAME: (Action.REMOVE, 0)})
    head, rest = edit(data, 0, len(data), True, False, replace, [], lambda kind, old: old)
    assert head == []
    assert [type(part) for part in rest] == [memoryview]
    assert b"".join(rest) == data[10:]


def _sequence(*contents: bytes, known: bool = True) -> bytes:
    if known:
        return element(SEQUENCE, "SQ", b"".join(map(item, contents)))
    items = b"".join(map(item, contents)) + SEQUENCE_END
    return element(SEQUENCE, "SQ", items, length=UNDEFINED)


@pytest.mark.parametrize("known", [True, False])
def test_paths(known: bool) -> None:
    old, new = element(NAME, "PN", b"old "), element(NAME, "PN", b"x ")
    date = element(0x00080020, "DA", b"")
    data = _sequence(date + old, date, old, known=known)

    def after(*paths: PathRule) -> bytes:
        return run(data, EXPLICIT, rules({}, paths), [new])

    every = path("ReferencedImageSequence[*].PatientName", Action.REPLACE)
    assert after(every) == _sequence(date + new, date + new, new, known=known)
    second = path("ReferencedImageSequence[1].PatientName", Action.REPLACE)
    assert after(second) == _sequence(date + old, date + new, old, known=known)
    gone = path("ReferencedImageSequence[2].PatientName", Action.REMOVE)
    assert after(gone) == _sequence(date + old, date, b"", known=known)
    assert after(gone, every) == _sequence(date + new, date + new, b"", known=known)
    for nowhere in ("ReferencedImageSequence[3].PatientName", "StudyDate[0].PatientName"):
        assert after(path(nowhere, Action.REPLACE)) == data


def test_paths_one_after_the_other() -> None:
    """Where one leads through what another one sets, the order counts."""
    file = open_dicom(encoded.file_of((SEQUENCE, "SQ", item(b""))))
    inner = element(SEQUENCE, "SQ", item(b""))
    name = element(NAME, "PN", b"x ")
    paths = [
        path("ReferencedImageSequence[0].ReferencedImageSequence", Action.REPLACE, 0),
        path(
            "ReferencedImageSequence[0].ReferencedImageSequence[0].PatientName", Action.REPLACE, 1
        ),
    ]
    steps = [rules({}), *TABLES.path_rules(paths)]
    assert len(steps) == 3
    found = edited(file, steps, [(inner, inner), (name, name)], lambda kind, old: old)
    assert element(SEQUENCE, "SQ", item(element(SEQUENCE, "SQ", item(name)))) in b"".join(
        found.head
    )


def test_many_paths_are_few_walks() -> None:
    """One walk for all that do not touch one another."""
    removed = [path(f"ReferencedImageSequence[{n}].PatientName", Action.REMOVE) for n in range(999)]
    assert len(TABLES.path_rules(removed)) == 1
    every = path("ReferencedImageSequence[*].PatientName", Action.REMOVE)
    assert len(TABLES.path_rules([*removed, every, removed[0]])) == 3
    inside = path("ReferencedImageSequence[0].PatientName[0].PatientID", Action.REMOVE)
    assert len(TABLES.path_rules([removed[1], inside])) == 2
    assert len(TABLES.path_rules([inside, removed[1]])) == 2


def test_depth_is_bounded() -> None:
    """200 levels: in sequences that say so an error, and no path of any length leads there."""
    data, unknown = b"", b""
    for _ in range(200):
        data = element(SEQUENCE, "SQ", item(data))
        unknown = element(SEQUENCE, "UN", item(unknown, IMPLICIT), IMPLICIT)
    walking = TABLES.rules({}, {NAME: (Action.REMOVE, 0)})
    with pytest.raises(EditError, match="too many levels"):
        run(data, EXPLICIT, walking)
    hidden = element(SEQUENCE, "UN", item(unknown, IMPLICIT))
    with pytest.raises(EditError, match="too many levels"):
        run(hidden, EXPLICIT, walking)
    deep = ".".join(["ReferencedImageSequence[*]"] * 200) + ".PatientName"
    with pytest.raises(EditError, match="too many levels"):
        run(data, EXPLICIT, rules({}, [path(deep, Action.REMOVE)]))


def test_what_begins_as_a_sequence_and_is_none_goes() -> None:
    broken = element(0x00291001, "UN", item(b"1234567") + b"more")
    walking = TABLES.rules({}, {NAME: (Action.REMOVE, 0)})
    assert run(broken, EXPLICIT, walking) == b""
    assert run(broken, EXPLICIT, rules({})) == broken


@pytest.mark.parametrize("vr", ["OB", "OW", "LO", "UN", "UT"])
@pytest.mark.parametrize("value", [item(element(NAME, "PN", b"ab")), b"text", b"long text!"])
def test_what_stands_in_place_of_a_sequence_goes(vr: str, value: bytes) -> None:
    """Of a tag that the dictionary knows as one: items in UN are implicit VR."""
    walking = TABLES.rules({}, {NAME: (Action.REMOVE, 0)})
    broken = element(SEQUENCE, vr, value)
    assert run(broken, EXPLICIT, walking) == b""
    assert run(broken, EXPLICIT, rules({})) == broken
    private = element(0x00291001, "OB", value)
    assert run(private, EXPLICIT, walking) == private


NAMES = (
    "CT_small.dcm",
    "MR_small_implicit.dcm",
    "nested_priv_SQ.dcm",
    "UN_sequence.dcm",
    "rtplan.dcm",
)


def test_damaged_files() -> None:
    """An answer, or the error of a bad file."""
    chance = random.Random(3)
    every = {tag: (Action.MAP, 0) for tag in (0x00080018, 0x00081155, 0x0020000D)}
    steps = [
        TABLES.rules(every, every, [(0xFFFF0000, 0x00180000)], private_nested=True),
        *TABLES.path_rules([path("BeamSequence[*].BeamName", Action.REMOVE)]),
    ]
    answers = 0
    for name in NAMES:
        data = file_named(name).read_bytes()[:20_000]
        for _ in range(150):
            try:
                file = open_dicom(mutated(data, chance))
                edited(file, steps, [], lambda kind, old: old[::-1])
                answers += 1
            except (ScanError, BadFileFormat):
                continue
    assert answers


def test_tables_are_checked() -> None:
    step = struct.pack("=Iiii", SEQUENCE, 0, 0, 5)
    with pytest.raises(ValueError, match="no node"):
        Rules(b"", b"", b"", step, struct.pack("=ii", 0, 1), b"", False, False)
    with pytest.raises(ValueError, match="steps"):
        Rules(b"", b"", b"", b"", struct.pack("=ii", 0, 1), b"", False, False)
    with pytest.raises(ValueError, match="fewer values"):
        run(b"", EXPLICIT, rules({NAME: (Action.REPLACE, 3)}), [b""])


def test_what_remap_raises_comes_out() -> None:
    data = generated.small().number(1, 1, 1, 1)

    def remap(kind: int, old: bytes) -> bytes:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        edited(open_dicom(data), [rules({0x00080018: (Action.MAP, 0)})], [], remap)
