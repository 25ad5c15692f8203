"""Labels: added, removed, listed."""

import pytest
from support.small_store import SmallStore

from orthanc_fast.errors import ParameterOutOfRange, UnknownResource
from orthanc_fast.model import Caller, Level
from orthanc_fast.services.browse.labels import Labels


@pytest.fixture
def labels(small_store: SmallStore) -> Labels:
    return Labels(small_store.reads, small_store.writes)


def test_labels_of_a_resource(small_store: SmallStore, labels: Labels, caller: Caller) -> None:
    _, study, *_ = small_store.add(1, 1, 1, 1)
    for label in ("seen", "again", "again"):
        small_store.run(labels.add(caller, Level.STUDY, study, label))
    assert labels.of(caller, Level.STUDY, study) == ["again", "seen"]
    assert labels.in_use(caller) == ["again", "seen"]
    for _ in range(2):  # what is not there can be removed
        small_store.run(labels.remove(caller, Level.STUDY, study, "again"))
    assert labels.of(caller, Level.STUDY, study) == ["seen"]
    assert labels.in_use(caller) == ["seen"]


def test_the_level_counts(small_store: SmallStore, labels: Labels, caller: Caller) -> None:
    _, study, *_ = small_store.add(1, 1, 1, 1)
    with pytest.raises(UnknownResource):
        small_store.run(labels.add(caller, Level.SERIES, study, "x"))
    with pytest.raises(UnknownResource):
        labels.of(caller, Level.SERIES, study)


@pytest.mark.parametrize("text", ["", "a b", "é", "a" * 65, "a/b", "a\n"])
def test_what_is_no_label(
    text: str, small_store: SmallStore, labels: Labels, caller: Caller
) -> None:
    _, study, *_ = small_store.add(1, 1, 1, 1)
    with pytest.raises(ParameterOutOfRange):
        small_store.run(labels.add(caller, Level.STUDY, study, text))
    assert labels.in_use(caller) == []
