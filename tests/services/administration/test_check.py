"""Index and storage compared."""

import itertools
from collections.abc import Callable
from typing import Any, cast

import pytest
from support import generated
from support.small_store import USER, SmallStore

from orthanc_fast.index.contract import Index, Transaction
from orthanc_fast.model import Caller, Level
from orthanc_fast.registries import DICOM_ATTACHMENT
from orthanc_fast.services.administration.check import Report, compare
from orthanc_fast.services.ingest.contract import IngestRequest
from orthanc_fast.services.retention.deletion import Deletion
from orthanc_fast.storage.contract import Storage


def file_of(store: SmallStore, instance: bytes) -> str:
    found = store.resource(Level.INSTANCE, instance)
    assert found is not None
    return found.attachments[DICOM_ATTACHMENT].uuid


def kinds(report: Report) -> list[str]:
    return [finding.kind for finding in report.findings]


def change(storage: Storage, uuid: str, content: bytes) -> None:
    storage.delete([uuid])
    add(storage, uuid, content)


def add(storage: Storage, uuid: str, content: bytes) -> None:
    file = storage.new_file(bytes(20), uuid, content)
    assert storage.put([file]) == [None]
    storage.publish([file])


@pytest.mark.parametrize("repair", [False, True])
def test_nothing_is_found_where_all_is_well(small_store: SmallStore, repair: bool) -> None:
    assert compare(small_store.index, small_store.storage, repair) == Report(0, 0, [])
    for instance in range(3):
        small_store.add(1, 1, 1, instance)
    report = compare(small_store.index, small_store.storage, repair)
    assert report == Report(3, 3, [])
    assert report.clean and report.repaired


def test_a_lost_file_is_repaired_by_forgetting_its_instance(small_store: SmallStore) -> None:
    lost, kept = (small_store.add(1, 1, 1, number)[3] for number in range(2))
    small_store.storage.delete([file_of(small_store, lost)])
    report = compare(small_store.index, small_store.storage, False)
    assert kinds(report) == ["missing"]
    assert not report.repaired
    assert small_store.resource(Level.INSTANCE, lost) is not None
    report = compare(small_store.index, small_store.storage, True)
    assert (kinds(report), report.repaired) == (["missing"], True)
    assert small_store.resource(Level.INSTANCE, lost) is None
    assert small_store.resource(Level.INSTANCE, kept) is not None
    assert compare(small_store.index, small_store.storage, False) == Report(1, 1, [])


def test_damaged_and_unknown_files_are_found_and_left_alone(small_store: SmallStore) -> None:
    storage = small_store.storage
    shorter, damaged = (file_of(small_store, small_store.add(1, 1, 1, n)[3]) for n in range(2))
    change(storage, shorter, storage.read(shorter)[:-1])
    changed = bytearray(storage.read(damaged))
    changed[-1] ^= 1
    change(storage, damaged, bytes(changed))
    stray = "00110000-0000-4000-8000-000000000000"
    add(storage, stray, b"whose it is cannot be known")
    for repair in (True, False):
        report = compare(small_store.index, storage, repair)
        assert sorted(kinds(report)) == ["checksum", "size", "stray"]
        assert not report.repaired
    assert set(storage.listing()) == {shorter, damaged, stray}


def test_a_number_that_does_not_add_up(small_store: SmallStore) -> None:
    small_store.add(1, 1, 1, 1)

    def miscount(transaction: Transaction) -> None:
        transaction.totals.uncompressed_size += 1

    small_store.index.write(miscount)
    assert kinds(compare(small_store.index, small_store.storage, False)) == ["counter"]


class Disturbed:
    """Something of which each call of a method is followed by a disturbance."""

    def __init__(self, inner: object, method: str, disturb: Callable[[], None]) -> None:
        self._inner = inner
        self._method = method
        self._disturb = disturb
        self._is_disturbing = False

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return self._disturbed(found) if name == self._method else found

    def _disturbed(self, found: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any) -> Any:
            answer = found(*given)
            if not self._is_disturbing:
                self._is_disturbing = True  # which is done with the same index and storage
                self._disturb()
                self._is_disturbing = False
            return answer

        return call


@pytest.mark.parametrize("repair", [False, True])
@pytest.mark.parametrize(
    ("of_index", "method"), [(True, "read"), (False, "listing"), (False, "open")]
)
def test_what_changes_while_the_check_runs_is_no_fault(
    small_store: SmallStore, of_index: bool, method: str, repair: bool, caller: Caller
) -> None:
    """After each look at the store an instance goes and another one comes."""
    deletion = Deletion(small_store.writes)
    numbers = itertools.count(100)
    for instance in range(4):
        small_store.add(1, 1, 1, instance)
    disturbed = 0

    def disturb() -> None:
        nonlocal disturbed
        disturbed += 1
        instances = small_store.reads(caller, lambda view: view.listing(Level.INSTANCE))
        outcome = small_store.run(deletion.delete(caller, Level.INSTANCE, instances[0]))
        small_store.index.write(lambda transaction: transaction.forget_doomed(outcome.doomed))
        small_store.add(1, 1, 1, next(numbers))

    index, storage = small_store.index, small_store.storage
    if of_index:
        index = cast(Index, Disturbed(index, method, disturb))
    else:
        storage = cast(Storage, Disturbed(storage, method, disturb))
    assert compare(index, storage, repair).findings == []
    assert disturbed
    assert compare(small_store.index, small_store.storage, False) == Report(4, 4, [])


def test_a_file_that_was_replaced_before_the_repair_keeps_its_instance(
    small_store: SmallStore,
) -> None:
    """The check has seen that the old file is gone; meanwhile the instance came anew."""
    *_, instance = small_store.add(1, 1, 1, 1)
    lost = file_of(small_store, instance)
    small_store.storage.delete([lost])

    looks = itertools.count()

    def disturb() -> None:
        if next(looks) == 4:  # after the survey and one part of each level
            data = generated.small().number(1, 1, 1, 1)
            request = IngestRequest(caller=USER, data=data, overwrite="Always")
            small_store.run(small_store.ingest.store(request))

    index = cast(Index, Disturbed(small_store.index, "read", disturb))
    assert compare(index, small_store.storage, True).findings == []
    assert file_of(small_store, instance) != lost
    assert compare(small_store.index, small_store.storage, False) == Report(1, 1, [])
