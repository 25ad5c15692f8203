"""Random queries over random resources: the planner against a naive scan of everything.

The naive side reads reference chapter 1, section 9, word by word and knows no index.
"""

import asyncio
import fnmatch
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given, settings

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.main_tags import MainTags
from orthanc_fast.errors import OrthancError
from orthanc_fast.index.contract import Index, Transaction
from orthanc_fast.index.lmdb.index import LmdbIndex
from orthanc_fast.model import SERVER, Attachment, Level, NewInstance
from orthanc_fast.services.attachments.reading import Contents
from orthanc_fast.services.browse.instance_tags import InstanceTags
from orthanc_fast.services.find import ordering
from orthanc_fast.services.find import planner as planner_module
from orthanc_fast.services.find.finder import Finder
from orthanc_fast.services.find.matching import text_matcher
from orthanc_fast.services.find.options import FindOptions
from orthanc_fast.services.find.query import Condition, FindQuery, OrderKey
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.terms import terms
from orthanc_fast.storage.files.area import StorageArea

NAME, PATIENT_ID, SEX = 0x00100010, 0x00100020, 0x00100040
DATE, TIME, STUDY_UID, INSTITUTION = 0x00080020, 0x00080030, 0x0020000D, 0x00080080
MODALITY, SERIES_UID, DESCRIPTION, SERIES_NUMBER = 0x00080060, 0x0020000E, 0x0008103E, 0x00200011
SOP_UID, INSTANCE_NUMBER = 0x00080018, 0x00200013
MODALITIES, SERIES_COUNT, STUDIES_COUNT = 0x00080061, 0x00201206, 0x00201200

TAGS = {
    Level.PATIENT: (NAME, PATIENT_ID, SEX),
    Level.STUDY: (DATE, TIME, STUDY_UID, INSTITUTION),
    Level.SERIES: (MODALITY, SERIES_UID, DESCRIPTION, SERIES_NUMBER),
    Level.INSTANCE: (SOP_UID, INSTANCE_NUMBER),
}
VR = {NAME: "PN", DATE: "DA", TIME: "TM", SERIES_NUMBER: "IS", INSTANCE_NUMBER: "IS"}
VR |= dict.fromkeys((PATIENT_ID, INSTITUTION, DESCRIPTION), "LO")
VR |= dict.fromkeys((SEX, MODALITY, MODALITIES), "CS")
VR |= dict.fromkeys((STUDY_UID, SERIES_UID, SOP_UID), "UI")
VR |= dict.fromkeys((SERIES_COUNT, STUDIES_COUNT), "IS")
IDENTIFIERS = {NAME, PATIENT_ID, DATE, STUDY_UID, SERIES_UID, SOP_UID}
WILD = {"PN", "LO", "CS"}

TEXTS = [
    "A",
    "a",
    "AB",
    "ab",
    "Ab^C",
    "A_B",
    "A B",
    " A",
    "É",
    "é",
    "Été",
    "été",
    "M\u00dcX^A",
    "MX^A",
    "A%",
    "A\\B",
    "",
    "B*",
    "ß",
    "STRASSE",
    "straße",
    "\u0131",
    "I",
    "zz\nz",
    "10",
    "9",
    "-3",
    "x7",
]
VALUES: dict[str, list[str]] = {
    "PN": TEXTS,
    "LO": TEXTS,
    "CS": ["CT", "MR", "ct", "CT\\MR", "", "O"],
    "DA": ["20200101", "20200115", "20210101", "", "2020", "bad", " 20200101"],
    "TM": ["101530.250", "10", "235959", ""],
    "IS": ["1", "01", "2", "10", "x", "", " 3"],
    "UI": ["1.1", "1.2", "1.2.3", "9"],
}
METADATA, LABELS = 1024, ["red", "Red", "blue"]


class Item(NamedTuple):
    """One resource of the model."""

    level: Level
    public: bytes
    tags: dict[int, str]
    metadata: dict[int, str]
    labels: tuple[str, ...]


class Model:
    """Resources by level with their relatives; everything else is computed by scanning."""

    def __init__(self) -> None:
        self.items: dict[Level, dict[bytes, Item]] = {level: {} for level in Level}
        self.parent: dict[bytes, bytes] = {}
        self.last_update = "20260101T000000"

    def chain(self, item: Item) -> dict[Level, Item]:
        found = {item.level: item}
        while item.level > Level.PATIENT:
            item = self.items[Level(item.level - 1)][self.parent[item.public]]
            found[item.level] = item
        return found

    def children(self, item: Item) -> list[Item]:
        if item.level == Level.INSTANCE:
            return []
        below = self.items[Level(item.level + 1)].values()
        return [child for child in below if self.parent[child.public] == item.public]


