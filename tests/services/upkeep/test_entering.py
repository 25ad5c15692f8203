"""Which of several files of one instance a new index takes, in whatever order they come."""

import itertools
import zlib
from collections.abc import Iterator
from pathlib import Path
from struct import pack

import pytest
from support import generated
from support.small_store import SmallStore

from orthanc_fast.model import Level
from orthanc_fast.registries import DICOM_ATTACHMENT, UNTIL_PIXEL_DATA_ATTACHMENT
from orthanc_fast.services.upkeep.entering import Entering, Finding
from orthanc_fast.services.upkeep.examining import Examined, Examiner
from orthanc_fast.storage.conformance import stored

OLD, NEW = 10**18, 2 * 10**18  # nanoseconds


@pytest.fixture(params=("memory", "lmdb"))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SmallStore]:
    store = SmallStore(tmp_path, request.param)
    yield store
    store.close()


def compressed(data: bytes) -> bytes:
    return pack("<Q", len(data)) + zlib.compress(data)


def slice_and_offset(description: str = "Axial 1 mm") -> tuple[bytes, int]:
    """A file, and where its pixel data begin."""
    dataset = generated.base()
    dataset.SeriesDescription = description
    generated.add_pixels(dataset, generated.anatomy(16))
    data = generated.encode(dataset).number(1, 1, 1, 1)
    return data, data.rindex(b"\xe0\x7f\x10\x00")


class Files:
    """Files in the storage of a small store, entered one after the other."""

    def __init__(self, store: SmallStore) -> None:
        self.store = store
        self.examiner = Examiner(store.settings, store.storage)

    def file(self, data: bytes, written: int) -> Examined:
        return self.examiner.examine(stored(self.store.storage, data), written)

    def enter(self, files: list[Examined]) -> tuple[dict[int, str], list[Finding], int]:
        """The attachments of the one instance, what was found, and how many heads there are; the
        index is empty again afterwards."""

        def enter(transaction) -> tuple[dict[int, str], list[Finding], int]:  # type: ignore[no-untyped-def]
            entering = Entering(self.store.storage, transaction)
            for file in files:
                entering.enter(file)
            assert entering.instances == 1
            assert files[0].new is not None
            public = files[0].new.publics[Level.INSTANCE]
            resource = transaction.resource(Level.INSTANCE, public)
            found = {kind: each.uuid for kind, each in resource.attachments.items()}
            assert transaction.totals.disk_size == resource.disk_size
            transaction.delete(Level.INSTANCE, public, 1)
            return found, entering.findings, entering.heads

        return self.store.index.write(enter)


@pytest.mark.parametrize("is_compressed", [False, True])
def test_a_file_and_its_head(store: SmallStore, is_compressed: bool) -> None:
    files = Files(store)
    data, offset = slice_and_offset()
    contents = [data, data[:offset]]
    if is_compressed:
        contents = [compressed(content) for content in contents]
    whole, head = (files.file(content, NEW) for content in contents)
    assert (whole.offset, head.offset) == (offset, None)
    for order in ([whole, head], [head, whole]):
        attachments, findings, heads = files.enter(order)
        assert attachments == {
            DICOM_ATTACHMENT: whole.uuid,
            UNTIL_PIXEL_DATA_ATTACHMENT: head.uuid,
        }
        assert (findings, heads) == ([], 1)


def test_the_newer_one_of_two_is_taken_with_its_head(store: SmallStore) -> None:
    files = Files(store)
    (old, offset), (new, other_offset) = slice_and_offset("one"), slice_and_offset("another one")
    assert offset != other_offset
    old_file, old_head = files.file(old, OLD), files.file(old[:offset], OLD + 1)
    new_file, new_head = files.file(new, NEW), files.file(new[:other_offset], NEW + 1)
    # A head is written after its file.
    for left in itertools.permutations([old_file, old_head]):
        attachments, findings, heads = files.enter([*left, new_file, new_head])
        assert attachments == {
            DICOM_ATTACHMENT: new_file.uuid,
            UNTIL_PIXEL_DATA_ATTACHMENT: new_head.uuid,
        }
        assert {finding.file for finding in findings} == {old_file.uuid, old_head.uuid}
        assert {finding.kind for finding in findings} == {"duplicate"}
        assert heads == 1


def test_a_head_alone_is_an_instance_until_there_is_more(store: SmallStore) -> None:
    files = Files(store)
    data, offset = slice_and_offset()
    head = files.file(data[:offset], NEW)
    assert files.enter([head]) == ({DICOM_ATTACHMENT: head.uuid}, [], 0)


def test_pixel_data_are_worth_more_than_a_newer_file_without(store: SmallStore) -> None:
    files = Files(store)
    data, _ = slice_and_offset("one")
    other, offset = slice_and_offset("another one")
    whole, head = files.file(data, OLD), files.file(other[:offset], NEW)
    for order in ([whole, head], [head, whole]):
        attachments, findings, _ = files.enter(order)
        assert attachments == {DICOM_ATTACHMENT: whole.uuid}
        assert [finding.file for finding in findings] == [head.uuid]


def test_what_is_no_dicom_file_is_named(store: SmallStore) -> None:
    files = Files(store)
    data, _ = slice_and_offset()
    whole = files.file(data, OLD)
    notes = files.file(b"notes of a user, long enough to be looked at", NEW)
    packed = files.file(compressed(b"notes of a user, compressed"), NEW)
    cut = files.file(compressed(data)[:-20], NEW)
    empty = files.file(b"", NEW)
    absent = files.examiner.examine("00110000-0000-4000-8000-000000000000", NEW)
    _, findings, _ = files.enter([whole, notes, packed, cut, empty, absent])
    assert [finding.kind for finding in findings] == ["unknown"] * 4 + ["unreadable"]
    assert "compressed" in findings[2].explanation
