"""Files that are replaced by others of the same image."""

import asyncio
from collections.abc import Callable

import msgspec
import numpy as np
import pydicom
import pytest
from support import generated
from support.renewed import renewal
from support.small_store import USER, SmallStore

from orthanc_fast.config import Settings
from orthanc_fast.model import Attachment, Level, Resource
from orthanc_fast.registries import (
    DICOM_ATTACHMENT,
    PIXEL_DATA_OFFSET,
    PIXEL_DATA_VR,
    TRANSFER_SYNTAX,
    UNTIL_PIXEL_DATA_ATTACHMENT,
)
from orthanc_fast.services.attachments.changes import Attachments, Located
from orthanc_fast.services.attachments.reading import Contents
from orthanc_fast.services.pixels.pixels import Pixels
from orthanc_fast.transfer_syntaxes import (
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    JPEG_2000,
    JPEG_BASELINE,
    JPEG_LS_LOSSLESS,
    RLE,
)

SIZE = 32


def store_slice(store: SmallStore, *, has_pixels: bool = True) -> bytes:
    dataset = generated.base()
    if has_pixels:
        generated.add_pixels(dataset, generated.anatomy(SIZE))
    return store.put(generated.encode(dataset).number(1, 1, 1, 1))[Level.INSTANCE]


def under(store: SmallStore, **options: object) -> Settings:
    return msgspec.structs.replace(store.settings, **options)


def instance_of(store: SmallStore, public: bytes) -> Resource:
    found = store.resource(Level.INSTANCE, public)
    assert found is not None
    return found


def content(store: SmallStore, instance: Resource, kind: int = DICOM_ATTACHMENT) -> bytes:
    return Contents(store.storage).content_now(instance.attachments[kind])


def pixels(store: SmallStore, public: bytes) -> np.ndarray:
    """By the frame map that the index has."""
    with Pixels(store.index, store.storage).open(instance_of(store, public)) as image:
        return np.array(image.decode(0)).reshape(SIZE, SIZE)


def is_consistent(store: SmallStore, public: bytes) -> None:
    """What the index says of the file is what the file is."""
    found = instance_of(store, public)
    data = content(store, found)
    read = pydicom.dcmread(pydicom.filebase.DicomBytesIO(data))
    assert read.file_meta.TransferSyntaxUID == found.metadata[TRANSFER_SYNTAX]
    assert len(data) == found.attachments[DICOM_ATTACHMENT].size
    offset = int(found.metadata[PIXEL_DATA_OFFSET])
    assert data[offset : offset + 4] == b"\xe0\x7f\x10\x00"
    assert (pixels(store, public) == read.pixel_array).all()
    if UNTIL_PIXEL_DATA_ATTACHMENT in found.attachments:
        assert content(store, found, UNTIL_PIXEL_DATA_ATTACHMENT) == data[:offset]
    study = store.resource(Level.SERIES, found.parent_public)
    assert study is not None
    sizes = [each.size for each in found.attachments.values()]
    assert study.uncompressed_size == found.uncompressed_size == sum(sizes)
    assert study.dicom_uncompressed_size == len(data)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("syntax", [JPEG_LS_LOSSLESS, RLE, IMPLICIT_LITTLE])
def test_another_transfer_syntax(small_store: SmallStore, syntax: str, compressed: bool) -> None:
    public = store_slice(small_store)
    before, image = instance_of(small_store, public), pixels(small_store, public)
    changes = small_store.index.read(lambda view: view.totals().next_change)
    settings = under(small_store, ingest_transcoding=syntax, storage_compression=compressed)
    small_store.run(renewal(small_store, settings).run(USER, public))
    after = instance_of(small_store, public)
    assert after.metadata[TRANSFER_SYNTAX] == syntax
    kept = before.metadata.keys() - {TRANSFER_SYNTAX, PIXEL_DATA_OFFSET, PIXEL_DATA_VR}
    assert {each: after.metadata[each] for each in kept} == {
        each: before.metadata[each] for each in kept
    }
    assert after.id == before.id
    attachment = after.attachments[DICOM_ATTACHMENT]
    assert (attachment.compressed, attachment.revision) == (compressed, 0)
    assert attachment.md5 is None and attachment.stored_md5 is None
    assert (UNTIL_PIXEL_DATA_ATTACHMENT in after.attachments) == compressed
    assert not small_store.storage.exists(before.attachments[DICOM_ATTACHMENT].uuid)
    assert (pixels(small_store, public) == image).all()
    is_consistent(small_store, public)
    assert small_store.index.read(lambda view: view.totals().next_change) == changes, "no event"
    # And back, by which the head that was kept goes, or is renewed.
    plain = under(small_store, ingest_transcoding=EXPLICIT_LITTLE)
    small_store.run(renewal(small_store, plain).run(USER, public))
    assert instance_of(small_store, public).metadata[TRANSFER_SYNTAX] == EXPLICIT_LITTLE
    assert (pixels(small_store, public) == image).all()
    is_consistent(small_store, public)


