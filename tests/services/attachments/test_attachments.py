"""Attachments: put, read, compressed, deleted."""

from hashlib import md5

import pytest
from support.small_store import SmallStore

from orthanc_fast.errors import (
    CorruptedFile,
    InexistentItem,
    Revision,
    UnknownResource,
)
from orthanc_fast.model import Caller, Level
from orthanc_fast.registries import DICOM_ATTACHMENT
from orthanc_fast.services.attachments.changes import Attachments
from orthanc_fast.services.attachments.reading import Contents
from orthanc_fast.storage.conformance import is_gone, spooled

NUMBER = 1024
TEXT = b"a text that can be compressed " * 100


@pytest.fixture
def attachments(small_store: SmallStore) -> Attachments:
    return Attachments(
        small_store.settings, small_store.reads, small_store.writes, Contents(small_store.storage)
    )


def test_an_attachment_lives(
    small_store: SmallStore, attachments: Attachments, caller: Caller
) -> None:
    _, study, *_ = small_store.add(1, 1, 1, 1)
    assert attachments.find(caller, study, NUMBER) is None
    version = small_store.run(attachments.put(caller, study, NUMBER, TEXT, None))
    assert version == (0, md5(TEXT).hexdigest())
    assert attachments.kinds(caller, Level.STUDY, study) == [NUMBER]
    found = attachments.require(caller, study, NUMBER)
    assert small_store.run(attachments.version(caller, found)) == version
    assert small_store.run(attachments.small_content(found.attachment)) == TEXT
    second = small_store.run(attachments.put(caller, study, NUMBER, b"", version))
    assert second.revision == 1
    with pytest.raises(Revision):
        small_store.run(attachments.put(caller, study, NUMBER, b"late", version))
    with pytest.raises(Revision):
        small_store.run(attachments.delete(caller, study, NUMBER, version))
    small_store.run(attachments.delete(caller, study, NUMBER, second))
    with pytest.raises(UnknownResource):
        attachments.require(caller, study, NUMBER)


def test_a_spool_as_body(small_store: SmallStore, attachments: Attachments, caller: Caller) -> None:
    _, study, *_ = small_store.add(1, 1, 1, 1)
    body = spooled(small_store.storage, TEXT)
    small_store.run(attachments.put(caller, study, NUMBER, body, None))
    found = attachments.require(caller, study, NUMBER)
    assert small_store.run(attachments.small_content(found.attachment)) == TEXT
    assert is_gone(body.read)
    assert small_store.storage.recover(lambda owner, uuid: True) == (0, 0)


def test_nothing_stays_of_a_body_that_is_refused(
    small_store: SmallStore, attachments: Attachments
) -> None:
    _, study, *_ = small_store.add(1, 1, 1, 1)
    body = spooled(small_store.storage, TEXT)
    guest = Caller(origin="RestApi", user="guest", labels=frozenset({"public"}))
    with pytest.raises(InexistentItem):
        small_store.run(attachments.put(guest, study, NUMBER, body, None))
    assert is_gone(body.read)
    assert small_store.storage.recover(lambda owner, uuid: True) == (0, 0)


def test_compression(small_store: SmallStore, attachments: Attachments, caller: Caller) -> None:
    _, study, *_ = small_store.add(1, 1, 1, 1)
    small_store.run(attachments.put(caller, study, NUMBER, TEXT, None))
    for compressed in (True, True, False):
        found = attachments.require(caller, study, NUMBER)
        small_store.run(attachments.set_compressed(caller, found, compressed))
        attachment = attachments.require(caller, study, NUMBER).attachment
        assert attachment.compressed is compressed
        assert (attachment.stored_size < len(TEXT)) is compressed
        assert small_store.run(attachments.small_content(attachment)) == TEXT
        small_store.run(attachments.verify(attachment))


def test_a_damaged_file_is_noticed(
    small_store: SmallStore, attachments: Attachments, caller: Caller
) -> None:
    *_, instance = small_store.add(1, 1, 1, 1)
    attachment = attachments.require(caller, instance, DICOM_ATTACHMENT).attachment
    data = bytearray(small_store.storage.read(attachment.uuid))
    data[-1] ^= 1
    small_store.storage.restore(f"test/{instance.hex()}.{attachment.uuid}", data)
    with pytest.raises(CorruptedFile):
        small_store.run(attachments.verify(attachment))
    with pytest.raises(CorruptedFile):
        small_store.run(attachments.small_content(attachment))


def test_nobody_to_attach_to(
    small_store: SmallStore, attachments: Attachments, caller: Caller
) -> None:
    for public in (bytes(20), b""):
        with pytest.raises(InexistentItem):
            small_store.run(attachments.put(caller, public, NUMBER, TEXT, None))
        with pytest.raises(UnknownResource):
            attachments.find(caller, public, NUMBER)
    assert small_store.storage.recover(lambda owner, uuid: True) == (0, 0)
