"""What housekeeping does to files whose publication and deletion cross between two processes."""

from pathlib import Path

from support.instances import terms

from orthanc_fast.index.index import Index
from orthanc_fast.index.records import Outcome
from orthanc_fast.model import Attachment
from orthanc_fast.services.housekeeping import Housekeeping
from orthanc_fast.storage.area import StorageArea

UUID = "aabbccdd-0000-4000-8000-000000000000"


def test_a_file_that_is_published_after_its_deletion_is_found(tmp_path: Path) -> None:
    """One process has stored an instance, another has recycled it before the first could move the
    file to its place."""
    index = Index(tmp_path / "index", terms, 1 << 24)
    storage = StorageArea(tmp_path / "storage", "one", sync=False)
    housekeeping = Housekeeping(index, storage, 60)
    housekeeping.stop()
    pending = storage.new_file(bytes(20), UUID, b"content")
    assert storage.write([pending]) == [None]
    attachment = Attachment(UUID, 7, 7, False, bytes(16))
    index.write(lambda transaction: transaction.doom(attachment, Outcome()))

    housekeeping.sweep()
    storage.publish([pending])
    assert storage.size(UUID) == 7
    housekeeping.sweep()
    assert storage.size(UUID) is None
    with index.view() as view:
        assert view.doomed() == []
    index.close()
