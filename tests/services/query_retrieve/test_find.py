"""Queries of others: how much of their answers is in memory."""

import pytest
from support.dicom_peer import IMPLICIT
from support.find_scu import Element, encoded
from support.small_store import SmallStore

from orthanc_fast.model import Caller
from orthanc_fast.services.attachments.reading import Contents
from orthanc_fast.services.browse.instance_tags import InstanceTags
from orthanc_fast.services.find.finder import Finder
from orthanc_fast.services.find.options import FindOptions
from orthanc_fast.services.find.pages import Pages
from orthanc_fast.services.query_retrieve import find as find_module
from orthanc_fast.services.query_retrieve.find import Finds
from orthanc_fast.services.query_retrieve.options import QueryOptions

LEVEL, UID, STEPS = 0x00080052, 0x0020000D, 0x00400275
AMOUNT = 30


def finds(store: SmallStore) -> Finds:
    tags = InstanceTags(store.reads, Contents(store.storage), store.dictionary, lambda: "Latin1")
    finder = Finder(store.reads, tags, store.dictionary, store.main_tags, FindOptions())
    pages = Pages(store.reads, finder)
    return Finds(finder, pages, store.dictionary, lambda: "Latin1", QueryOptions("HERE"))


@pytest.mark.parametrize(
    ("asked", "most"),
    [
        ([], 20),
        ([(STEPS, "SQ", [])], 1),
        ([(0x0040A160, "UT", "")], 1),
        ([(0x00280010, "US", "")], 20),
    ],
    ids=["index", "sequence", "long text", "number"],
)
def test_values_of_any_size_are_read_one_by_one(
    small_store: SmallStore, caller: Caller, asked: list[Element], most: int
) -> None:
    """A sequence of a file may take megabytes: those of a whole page would fill the memory."""
    for number in range(AMOUNT):
        small_store.add(number, 1, 1, 1)
    identifier = encoded(sorted([(LEVEL, "CS", "STUDY"), (UID, "UI", ""), *asked]), IMPLICIT)
    sizes = [len(page) for page in finds(small_store).answers(caller, identifier, IMPLICIT)]
    assert sum(sizes) == AMOUNT
    assert max(sizes) == most


def test_whoever_asks_for_much_gets_few_answers_at_once(
    small_store: SmallStore, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find_module, "_VALUES", 12)
    for number in range(AMOUNT):
        small_store.add(number, 1, 1, 1)
    short: list[Element] = [(0x00080020, "DA", ""), (0x00080050, "SH", ""), (UID, "UI", "")]
    identifier = encoded([*short[:2], (LEVEL, "CS", "STUDY"), short[2]], IMPLICIT)
    sizes = [len(page) for page in finds(small_store).answers(caller, identifier, IMPLICIT)]
    assert sum(sizes) == AMOUNT
    assert max(sizes) == 4