def build(seed: int, folder: Path) -> tuple[Model, Index]:
    rng = random.Random(seed)
    model, index = Model(), LmdbIndex(folder, terms, 1 << 26, sync=False)
    new: list[NewInstance] = []

    def make(level: Level, path: tuple[int, ...], parent: Item | None) -> Item:
        tags = {tag: rng.choice(VALUES[VR[tag]]) for tag in TAGS[level] if rng.random() < 0.85}
        public = rng.randbytes(20)
        labels = tuple(label for label in LABELS if rng.random() < 0.3)
        metadata = {METADATA: rng.choice(TEXTS)} if rng.random() < 0.5 else {}
        item = Item(level, public, tags, metadata, labels)
        model.items[level][public] = item
        if parent is not None:
            model.parent[public] = parent.public
        return item

    for p in range(rng.randint(1, 6)):
        patient = make(Level.PATIENT, (p,), None)
        for s in range(rng.randint(1, 3)):
            study = make(Level.STUDY, (p, s), patient)
            for r in range(rng.randint(1, 3)):
                series = make(Level.SERIES, (p, s, r), study)
                for i in range(rng.randint(1, 3)):
                    instance = make(Level.INSTANCE, (p, s, r, i), series)
                    chain = (patient, study, series, instance)
                    new.append(_new_instance(chain, len(new)))

    def fill(transaction: Transaction) -> None:
        for each in new:
            transaction.store_instance(each)
        for level, items in model.items.items():
            for item in items.values():
                resource = transaction.resource(level, item.public)
                assert resource is not None
                for label in item.labels:
                    transaction.add_label(resource, label)
                for number, value in item.metadata.items():
                    transaction.set_metadata(resource, number, value.encode())

    index.write(fill)
    return model, index


def _new_instance(chain: tuple[Item, Item, Item, Item], number: int) -> NewInstance:
    return NewInstance(
        publics=tuple(item.public for item in chain),  # type: ignore[arg-type]
        tags=tuple(dict(item.tags) for item in chain),  # type: ignore[arg-type]
        metadata=({}, {}, {}, {1: str(number % 4)}),
        signatures=("", "", "", ""),
        attachments={1: Attachment(f"{number}", 1, 1, False, b"")},
        image=b"",
        received=1_767_225_600,
    )


# The naive side


def normal(text: str) -> str:
    kept = "".join(c for c in text if 32 <= ord(c) < 127)
    return re.sub("[%_]", " ", kept).upper().strip()


def ascii_lower(text: str) -> str:
    return re.sub("[A-Z]", lambda match: match[0].lower(), text)


def upper(text: str) -> str:
    """Unicode upper case, one character for one, none becoming ASCII."""
    return "".join(
        c.upper() if len(c.upper()) == 1 and (c.isascii() or not c.upper().isascii()) else c
        for c in text
    )


def same(text: str) -> str:
    return text


def naive_match(text: str, vr: str, convert: Callable[[str], str], value: str, stage: str) -> bool:
    """One stage of 9.3 with the kinds of 9.2."""
    if vr in ("DA", "TM") and "-" in text:
        low, _, high = text.partition("-")
        low, high, value = convert(low), convert(high), convert(value)
        return (not low or value >= low) and (not high or value <= high)
    if "\\" in text:
        items = [convert(item) for item in text.split("\\")]
        tokens = value.split("\\") if stage == "B" else [value]
        return any(convert(token) in items for token in tokens)
    if vr in WILD and ("*" in text or "?" in text):
        pattern = re.sub(r"\[", "[[]", convert(text))
        return re.match(fnmatch.translate(pattern), convert(value), re.S) is not None
    return convert(value) == convert(text)


