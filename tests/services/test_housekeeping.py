"""What housekeeping does to files whose publication and deletion cross between two processes."""

from pathlib import Path

import pytest
from support.instances import new_instance, terms
from support.snapshots import reading

from orthanc_fast.index.contract import Transaction
from orthanc_fast.index.lmdb.index import LmdbIndex
from orthanc_fast.model import Attachment, Level
from orthanc_fast.services.retention import housekeeping as housekeeping_module
from orthanc_fast.services.retention.housekeeping import Housekeeping
from orthanc_fast.services.store.custom_data import PREFIX
from orthanc_fast.storage.files.area import StorageArea

UUID = "aabbccdd-0000-4000-8000-000000000000"


def test_a_file_that_is_published_after_its_deletion_is_found(tmp_path: Path) -> None:
    """One process has stored an instance, another has recycled it before the first could move the
    file to its place. What a script has put to it goes with it."""
    index = LmdbIndex(tmp_path / "index", terms, 1 << 24)
    storage = StorageArea(tmp_path / "storage", "one", sync=False)
    housekeeping = Housekeeping(index, storage, 60)
    housekeeping.stop()
    pending = storage.new_file(bytes(20), UUID, b"content")
    assert storage.put([pending]) == [None]
    new = new_instance("aaaa")
    new.attachments = {1: Attachment(UUID, 7, 7, False, bytes(16))}
    index.write(lambda transaction: transaction.store_instance(new))
    index.write(lambda transaction: transaction.delete(Level.PATIENT, new.publics[0], 1))

    index.write(lambda transaction: transaction.set_property(PREFIX + UUID, b"of a script"))
    housekeeping.sweep()
    storage.publish([pending])
    assert storage.size(UUID) == 7
    housekeeping.sweep()
    assert storage.size(UUID) is None
    with reading(index) as view:
        assert view.doomed() == []
        assert view.properties(PREFIX) == {}
    index.close()


def test_what_waited_for_long_becomes_stable_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it, in the order of one transaction."""
    monkeypatch.setattr(housekeeping_module, "STABLE_AT_ONCE", 3)
    index = LmdbIndex(tmp_path / "index", terms, 1 << 24)

    def fill(transaction: Transaction) -> None:
        for number, path in enumerate(("aaaa", "baaa", "bbaa", "caaa", "cabb", "ddaa")):
            transaction.store_instance(new_instance(path, now=1 + number % 2))
        transaction.clear_changes()

    index.write(fill)
    housekeeping = Housekeeping(index, StorageArea(tmp_path / "storage", "one", sync=False), 60)
    housekeeping.announce_stable(1000)
    housekeeping.stop()
    with reading(index) as view:
        assert view.first_unstable() is None
        page = view.changes(0, 100)
    kinds = [change.type for _, change in page.changes]
    # Series, studies and patients of the first second, then those of the next one.
    assert kinds == [14] * 3 + [13] * 3 + [12] * 3 + [14] * 3 + [13] * 2 + [12]
    index.close()
