"""Bodies that arrive in parts: in memory as long as there is room, else in a spool."""

import pytest

from orthanc_fast.storage.arriving import ArrivingBody
from orthanc_fast.storage.contract import Spool
from orthanc_fast.storage.memory import MemoryStorage
from orthanc_fast.storage.upload_memory import Share, UploadMemory

PARTS = [b"abc", b"defg", b"", b"hi"]
WHOLE = b"abcdefghi"


@pytest.mark.parametrize(
    ("own", "room", "is_spooled"),
    [(9, 9, False), (100, 9, False), (8, 100, True), (9, 8, True), (0, 100, True), (9, 2, True)],
)
def test_where_a_body_goes(own: int, room: int, is_spooled: bool) -> None:
    memory = UploadMemory(room)
    with Share(memory) as share:
        body = ArrivingBody(own, MemoryStorage().new_spool, share)
        for part in PARTS:
            body.add(part)
            assert memory.used in (body.size, 0)
        assert body.size == len(WHOLE)
        assert body.waits is is_spooled
        found = body.finish()
        assert isinstance(found, Spool) is is_spooled
        assert (found.read() if isinstance(found, Spool) else found) == WHOLE
        body.discard()
        # Bytes that were handed out are in memory until the share is released.
        assert memory.used == (0 if is_spooled else len(WHOLE))
    assert memory.used == 0


def test_a_body_is_never_half_in_memory_again() -> None:
    """Also where room is found meanwhile: its parts stay in order."""
    memory = UploadMemory(4)
    other, share = Share(memory), Share(memory)
    assert other.take(4)
    body = ArrivingBody(100, MemoryStorage().new_spool, share)
    body.add(b"ab")
    other.release()
    assert not body.add_now(b"cd")
    body.add(b"cd")
    found = body.finish()
    assert isinstance(found, Spool)
    assert found.read() == b"abcd"


def test_several_bodies_of_one_share() -> None:
    memory = UploadMemory(10)
    with Share(memory) as share:
        for expected in (3, 6, 9, 9):
            body = ArrivingBody(100, MemoryStorage().new_spool, share)
            body.add(b"xyz")
            body.finish()
            assert memory.used == share.size == expected
    assert memory.used == 0
