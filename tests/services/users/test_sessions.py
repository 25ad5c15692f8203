"""Sessions and share links: what ends them, and what the index knows of them."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec
import pytest
from support.small_store import USER, SmallStore

from orthanc_fast.config_users import User
from orthanc_fast.errors import InexistentItem
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.rights import Right
from orthanc_fast.services.users.sessions import SESSION, SHARE, Sessions

ALICE = User("alice", "first")
STUDY, OTHER = b"s" * 20, b"o" * 20


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SmallStore]:
    found = SmallStore(tmp_path)
    yield found
    found.close()


def _properties(kind: str, view: Snapshot) -> dict[str, bytes]:
    return view.properties(kind)


def sessions(store: SmallStore, clock: Clock, *users: User, is_open: bool = False) -> Sessions:
    return Sessions(store.reads, store.writes, users or (ALICE,), is_open, clock)


def test_a_session_lasts_as_long_as_it_should(store: SmallStore) -> None:
    clock = Clock()
    found = sessions(store, clock)
    token = store.run(found.begin(ALICE, 60))
    clock.now += 59
    assert found.user(token) == ALICE
    assert not found.is_over(token)
    clock.now += 1
    assert found.user(token) is None
    assert found.is_over(token)


def test_it_ends_with_the_password_and_the_user(store: SmallStore) -> None:
    clock = Clock()
    token = store.run(sessions(store, clock).begin(ALICE, 60))
    assert sessions(store, clock, ALICE).user(token) == ALICE
    assert sessions(store, clock, User("alice", "second")).user(token) is None
    assert sessions(store, clock, User("alice", password_hash="first")).user(token) is None
    assert sessions(store, clock, User("bob", "first")).user(token) is None


def test_it_ends_for_all(store: SmallStore) -> None:
    clock = Clock()
    here, there = sessions(store, clock), sessions(store, clock)
    tokens = [store.run(here.begin(ALICE, 60)) for _ in range(2)]
    assert len({*tokens}) == 2
    store.run(there.end(tokens[0]))
    assert [here.user(token) for token in tokens] == [None, ALICE]


def test_the_index_knows_no_token(store: SmallStore) -> None:
    found = sessions(store, Clock())
    session = store.run(found.begin(ALICE, 60))
    link, _ = store.run(found.share(USER, STUDY, 60))
    for kind, token in ((SESSION, session), (SHARE, link)):
        kept = store.index.read(partial(_properties, kind))
        assert len(kept) == 1
        text = repr(kept)
        assert token not in text
        assert ALICE.password not in text


def test_expired_ones_are_removed(store: SmallStore) -> None:
    clock = Clock()
    found = sessions(store, clock)
    for _ in range(5):
        store.run(found.begin(ALICE, 60))
    clock.now += 61
    store.run(found.begin(ALICE, 60))
    assert len(store.index.read(lambda view: view.properties(SESSION))) == 1


def test_each_has_its_turn_to_be_removed(
    store: SmallStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where more hold than are looked at in one go."""
    monkeypatch.setattr("orthanc_fast.services.users.sessions._SWEPT_AT_ONCE", 2)
    clock = Clock()
    found = sessions(store, clock)
    for seconds in (60, 3600) * 8:
        store.run(found.begin(ALICE, seconds))
    clock.now += 61
    for _ in range(10_000):  # where it looks is random
        store.run(found.end(store.run(found.begin(ALICE, 60))))
        if len(store.index.read(lambda view: view.properties(SESSION))) == 8:
            return
    pytest.fail("some that have expired are still there")


def test_tokens_of_none_cost_no_write(tmp_path: Path) -> None:
    store = SmallStore(tmp_path, "lmdb")
    found = sessions(store, Clock())
    token = store.run(found.begin(ALICE, 60))
    before = store.index.read(lambda view: view.version)
    for other in ("", "x", f"{token}x", "x" * 10_000):
        store.run(found.end(other))
    assert store.index.read(lambda view: view.version) == before
    store.run(found.end(token))
    assert store.index.read(lambda view: view.version) != before
    store.close()


@pytest.mark.parametrize("token", ["", "x", "x" * 64, "x" * 10_000, "\udcff", "a/b", "\0"])
def test_tokens_that_are_none(store: SmallStore, token: str) -> None:
    found = sessions(store, Clock())
    assert found.user(token) is None
    assert found.shared(token) is None
    assert found.is_over(token)


def test_a_session_is_no_link_and_a_link_no_session(store: SmallStore) -> None:
    found = sessions(store, Clock())
    session = store.run(found.begin(ALICE, 60))
    link, _ = store.run(found.share(USER, STUDY, 60))
    assert found.shared(session) is None
    assert found.user(link) is None


def test_links(store: SmallStore) -> None:
    clock = Clock()
    caller = msgspec.structs.replace(USER, user="alice")
    found = sessions(store, clock)
    token, share = store.run(found.share(caller, STUDY, 60))
    store.run(found.share(caller, OTHER, 60))
    assert found.shared(token) == share.record
    assert [each.identifier for each in found.shares(STUDY)] == [share.identifier]
    assert found.maker(share.record) == ALICE
    assert found.seconds_left(share.record) == 60
    assert sessions(store, clock, User("bob", "x")).shared(token) is None  # alice has gone
    assert sessions(store, clock, User("bob", "x"), is_open=True).shared(token) is not None
    blind = User("alice", "first", rights=Right.MODIFY)
    assert sessions(store, clock, blind).shared(token) is None  # alice sees nothing any more
    for study, identifier in ((OTHER, share.identifier), (STUDY, "0" * 32), (STUDY, "")):
        with pytest.raises(InexistentItem):
            store.run(found.unshare(study, identifier))
    store.run(found.unshare(STUDY, share.identifier))
    assert found.shared(token) is None
    assert found.shares(STUDY) == []
    assert len(found.shares(OTHER)) == 1
    clock.now += 60
    assert found.shares(OTHER) == []