def naive_tag(model: Model, item: Item, tag: int, text: str, sensitive: bool) -> bool:
    if VR.get(tag) in ("DA", "TM") and text == "-":
        return True  # a range without bounds asks for nothing, not even for the tag
    chain = model.chain(item)
    upper_or_same = same if sensitive else upper
    if tag == MODALITIES:
        if item.level != Level.STUDY or "*" in text or "?" in text:
            return False
        return any(
            naive_match(text, "CS", ascii_lower, child.tags[MODALITY], "A")
            and naive_match(text, "CS", upper_or_same, child.tags[MODALITY], "B")
            for child in model.children(item)
            if MODALITY in child.tags
        )
    if tag in (SERIES_COUNT, STUDIES_COUNT):
        if item.level != (Level.STUDY if tag == SERIES_COUNT else Level.PATIENT):
            return False
        return naive_match(text, "IS", same, str(len(model.children(item))), "B")
    level = next(level for level in Level if tag in TAGS[level])
    if level > item.level or tag not in chain[level].tags:
        return False
    value = chain[level].tags[tag]
    first = normal if tag in IDENTIFIERS else same if sensitive else ascii_lower
    return naive_match(text, VR[tag], first, value, "A") and naive_match(
        text, VR[tag], upper_or_same, value, "B"
    )


def naive_metadata(item: Item, number: int, text: str, sensitive: bool) -> bool:
    value = item.metadata.get(number)
    return (
        value is not None
        and naive_match(text, "LO", same if sensitive else upper, value, "B")
        and naive_match(text, "LO", same if sensitive else ascii_lower, value, "A")
    )


def naive_labels(item: Item, wanted: list[str], constraint: str) -> bool:
    if constraint == "None":
        return not set(item.labels) & set(wanted) if wanted else not item.labels
    if constraint == "Any":
        return not wanted or bool(set(item.labels) & set(wanted))
    return set(wanted) <= set(item.labels)


def sort_value(model: Model, item: Item, key: OrderKey) -> Any:
    """None: without a value."""
    if key.source == "metadata":
        value = item.metadata.get(key.number)
    else:
        level = next(level for level in Level if key.number in TAGS[level])
        value = model.chain(item)[level].tags.get(key.number)
    if value is None:
        return None
    if key.conversion != "text":
        match = re.match(r"\s*[+-]?[0-9]+", value)
        return int(match[0]) if match else 0
    if key.source == "tag" and key.number in IDENTIFIERS:
        return normal(value)
    return value.encode()


def naive_order(model: Model, items: list[Item], order: list[OrderKey]) -> list[Item]:
    """By identifier; with an order equal ones as they were created, which is their order here."""
    if not order:
        return sorted(items, key=lambda item: item.public)
    for key in reversed(order):
        pairs = [(sort_value(model, item, key), item) for item in items]
        valued = [pair for pair in pairs if pair[0] is not None]
        valued.sort(key=lambda pair: pair[0], reverse=key.descending)
        items = [item for _, item in valued] + [item for value, item in pairs if value is None]
    return items


# Queries


class Asked(NamedTuple):
    level: Level
    tags: dict[int, str]
    sensitive: bool
    labels: list[str]
    constraint: str
    metadata: dict[int, str]
    order: list[OrderKey]
    since: int
    limit: int
    parent: int | None


def texts(vr: str) -> st.SearchStrategy[str]:
    values = st.sampled_from(VALUES[vr])
    found = values | st.lists(values, min_size=2, max_size=3).map("\\".join)
    if vr in WILD:
        found |= st.sampled_from(
            ["*", "?", "A*", "*B", "*é*", "?*", "a?", "M?X^A", "*X*", "A *", "**", "C?", "A[b]*"]
        )
    if vr in ("DA", "TM"):
        found |= st.tuples(values, values).map("-".join)
    return found.filter(lambda text: bool(text))


@st.composite
def asked(draw: st.DrawFn) -> Asked:
    level = Level(draw(st.integers(0, 3)))
    above = [tag for at in Level if at <= level for tag in TAGS[at]]
    near = [tag for at in Level if at == level + 1 for tag in TAGS[at]]
    # Modality two levels below is an error, tested on its own.
    choice = st.sampled_from([*above, *above, *near, MODALITIES, SERIES_COUNT, STUDIES_COUNT])
    chosen = draw(st.lists(choice, max_size=3, unique=True))
    orderable = st.one_of(
        st.sampled_from(above).map(lambda tag: ("tag", tag)), st.just(("metadata", METADATA))
    )
    order = draw(
        st.lists(
            st.tuples(orderable, st.sampled_from(["text", "integer"]), st.booleans()), max_size=2
        )
    )
    return Asked(
        level=level,
        tags={tag: draw(texts(VR[tag])) for tag in chosen},
        sensitive=draw(st.booleans()),
        labels=draw(st.lists(st.sampled_from(LABELS), max_size=2)),
        constraint=draw(st.sampled_from(["All", "All", "Any", "None"])),
        metadata=draw(st.dictionaries(st.just(METADATA), texts("LO"), max_size=1)),
        order=[
            OrderKey(source, number, how, down)  # type: ignore[arg-type]
            for (source, number), how, down in order
        ],
        since=draw(st.integers(0, 3)),
        limit=draw(st.integers(0, 4)),
        parent=draw(st.none() | st.integers(0, 50)),
    )


