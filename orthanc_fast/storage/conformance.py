"""What every storage has to pass: a suite for pytest, to be derived from."""

import mmap
import time
from collections.abc import Callable
from functools import partial
from uuid import uuid4

from orthanc_fast.errors import OrthancError, ParameterOutOfRange
from orthanc_fast.storage.contract import (
    GATHERED_AT_ONCE,
    MISSING_FILE,
    Content,
    Pending,
    Spool,
    Storage,
)

OWNER = bytes(range(20))


def new_uuid() -> str:
    return str(uuid4())


def stored(storage: Storage, data: bytes, owner: bytes = OWNER) -> str:
    """Puts and publishes one object; its UUID."""
    file = storage.new_file(owner, new_uuid(), data)
    assert storage.put([file]) == [None]
    storage.publish([file])
    return file.uuid


def spooled(storage: Storage, *parts: Content) -> Spool:
    """A spool of these parts."""
    spool = storage.new_spool()
    for part in parts:
        spool.write(part)
    return spool


def is_gone(call: Callable[[], object]) -> bool:
    """Whether the call ends as that of a closed file."""
    try:
        call()
    except ValueError:
        return True
    return False


def is_missing(call: Callable[[], object]) -> bool:
    """Whether the call ends with Orthanc's error for a file that is not there."""
    try:
        call()
    except OrthancError as error:
        return error.code == MISSING_FILE
    return False


def is_beyond_end(call: Callable[[], object]) -> bool:
    try:
        call()
    except ParameterOutOfRange:
        return True
    return False


