"""Answers that are remembered are those that would be made anew."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.dicom_peer import EXPLICIT, IMPLICIT
from support.find_scu import Element, encoded
from support.worklists import (
    MODALITY,
    PATIENT_ID,
    PATIENT_NAME,
    START,
    STATION,
    STEPS,
    file,
    step,
    worklist,
)

from orthanc_fast.config_plugins import worklists
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.errors import BadFileFormat
from orthanc_fast.model import Caller
from orthanc_fast.services.query_retrieve.limits import LimitReached
from orthanc_fast.services.query_retrieve.options import QueryOptions
from orthanc_fast.services.worklists import finds as finds_module
from orthanc_fast.services.worklists.entries import Entries, Worklist, read_worklist
from orthanc_fast.services.worklists.finds import Asked, Hooks, WorklistFinds
from orthanc_fast.services.worklists.query import Keys

DICTIONARY = Dictionary({}, False)
CALLER = Caller(origin="DicomProtocol", aet="CT01")


class EntriesShelf(Entries):
    """Worklists in memory, as a shelf."""

    def all(self) -> list[Worklist]:
        return [each for _, each in self.named()]

    def get(self, identifier: str) -> Any:
        raise NotImplementedError

    delete = close = get

    def add(self, name: str, number: int, modality: str) -> None:
        steps = [step(number, modality), step(number + 1, "US", "US01")]
        data = file(worklist(number, steps=steps[: 1 + number % 2]))
        Entries.put(self, name, read_worklist(name, data, DICTIONARY, "Latin1"))


def make(shelf: EntriesShelf, hooks: Hooks | None = None, **options: Any) -> WorklistFinds:
    return WorklistFinds(
        shelf,  # type: ignore[arg-type]  # it takes worklists, not files
        worklists({"Enable": True, "Directory": "x", **options}, Path()) or pytest.fail(),
        DICTIONARY,
        lambda: "Latin1",
        QueryOptions("HERE"),
        hooks or Hooks(),
    )


def ask(finds: WorklistFinds, elements: Sequence[Element], syntax: str = EXPLICIT) -> list[bytes]:
    identifier = encoded(sorted(elements, key=lambda each: each[0]), syntax)
    return [each for page in finds.answers(CALLER, identifier, syntax) for each in page]


CHANGES = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 20), st.sampled_from(["CT", "MR", ""])), max_size=4
)
TOP = st.sampled_from(["", "P1", "P*", "P3\\P5"])
INNER = st.sampled_from([None, ("", ""), ("CT", ""), ("", "CT01"), ("US", "CT01"), ("M*", "US*")])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(CHANGES, TOP, INNER, st.booleans()), min_size=1, max_size=8))
def test_remembered_answers(
    rounds: list[tuple[list[tuple[int, int, str]], str, tuple[str, str] | None, bool]],
) -> None:
    shelf = EntriesShelf()
    lasting = make(shelf)
    for changes, top, inner, is_implicit in rounds:
        for name, number, modality in changes:
            if modality:
                shelf.add(str(name), number, modality)
            else:
                shelf.remove(str(name))
        elements: list[Element] = [(PATIENT_ID, "LO", top), (PATIENT_NAME, "PN", "")]
        if inner is not None:
            keys: list[Element] = [(MODALITY, "CS", inner[0]), (STATION, "AE", inner[1])]
            elements.append((STEPS, "SQ", [keys]))
        syntax = IMPLICIT if is_implicit else EXPLICIT
        assert ask(lasting, elements, syntax) == ask(make(shelf), elements, syntax)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finds_module, "_MOST_REMEMBERED", 25)
    shelf = EntriesShelf()
    for number in range(10):
        shelf.add(str(number), number, "CT")
    finds = make(shelf)
    for day in range(1, 20):
        keys: list[Element] = [(START, "DA", f"202601{day:02d}-")]
        ask(finds, [(PATIENT_ID, "LO", ""), (STEPS, "SQ", [keys])])
        kept = finds._remembered._by_form
        assert sum(map(len, kept.values())) <= 25 + 10
    assert len(kept) > 1


@pytest.mark.parametrize(("limit", "answers"), [(0, 10), (3, 4), (9, 10), (10, 10), (200, 10)])
def test_limits(limit: int, answers: int) -> None:
    shelf = EntriesShelf()
    for number in range(10):
        shelf.add(str(number), number, "CT")
    found = make(shelf, LimitAnswers=limit).answers(
        CALLER, encoded([(PATIENT_ID, "LO", "")]), EXPLICIT
    )
    pages: list[bytes] = []
    is_limited = False
    try:
        for page in found:
            pages += page
    except LimitReached:
        is_limited = True
    assert len(pages) == answers
    assert is_limited is (0 < limit < 10)


def test_scripts_take_part() -> None:
    shelf = EntriesShelf()
    for number in range(4):
        shelf.add(str(number), number, "CT")
    hooks = Hooks()
    finds = make(shelf, hooks)
    everybody: list[Element] = [(PATIENT_ID, "LO", "")]
    assert len(ask(finds, everybody)) == 4

    def narrowed(asked: Asked) -> Keys:
        assert asked.caller == CALLER
        return {**asked.keys, PATIENT_ID: "P3"}

    hooks.filters.append(narrowed)
    assert len(ask(finds, everybody)) == 1
    hooks.providers.append(lambda asked: None)
    assert len(ask(finds, everybody)) == 1
    others = [shelf.named()[number][1] for number in (1, 3)]
    random.shuffle(others)
    hooks.providers.append(lambda asked: others)
    assert len(ask(finds, everybody)) == 1  # the other one does not match
    hooks.filters.clear()
    assert len(ask(finds, everybody)) == 2


GOOD = file(worklist(1, steps=[step(1), step(2)]))
EDITS = st.lists(
    st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 4), st.binary(max_size=4)), max_size=6
)


@settings(max_examples=500, deadline=None)
@given(EDITS)
def test_damaged_worklists(edits: list[tuple[int, int, bytes]]) -> None:
    """What can be read at all can be searched and answered."""
    data = GOOD
    for at, removed, added in edits:
        data = data[:at] + added + data[at + removed :]
    shelf = EntriesShelf()
    try:
        shelf.put("x", read_worklist("x", data, DICTIONARY, "Latin1"))
    except BadFileFormat:
        return
    assert isinstance(shelf.named()[0][1].study_uid, str)
    keys: list[Element] = [(MODALITY, "CS", "*"), (START, "DA", "-")]
    for top in ("", "P*"):
        ask(make(shelf), [(PATIENT_ID, "LO", top), (PATIENT_NAME, "PN", ""), (STEPS, "SQ", [keys])])
    shelf.remove("x")
    assert len(shelf) == 0