@pytest.mark.parametrize("syntax", [JPEG_BASELINE, JPEG_2000])
def test_pixels_and_identifiers_stay(small_store: SmallStore, syntax: str) -> None:
    public = store_slice(small_store)
    data = content(small_store, instance_of(small_store, public))
    settings = under(small_store, ingest_transcoding=syntax)
    small_store.run(renewal(small_store, settings).run(USER, public))
    assert content(small_store, instance_of(small_store, public)) == data
    is_consistent(small_store, public)


def test_what_cannot_be_transcoded_stays(small_store: SmallStore) -> None:
    public = store_slice(small_store, has_pixels=False)
    before = instance_of(small_store, public)
    settings = under(small_store, ingest_transcoding=RLE)
    small_store.run(renewal(small_store, settings).run(USER, public))
    after = instance_of(small_store, public)
    assert after.metadata == before.metadata
    assert after.attachments[DICOM_ATTACHMENT].uuid != before.attachments[DICOM_ATTACHMENT].uuid
    assert content(small_store, after)  # the old one is gone, the new one is there


def test_only_what_would_be_stored_otherwise(small_store: SmallStore) -> None:
    public = store_slice(small_store)

    def renewed(**options: object) -> bool:
        before = instance_of(small_store, public).attachments
        work = renewal(small_store, under(small_store, **options))
        small_store.run(work.run(USER, public, only_other=True))
        return instance_of(small_store, public).attachments != before

    assert [renewed() for _ in range(2)] == [False, False]
    assert [renewed(storage_compression=True) for _ in range(2)] == [True, False]
    both = {"storage_compression": True, "ingest_transcoding": RLE}
    assert [renewed(**both) for _ in range(2)] == [True, False]
    assert [renewed(ingest_transcoding=RLE) for _ in range(2)] == [True, False]


def test_who_works_on_the_old_file_gets_no_map_of_the_new_one(small_store: SmallStore) -> None:
    public = store_slice(small_store)
    old, images = instance_of(small_store, public), Pixels(small_store.index, small_store.storage)
    assert images.layout(old) is not None
    settings = under(small_store, ingest_transcoding=RLE)
    small_store.run(renewal(small_store, settings).run(USER, public))
    assert images.layout(old) is None
    assert images.layout(instance_of(small_store, public)) is not None


def racing(store: SmallStore, public: bytes, meanwhile: Callable[[], None]) -> None:
    """Renews an instance to which something happens while its file is transcoded."""
    settings = under(store, ingest_transcoding=RLE)
    work = renewal(store, settings)
    recode, rounds = work._recode, 0
    assert recode is not None

    def slow(data: object) -> bytes | None:
        nonlocal rounds
        rounds += 1
        if rounds == 1:
            meanwhile()
        return recode(data)  # type: ignore[arg-type]

    work._recode = slow
    store.run(work.run(USER, public))


def test_a_file_that_is_replaced_meanwhile(small_store: SmallStore) -> None:
    """It is done again, of the file that is there then."""
    public = store_slice(small_store)

    def compress() -> None:
        found = instance_of(small_store, public)
        attachment: Attachment = found.attachments[DICOM_ATTACHMENT]
        attachments = Attachments(
            small_store.settings,
            small_store.reads,
            small_store.writes,
            Contents(small_store.storage),
        )
        located = Located(found, DICOM_ATTACHMENT, attachment)
        asyncio.run_coroutine_threadsafe(
            attachments.set_compressed(USER, located, True), small_store.runner.get_loop()
        ).result(60)

    racing(small_store, public, compress)
    found = instance_of(small_store, public)
    assert found.metadata[TRANSFER_SYNTAX] == RLE
    assert not found.attachments[DICOM_ATTACHMENT].compressed
    is_consistent(small_store, public)
