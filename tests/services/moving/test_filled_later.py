"""What the index does not know of a file that another server has stored: it is taken by its MD5,
and what only the file tells is learned from it."""

import hashlib
import zlib
from collections.abc import Callable
from pathlib import Path
from struct import pack

import pytest
import xxhash
from support import generated
from support.scrubbing import Night, replace
from support.small_store import USER, SmallStore

from orthanc_fast.errors import CorruptedFile
from orthanc_fast.index.contract import Transaction
from orthanc_fast.model import Attachment, Level, Resource
from orthanc_fast.registries import DICOM_ATTACHMENT
from orthanc_fast.services.administration.check import compare
from orthanc_fast.services.administration.damages import damages
from orthanc_fast.services.attachments.parts import ContentParts
from orthanc_fast.services.ingest.contract import IngestRequest
from orthanc_fast.services.pixels.pixels import Pixels
from orthanc_fast.services.store.content_check import check_content

CONTENT = generated.small().number(1, 1, 1, 1)


def adopted(md5: str | None) -> Callable[[Transaction, bytes], None]:
    """Makes of an instance one as an adoption leaves it."""

    def write(transaction: Transaction, public: bytes) -> None:
        instance = transaction.resource(Level.INSTANCE, public)
        assert instance is not None
        transaction.set_digest(instance, DICOM_ATTACHMENT, b"")
        transaction.set_md5(instance, DICOM_ATTACHMENT, md5, md5)
        transaction.set_image(instance, b"")

    return write


def instance_of(store: SmallStore, md5: str | None) -> Resource:
    public = store.put(CONTENT)[Level.INSTANCE]
    store.index.write(lambda transaction: adopted(md5)(transaction, public))
    return now(store, public)


def now(store: SmallStore, public: bytes) -> Resource:
    found = store.resource(Level.INSTANCE, public)
    assert found is not None
    return found


def md5_of(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def test_an_image_is_learned_with_its_first_use(small_store: SmallStore) -> None:
    instance = instance_of(small_store, md5_of(CONTENT))
    pixels = Pixels(small_store.index, small_store.storage)
    assert pixels.layout(instance) is None
    with pixels.open(instance) as image:
        assert pixels.layout(instance) == image.layout


def test_what_is_read_only_learns_nothing(small_store: SmallStore) -> None:
    instance = instance_of(small_store, md5_of(CONTENT))
    pixels = Pixels(small_store.index, small_store.storage, keeps_layouts=False)
    with pixels.open(instance):
        assert pixels.layout(instance) is None


def test_a_deep_check_keeps_our_checksum(small_store: SmallStore) -> None:
    instance = instance_of(small_store, md5_of(CONTENT))
    assert compare(small_store.index, small_store.storage, False, True).clean
    file = now(small_store, instance.public).attachments[DICOM_ATTACHMENT]
    assert file.digest == xxhash.xxh3_128_digest(CONTENT)


@pytest.mark.parametrize("known", [True, False])
def test_the_md5_of_another_server_tells_damage(small_store: SmallStore, known: bool) -> None:
    wrong = md5_of(b"another content") if known else None
    instance = instance_of(small_store, wrong)
    file = instance.attachments[DICOM_ATTACHMENT]
    parts = ContentParts(small_store.storage)
    if not known:  # there is nothing to compare with
        parts.verify(file)
        assert parts.checksums(file).md5 == md5_of(CONTENT)
        return
    with pytest.raises(CorruptedFile):
        parts.verify(file)
    with pytest.raises(CorruptedFile):
        parts.checksums(file)
    assert [each.kind for each in compare(small_store.index, small_store.storage, False).findings]


@pytest.mark.parametrize("md5", [md5_of(CONTENT), None])
@pytest.mark.parametrize("compressed", [True, False])
def test_it_can_be_stored_anew(small_store: SmallStore, md5: str | None, compressed: bool) -> None:
    """As a change of StorageCompression does."""
    file = instance_of(small_store, md5).attachments[DICOM_ATTACHMENT]
    parts = ContentParts(small_store.storage)
    spool = parts.rewritten(file, compressed)
    stored = b"".join(bytes(part) for part in spool.parts(1 << 20))
    spool.drop()
    assert stored[:2] == (pack("<Q", len(CONTENT))[:2] if compressed else CONTENT[:2])
    assert (zlib.decompress(stored[8:]) if compressed else stored) == CONTENT


def test_damage_is_not_stored_anew(small_store: SmallStore) -> None:
    file = instance_of(small_store, md5_of(b"another")).attachments[DICOM_ATTACHMENT]
    with pytest.raises(CorruptedFile):
        ContentParts(small_store.storage).rewritten(file, True)


@pytest.mark.parametrize("md5", [md5_of(CONTENT), None])
def test_the_scrubber_keeps_our_checksum(
    small_store: SmallStore, tmp_path: Path, md5: str | None
) -> None:
    """From its first round on: damage that comes later is found."""
    instance = instance_of(small_store, md5)
    uuid = instance.attachments[DICOM_ATTACHMENT].uuid
    night = Night(small_store, tmp_path)
    night.round()
    file = now(small_store, instance.public).attachments[DICOM_ATTACHMENT]
    assert file.digest == xxhash.xxh3_128_digest(CONTENT)
    assert file.md5 == file.stored_md5 == md5_of(CONTENT)
    assert small_store.index.read(damages) == []
    replace(small_store, uuid, CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]))
    night.round()
    assert [each.kind for each in small_store.index.read(damages)] == ["checksum"]


def test_our_checksum_goes_before_an_md5() -> None:
    digest = xxhash.xxh3_128_digest(b"content")
    check_content(Attachment("", 7, 7, False, digest, md5="0" * 32), b"content")
    with pytest.raises(CorruptedFile):
        check_content(Attachment("", 7, 7, False, digest), b"Content")


def test_the_same_file_is_not_stored_again(small_store: SmallStore) -> None:
    """`IfChanged` compares by MD5 where it has nothing else."""
    instance_of(small_store, md5_of(CONTENT))
    other = bytearray(CONTENT)
    other[-1] ^= 1
    for content, status in ((CONTENT, "AlreadyStored"), (bytes(other), "Success")):
        request = IngestRequest(caller=USER, data=content, overwrite="IfChanged")
        assert small_store.run(small_store.ingest.store(request)).status == status