def naive(model: Model, it: Asked, parent: Item | None) -> list[bytes]:
    found = [
        item
        for item in model.items[it.level].values()
        if all(naive_tag(model, item, tag, text, it.sensitive) for tag, text in it.tags.items())
        and naive_labels(item, it.labels, it.constraint)
        and all(naive_metadata(item, n, text, it.sensitive) for n, text in it.metadata.items())
        and (parent is None or model.chain(item).get(parent.level) == parent)
    ]
    found = naive_order(model, found, it.order)
    return [item.public for item in found][it.since : it.since + it.limit if it.limit else None]


@pytest.fixture(scope="module")
def dictionary() -> Dictionary:
    return Dictionary()


# Costs that make the planner test records, and that make it build sets.
EXTREMES = ((1e-9, 1.0, 1.0), (1.0, 1e-9, 1e-9), (1e-7, 4e-6, 3e-6))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1 << 30), queries=st.lists(asked(), min_size=20, max_size=20))
def test_as_a_naive_scan(
    seed: int,
    queries: list[Asked],
    dictionary: Dictionary,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("planner")
    model, index = build(seed, folder / "index")
    finder = make_finder(index, folder, dictionary)
    try:
        for number, it in enumerate(queries):
            check(model, finder, it, number)
    finally:
        index.close()


def make_finder(index: Index, folder: Path, dictionary: Dictionary) -> Finder:
    files = Contents(StorageArea(folder / "storage", "test", sync=False))
    reads = Reads(index)
    tags = InstanceTags(reads, files, dictionary, lambda: "Latin1")
    return Finder(reads, tags, dictionary, MainTags(dictionary), FindOptions())


def check(model: Model, finder: Finder, it: Asked, number: int) -> None:
    conditions = [finder.tags.condition(tag, text, it.sensitive) for tag, text in it.tags.items()]
    above: Item | None = None
    if it.parent is not None:
        level = Level(it.parent % (it.level + 1))
        items = sorted(model.items[level])
        above = model.items[level][items[it.parent % len(items)]]
    query = FindQuery(
        level=it.level,
        conditions=[condition for condition in conditions if condition is not None],
        labels=it.labels,
        metadata=[
            Condition(n, matcher)
            for n, text in it.metadata.items()
            if (matcher := text_matcher(text, it.sensitive)) is not None
        ],
        parent=None if above is None else (above.level, above.public),
        order=it.order,
        since=it.since,
        limit=it.limit,
    )
    query.labels_constraint = it.constraint  # type: ignore[assignment]
    expected = naive(model, it, above)
    costs = EXTREMES[number % len(EXTREMES)]
    loaded = (0, 500)[number % 2]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in zip(("_PER_MEMBER", "_PER_TEST", "_PER_KEY"), costs, strict=True):
            patch.setattr(planner_module, name, value)
        patch.setattr(ordering, "_LOADED", loaded)
        found = finder.find(SERVER, query)
    packed = found.packed
    assert [packed[at : at + 20] for at in range(0, len(packed), 20)] == expected
    if found.total is not None:
        everything = msgspec.structs.replace(query, since=0, limit=0)
        assert found.total == len(finder.find(SERVER, everything).packed) // 20
    at_once = asyncio.run(finder.found(SERVER, query))
    assert at_once.packed == found.packed


def test_far_below(dictionary: Dictionary, tmp_path: Path) -> None:
    """To be searched for it is an error; nothing is ordered by it."""
    model, index = build(1, tmp_path / "index")
    finder = make_finder(index, tmp_path, dictionary)
    condition = finder.tags.condition(MODALITY, "CT", False)
    assert condition is not None
    with pytest.raises(OrthancError) as error:
        finder.find(SERVER, FindQuery(level=Level.PATIENT, conditions=[condition]))
    assert error.value.code == 1012
    order = [OrderKey("tag", MODALITY)]
    found = finder.find(SERVER, FindQuery(level=Level.STUDY, order=order))
    assert found.packed == b"".join(model.items[Level.STUDY])
    index.close()
