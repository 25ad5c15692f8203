"""The reports on storage commitments in the runtime state: which are kept, and that processes do
not lose each other's."""

import threading

import pytest
from support.small_store import USER

from orthanc_fast.config import Settings
from orthanc_fast.errors import InexistentItem, ParameterOutOfRange
from orthanc_fast.runtime.memory import MemoryRuntime
from orthanc_fast.services.storage_commitment.reports import Failure, Reference, Reports

KEPT = [Reference("1.2", "1.3")]
LOST = [Failure("1.2", "1.4", 0x0112)]


def reports(size: int, runtime: MemoryRuntime | None = None) -> Reports:
    settings = Settings(raw={"StorageCommitmentReportsSize": size})
    return Reports(settings, runtime or MemoryRuntime())


def there(found: Reports, uid: str) -> bool:
    try:
        found.get(USER, uid)
    except InexistentItem:
        return False
    return True


def test_the_life_of_a_transaction() -> None:
    found = reports(10)
    found.begin(USER, "1.1", "PEER", [*KEPT, Reference("1.2", "1.4")])
    assert found.get(USER, "1.1").status == "Pending"
    assert not found.complete(USER, "1.1", "OTHER", KEPT, [])
    assert found.get(USER, "1.1").status == "Pending"
    assert found.complete(USER, "1.1", "peer ", [*KEPT, Reference("1.2", "1.5")], LOST)
    report = found.get(USER, "1.1")
    assert (report.status, report.remote_aet) == ("Failure", "peer ")
    assert (report.success[:1], report.kept, report.failures) == (KEPT, KEPT, LOST)
    assert not found.complete(USER, "1.1", "PEER", KEPT, [])
    assert found.get(USER, "1.1") == report


def test_titles_compared_strictly() -> None:
    raw = {"StorageCommitmentReportsSize": 10, "StrictAetComparison": True}
    found = Reports(Settings(raw=raw), MemoryRuntime())
    found.begin(USER, "1.1", "PEER", KEPT)
    assert not found.complete(USER, "1.1", "peer", KEPT, [])
    assert found.complete(USER, "1.1", "PEER", KEPT, [])


def test_a_transaction_that_is_none_of_ours() -> None:
    """The last report counts, and nothing in it was asked for."""
    found = reports(10)
    assert found.complete(USER, "1.1", "PEER", KEPT, LOST)
    assert found.complete(USER, "1.1", "OTHER", KEPT, [])
    report = found.get(USER, "1.1")
    assert (report.status, report.remote_aet, report.kept) == ("Success", "OTHER", [])


def test_any_number() -> None:
    found = reports(0)
    uids = [f"1.{number}" for number in range(300)]
    for uid in uids:
        found.begin(USER, uid, "PEER", KEPT)
    assert all(there(found, uid) for uid in uids)


def test_the_ones_used_last_are_kept_and_nothing_of_the_others() -> None:
    runtime = MemoryRuntime()
    found = reports(2, runtime)
    for uid in ("1.1", "1.2"):
        found.begin(USER, uid, "PEER", KEPT)
    assert there(found, "1.1")
    found.begin(USER, "1.3", "PEER", KEPT)
    assert [there(found, uid) for uid in ("1.1", "1.2", "1.3")] == [True, False, True]
    for number in range(100):
        found.complete(USER, f"2.{number % 7}", "PEER", KEPT, [])
    names = runtime.read(lambda view: [name for name, _ in view.below("commitment/")])
    assert len(names) == 2 * 2 + 1  # a report and its place each, and the numbers


@pytest.mark.parametrize("uid", ["", "1" * 65, "ä", "x" * 10_000])
def test_what_is_no_uid(uid: str) -> None:
    found = reports(10)
    with pytest.raises(ParameterOutOfRange):
        found.begin(USER, uid, "PEER", KEPT)
    with pytest.raises(InexistentItem, match="No storage commitment transaction with UID"):
        found.get(USER, uid)


def test_from_many_sides() -> None:
    runtime = MemoryRuntime()

    def work(first: int) -> None:
        found = reports(50, runtime)
        for number in range(100):
            found.complete(USER, f"{first}.{number}", "PEER", KEPT, [])

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    names = runtime.read(lambda view: [name for name, _ in view.below("commitment/report/")])
    assert len(names) == 50