class StorageConformance:
    """Derived classes make a fixture `storage`, empty."""

    def test_what_was_put_is_read(self, storage: Storage) -> None:
        for data in (b"", b"a", bytes(range(256)) * 1000):
            uuid = stored(storage, data)
            assert storage.read(uuid) == data
            assert storage.size(uuid) == len(data)
            assert storage.exists(uuid)
            with storage.open(uuid) as handle:
                assert handle.size == len(data)
                assert handle.read() == data

    def test_buffers_of_every_kind_are_taken(self, storage: Storage) -> None:
        for data in (bytearray(b"abc"), memoryview(b"xabcx")[1:4]):
            file = storage.new_file(OWNER, new_uuid(), data)
            assert storage.put([file]) == [None]
            storage.publish([file])
            assert storage.read(file.uuid) == b"abc"

    def test_what_nobody_is_about_to_read_is_stored_all_the_same(self, storage: Storage) -> None:
        """Of any size, from any place in memory."""
        with mmap.mmap(-1, 1 << 20) as pages:
            memory = memoryview(pages)
            memory[:] = bytes(range(256)) * 4096
            contents = [
                memory[start : start + size]
                for start in (0, 4096, 1)
                for size in (1, 200_000, 4096 * 50 - 1, 4096 * 50, 4096 * 50 + 1, 600_000)
            ]
            files = [
                storage.new_file(OWNER, new_uuid(), content, is_cold=True) for content in contents
            ]
            assert storage.put(files) == [None] * len(files)
            storage.publish(files)
            for file, content in zip(files, contents, strict=True):
                assert storage.read(file.uuid) == content
            del files, file, content, contents
            memory.release()

    def test_ranges(self, storage: Storage) -> None:
        data = bytes(range(250))
        with storage.open(stored(storage, data)) as handle:
            assert handle.read(10, 5) == data[10:15]
            assert handle.read(240) == data[240:]
            assert handle.read(240, 100) == data[240:]
            assert handle.read(250) == handle.read(300, 5) == b""
            assert handle.read_now(7, 3) in (data[7:10], None)
            assert handle.read_now(7, 3, b"head", b"tail") in (b"head" + data[7:10] + b"tail", None)
            assert handle.read_now(0, 0, b"head", b"tail") in (b"headtail", None)
            assert handle.read_now(248, 3) is None
            handle.will_need()
            out = bytearray(20)
            handle.read_into(100, memoryview(out))
            assert out == data[100:120]
            handle.read_into(230, memoryview(out)[:20])
            assert out == data[230:]
            assert is_beyond_end(lambda: handle.read_into(240, memoryview(out)))

    def test_parts(self, storage: Storage) -> None:
        data = bytes(range(100))
        uuid = stored(storage, data)
        assert list(storage.parts(uuid, 5, 20, 8)) == [data[5:13], data[13:21], data[21:25]]
        assert list(storage.parts(uuid, 100, 0, 8)) == []
        assert is_beyond_end(lambda: next(storage.parts(uuid, 95, 6, 8)))

    def test_a_buffer_outlives_handle_and_object(self, storage: Storage) -> None:
        data = bytes(range(256)) * 64
        uuid = stored(storage, data)
        with storage.open(uuid) as handle:
            buffer = handle.buffer()
            storage.delete([uuid])
            assert handle.read(100, 10) == data[100:110]
        assert bytes(buffer) == data
        with storage.open(stored(storage, b"")) as handle:
            assert bytes(handle.buffer()) == b""

    def test_what_is_missing_has_orthancs_code(self, storage: Storage) -> None:
        uuid = new_uuid()
        assert is_missing(lambda: storage.open(uuid))
        assert is_missing(lambda: storage.read(uuid))
        assert is_missing(lambda: next(storage.parts(uuid, 0, 1, 1)))
        assert is_missing(lambda: storage.sendable(uuid))
        assert storage.size(uuid) is None
        assert not storage.exists(uuid)

    def test_readers_find_what_is_not_published_yet(self, storage: Storage) -> None:
        """Between the commit of the index and `publish`."""
        file = storage.new_file(OWNER, new_uuid(), b"early")
        assert storage.put([file]) == [None]
        assert storage.read(file.uuid) == b"early"
        assert not storage.exists(file.uuid)
        assert list(storage.listing()) == []
        storage.publish([file])
        assert storage.read(file.uuid) == b"early"

    def test_what_can_be_sent(self, storage: Storage) -> None:
        path = storage.sendable(stored(storage, b"to be sent"))
        if path is not None:
            with open(path, "rb") as file:
                assert file.read() == b"to be sent"

    def test_abandoned_objects_leave_nothing(self, storage: Storage) -> None:
        files = [storage.new_file(OWNER, new_uuid(), b"x") for _ in range(3)]
        assert storage.put(files[:2]) == [None, None]
        storage.abandon(files)
        for file in files:
            assert is_missing(partial(storage.open, file.uuid))
        assert storage.recover(lambda owner, uuid: True) == (0, 0)

    def test_an_abandoned_body_goes(self, storage: Storage) -> None:
        """Whether or not it was put before."""
        files = [storage.new_file(OWNER, new_uuid(), spooled(storage, b"large")) for _ in "12"]
        assert storage.put(files[:1]) == [None]
        storage.abandon(files)
        for file in files:
            assert is_missing(partial(storage.open, file.uuid))
        assert storage.recover(lambda owner, uuid: True) == (0, 0)

    def test_a_dropped_body_goes(self, storage: Storage) -> None:
        file = storage.new_file(OWNER, new_uuid(), spooled(storage, b"large"))
        file.drop()
        file.drop()
        assert storage.recover(lambda owner, uuid: True) == (0, 0)

    def test_deleting_twice_is_harmless(self, storage: Storage) -> None:
        one, other = stored(storage, b"1"), stored(storage, b"2")
        storage.delete([one, new_uuid()])
        storage.delete([one])
        assert is_missing(lambda: storage.open(one))
        assert list(storage.listing()) == [other]
        storage.delete([])

    def test_the_listing(self, storage: Storage) -> None:
        uuids = {stored(storage, b"x") for _ in range(20)}
        found = list(storage.listing())
        assert len(found) == 20
        assert set(found) == uuids

    def test_when_an_object_was_written(self, storage: Storage) -> None:
        before = time.time_ns()
        uuid = stored(storage, b"content")
        written = storage.written(uuid)
        assert written is not None
        assert abs(written - before) < 600 * 10**9
        assert storage.written(new_uuid()) is None

    def test_recovery_leaves_alone_what_is_not_judged(self, storage: Storage) -> None:
        file = storage.new_file(OWNER, new_uuid(), b"content")
        storage.put([file])
        assert storage.recover(lambda owner, uuid: None) == (0, 0)
        assert storage.recover(lambda owner, uuid: True) == (1, 0)
        assert storage.read(file.uuid) == b"content"

    def test_nothing_goes_while_somebody_holds(self, storage: Storage) -> None:
        uuid = stored(storage, b"content")
        with storage.hold():
            assert not storage.delete([uuid])
            assert storage.read(uuid) == b"content"
        assert storage.delete([uuid])
        assert not storage.exists(uuid)

    def test_objects_of_another_storage_are_fetched(self, storage: Storage, other: Storage) -> None:
        uuids = [stored(other, bytes([number]) * 5_000_000) for number in range(2)]
        arriving = other.new_file(OWNER, new_uuid(), b"on its way")
        other.put([arriving])
        absent = new_uuid()
        for may_link in (False, True, True):
            fetched = storage.fetch([*uuids, arriving.uuid, absent], other, may_link)
            assert fetched.missing == [absent]
            assert [storage.read(uuid)[:1] for uuid in uuids] == [b"\0", b"\1"]
            assert storage.size(uuids[1]) == 5_000_000
            assert storage.read(arriving.uuid) == b"on its way"
            assert set(storage.listing()) == {*uuids, arriving.uuid}
        other.delete(uuids)
        assert storage.size(uuids[0]) == 5_000_000

    def test_a_spool_is_read_while_it_is_written(self, storage: Storage) -> None:
        large = bytes(range(256)) * 4096
        parts: tuple[Content, ...] = (b"abc", bytearray(b"de"), memoryview(b"xfghx")[1:4], large)
        whole = b"abcdefgh" + large
        with storage.new_spool() as spool:
            assert spool.size == 0
            assert spool.read() == b""
            assert bytes(spool.buffer()) == b""
            assert list(spool.parts(10)) == []
            size = 0
            for part in parts:
                spool.write(part)
                size += len(part)
                assert spool.size == size
                assert spool.read() == bytes(spool.buffer()) == whole[:size]
            assert spool.read(5, 3) == whole[5:8]
            assert spool.read(size - 2, 10) == whole[-2:]
            assert spool.read(size, 10) == spool.read(size + 10) == b""
            found = list(spool.parts(1000))
            assert b"".join(found) == whole
            assert {len(part) for part in found[:-1]} == {1000}

    def test_what_was_written_may_change(self, storage: Storage) -> None:
        """Receive buffers are used again."""
        with storage.new_spool() as spool:
            buffer = bytearray(b"first")
            spool.write(buffer)
            buffer[:] = b"other"
            spool.write(buffer)
            assert spool.read() == b"firstother"

    def test_a_buffer_outlives_its_spool(self, storage: Storage) -> None:
        data = bytes(range(256)) * 64
        with spooled(storage, data) as spool:
            buffer = spool.buffer()
        assert bytes(buffer) == data

    def test_a_spool_that_is_dropped_is_gone(self, storage: Storage) -> None:
        spool = spooled(storage, b"not wanted")
        spool.drop()
        spool.drop()
        for call in (spool.read, spool.buffer, spool.flush, lambda: spool.write(b"more")):
            assert is_gone(call)
        assert is_gone(lambda: storage.new_file(OWNER, new_uuid(), spool))
        assert storage.recover(lambda owner, uuid: True) == (0, 0)

    def test_a_spool_is_taken_over(self, storage: Storage) -> None:
        with spooled(storage, b"large" * 1000, b"and more") as spool:
            spool.flush()
            file = storage.new_file(OWNER, new_uuid(), spool)
            assert is_gone(spool.read)
            assert not file.may_be_carried
        # It is the storage's now: what becomes of the spool does not matter.
        assert storage.put([file]) == [None]
        storage.publish([file])
        assert storage.read(file.uuid) == b"large" * 1000 + b"and more"
        assert storage.recover(lambda owner, uuid: True) == (0, 0)

    def test_an_empty_spool_is_taken_over(self, storage: Storage) -> None:
        file = storage.new_file(OWNER, new_uuid(), storage.new_spool())
        assert storage.put([file]) == [None]
        storage.publish([file])
        assert storage.read(file.uuid) == b""

    def test_a_body_is_gathered_from_its_chunks(self, storage: Storage) -> None:
        assert storage.gather("whole", 3, b"abc") == b"abc"
        assert storage.gather("name", 10, b"abc") is None
        assert storage.gather("another", 10, b"xyz") is None
        assert storage.gather("name", 11, b"of another size") is None  # outgrown, forgotten
        assert storage.gather("name", 10, spooled(storage, b"de", b"f")) is None
        body = storage.gather("name", 10, b"ghij")
        assert isinstance(body, Spool)
        with body:
            body.write(b"!")
            assert body.read() == b"abcdefghij!"
        assert storage.gather("name", 10, b"from the start") is None

    def test_gathered_bodies_give_way(self, storage: Storage) -> None:
        for number in range(GATHERED_AT_ONCE + 1):
            assert storage.gather(str(number), 2, b"x") is None
        assert storage.gather("0", 2, b"y") is None
        body = storage.gather(str(GATHERED_AT_ONCE), 2, b"y")
        assert isinstance(body, Spool)
        with body:
            assert body.read() == b"xy"

    def test_each_object_of_a_group_has_its_own_error(self, storage: Storage) -> None:
        uuid = new_uuid()
        files = [storage.new_file(OWNER, each, b"x") for each in (new_uuid(), uuid, uuid)]
        first, second, third = storage.put(files)
        assert first is None and second is None
        assert isinstance(third, OrthancError)

    def test_nothing_is_left_to_a_carrier_that_is_not_there(self, storage: Storage) -> None:
        file = storage.new_file(OWNER, new_uuid(), b"x")
        assert not file.may_be_carried
        storage.put([file])
        assert not file.is_carried

    def test_a_carrier_gives_back_what_a_crash_took(self, storage: Storage) -> None:
        """Whether or not this storage leaves anything to it."""
        storage.rely_on_carrier()
        files = [storage.new_file(OWNER, new_uuid(), data) for data in (b"x", bytes(1 << 24))]
        assert storage.put(files) == [None, None]
        assert not files[1].is_carried
        storage.publish(files)
        storage.sync()
        for file in (files[0], storage.new_file(OWNER, new_uuid(), b"never put")):
            storage.restore(file.name, b"restored")
            assert storage.read(file.uuid) == b"restored"
            assert storage.exists(file.uuid)

    def test_recovery_asks_the_index_about_each_object(self, storage: Storage) -> None:
        files = [storage.new_file(bytes([n]) * 20, new_uuid(), b"%d" % n) for n in range(4)]
        assert storage.put(files) == [None] * 4
        half = spooled(storage, b"half an upload")
        asked: list[tuple[bytes, str]] = []

        def belongs(owner: bytes, uuid: str) -> bool:
            asked.append((owner, uuid))
            return owner[0] % 2 == 0

        published, _ = storage.recover(belongs)
        assert published == 2
        assert sorted(asked) == sorted((file.owner, file.uuid) for file in files)
        assert {each for each in storage.listing()} == {files[0].uuid, files[2].uuid}
        assert storage.read(files[2].uuid) == b"2"
        assert is_missing(lambda: storage.open(files[1].uuid))
        half.drop()

    def test_recovery_of_another_process_leaves_ours_alone(self, storage: Storage) -> None:
        file = storage.new_file(OWNER, new_uuid(), b"x")
        storage.put([file])
        assert storage.recover(lambda owner, uuid: False, "another") == (0, 0)
        storage.publish([file])
        assert storage.read(file.uuid) == b"x"

    def test_names_tell_owner_and_object(self, storage: Storage) -> None:
        uuid = new_uuid()
        file: Pending = storage.new_file(OWNER, uuid, b"x")
        assert (file.owner, file.uuid) == (OWNER, uuid)
        assert file.name.endswith(f"{OWNER.hex()}.{uuid}")
