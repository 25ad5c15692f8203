"""Who is logged in, and what share links open.

A session and a link are a number of 256 random bits that the client has; the index knows what it
stands for under its hash. So there is nothing to be signed and no key to be kept: who reads the
index gets in nowhere, every worker sees the same, what is ended has ended everywhere, and both
outlive a restart. A session ends too when the password changes or the user is gone.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from typing import Final

import msgspec

from orthanc_fast.config_users import User
from orthanc_fast.errors import InexistentItem
from orthanc_fast.index.contract import Snapshot, Transaction, Write
from orthanc_fast.model import SERVER, Caller
from orthanc_fast.rights import Right
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.writes import Writes

SESSION: Final = "session/"  # properties of the index
SHARE: Final = "share/"

_BYTES: Final = 32
_LONGEST: Final = 64  # characters of a token that are looked at
_SWEPT_AT_ONCE: Final = 1000


class SessionRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Instants are seconds since the epoch."""

    user: str
    expires: int
    seal: bytes  # of the password at that time


class ShareRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One study for whoever has the link, as far as `user`, who has made it, may see it."""

    expires: int
    study: bytes
    user: str
    created: int


class Share(msgspec.Struct, frozen=True):
    """A link as those see it who may end it."""

    identifier: str
    record: ShareRecord


class Sessions:
    """The sessions and links of one server; `clock` gives seconds since the epoch."""

    def __init__(
        self,
        reads: Reads,
        writes: Writes,
        users: tuple[User, ...],
        is_open: bool,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`is_open`: users need no password, so that links of nobody hold too."""
        self._read = reads
        self._write = writes
        self._users = {user.name: user for user in users}
        self._is_open = is_open
        self._clock = clock

    # Sessions

    async def begin(self, user: User, seconds: int) -> str:
        """The token of a new session."""
        token = secrets.token_urlsafe(_BYTES)
        now = int(self._clock())
        record = SessionRecord(user.name, now + seconds, _seal(token, user))
        await self._write(SERVER, _Keep(SESSION + _hash(token), _encode(record), now))
        return token

    def user(self, token: str) -> User | None:
        """Whose session it is; None where there is no such session any more."""
        raw = self._property(SESSION, token)
        if raw is None:
            return None
        record = _session_of(raw)
        user = self._users.get(record.user)
        if user is None or record.expires <= self._clock():
            return None
        return user if hmac.compare_digest(record.seal, _seal(token, user)) else None

    async def end(self, token: str) -> None:
        """Ends a session, in all workers at once. A token of none costs no write: anybody may send
        some."""
        if self._property(SESSION, token) is not None:
            await self._write(SERVER, _Keep(SESSION + _hash(token), None, int(self._clock())))

    # Share links

    async def share(self, caller: Caller, study: bytes, seconds: int) -> tuple[str, Share]:
        """A link to a study: its token, and what others are told of it."""
        token = secrets.token_urlsafe(_BYTES)
        now = int(self._clock())
        record = ShareRecord(now + seconds, study, caller.user or "", now)
        await self._write(SERVER, _Keep(SHARE + _hash(token), _encode(record), now))
        return token, Share(_hash(token)[:32], record)

    def shared(self, token: str) -> ShareRecord | None:
        """What a link opens; None where it has expired or was ended, or its maker is gone or may
        see nothing any more."""
        raw = self._property(SHARE, token)
        record = None if raw is None else _share_of(raw)
        return record if record is not None and self._holds(record) else None

    def seconds_left(self, record: ShareRecord) -> int:
        """Until a link expires."""
        return int(record.expires - self._clock())

    def maker(self, record: ShareRecord) -> User | None:
        """Who has made a link, None where nobody needs to log in."""
        return self._users.get(record.user)

    def shares(self, study: bytes) -> list[Share]:
        """The links to a study, the oldest first."""
        found = [
            Share(name.removeprefix(SHARE)[:32], record)
            for name, record in self._all_shares()
            if record.study == study and self._holds(record)
        ]
        return sorted(found, key=lambda each: (each.record.created, each.identifier))

    async def unshare(self, study: bytes, identifier: str) -> None:
        """Ends a link. Raises InexistentItem."""
        for name, record in self._all_shares():
            is_it = name.removeprefix(SHARE)[:32] == identifier
            if is_it and record.study == study and self._holds(record):
                await self._write(SERVER, _Keep(name, None, int(self._clock())))
                return
        raise InexistentItem("there is no such share link")

    def is_over(self, token: str) -> bool:
        """Whether it is the token of neither a session nor a link that holds."""
        return self.user(token) is None and self.shared(token) is None

    def _holds(self, record: ShareRecord) -> bool:
        if record.expires <= self._clock():
            return False
        maker = self._users.get(record.user)
        return self._is_open or (maker is not None and Right.BROWSE in maker.rights)

    def _all_shares(self) -> list[tuple[str, ShareRecord]]:
        found = self._read(SERVER, lambda view: view.properties(SHARE))
        return [(name, _share_of(raw)) for name, raw in found.items()]

    def _property(self, kind: str, token: str) -> bytes | None:
        if len(token) > _LONGEST:
            return None
        name = kind + _hash(token)

        def read(view: Snapshot) -> bytes | None:
            return view.property(name)

        return self._read(SERVER, read)


class _Keep(Write[None]):
    """Sets or (None) removes a session or a link, and removes some of its kind that have
    expired."""

    def __init__(self, name: str, value: bytes | None, now: int) -> None:
        self._name = name
        self._value = value
        self._now = now

    @property
    def is_quick(self) -> bool:
        return True

    def apply(self, transaction: Transaction) -> None:
        transaction.set_property(self._name, self._value)
        is_session = self._name.startswith(SESSION)
        kind, decode = (SESSION, _session_of) if is_session else (SHARE, _share_of)
        # Names are hashes: from the new one on, each has its turn however many there are.
        some = dict(transaction.some_properties(kind, self._name, _SWEPT_AT_ONCE))
        some |= transaction.some_properties(kind, None, _SWEPT_AT_ONCE - len(some))
        for name, raw in some.items():
            if decode(raw).expires <= self._now:
                transaction.set_property(name, None)


_encode: Final = msgspec.msgpack.Encoder().encode
_session_of: Final = msgspec.msgpack.Decoder(SessionRecord).decode
_share_of: Final = msgspec.msgpack.Decoder(ShareRecord).decode


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def _seal(token: str, user: User) -> bytes:
    """Differs when the password does; without the token, which is not kept, nothing can be told of
    the password from it."""
    secret = f"{user.name}:{user.password}:{user.password_hash}".encode()
    return hmac.digest(token.encode("utf-8", "surrogateescape"), secret, "sha256")
