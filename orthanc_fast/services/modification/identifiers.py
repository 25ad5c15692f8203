"""New identifiers in place of old ones.

A new one follows from the old one and a secret of the request, by a keyed hash: the same value gets
the same identifier wherever it stands, in whichever process, however often the request is carried
out, without a table; and nobody without the secret can tell one from the other. Source: reference
chapter 3, sections 3.2.5, 3.3.3 and 3.3.4; DICOM PS3.5 section B.2 (UIDs made of UUIDs).
"""

import secrets
from collections.abc import Mapping
from enum import IntEnum
from hashlib import blake2b
from typing import Final
from uuid import UUID

SECRET_BYTES: Final = 32


# Of a UUID: variant and version (RFC 9562, sections 4.1, 4.2 and 5.4).
_FIXED_BITS: Final = 0xF000 << 64 | 0xC000 << 48
_RANDOM_UUID: Final = 0x4000 << 64 | 0x8000 << 48


class Kind(IntEnum):
    """Of what something is the identifier. A value has one new value of each kind."""

    PATIENT = 0
    STUDY = 1
    SERIES = 2
    INSTANCE = 3


def new_secret() -> bytes:
    return secrets.token_bytes(SECRET_BYTES)


def secret_of(key: str) -> bytes:
    """The secret of requests that give this key: the same for all of them."""
    return blake2b(key.encode(), digest_size=SECRET_BYTES, person=b"pseudonyms").digest()


class Identifiers:
    """The identifiers of one request. `given` are new UIDs that are not derived: those that the
    request itself sets."""

    def __init__(self, secret: bytes, given: Mapping[tuple[Kind, str], str] | None = None) -> None:
        self._secret = secret
        self._given = dict(given or {})

    def give(self, kind: Kind, old: bytes, new: str) -> None:
        """`old` becomes `new` from now on."""
        self._given[kind, _text(old)] = new

    def name(self, patient_id: bytes) -> str:
        """The pseudonym of a patient."""
        return f"Anonymized{self._digest(b'name', patient_id)[:5].hex().upper()}"

    def days(self, patient_id: bytes) -> int:
        """By how many days the dates of a patient are moved: back by one month to ten years."""
        return -30 - int.from_bytes(self._digest(b"days", patient_id)) % (10 * 365 - 30)

    def _digest(self, purpose: bytes, patient_id: bytes) -> bytes:
        message = purpose + b"|" + patient_id.strip(b" \0")
        return blake2b(message, digest_size=16, key=self._secret).digest()

    def new(self, kind: Kind, old: bytes, place: bytes = b"") -> bytes:
        """The identifier for a raw value: a UID, for patients a UUID. An empty value has one for
        each `place` where it stands."""
        text = _text(old)
        given = self._given.get((kind, text))
        if given is not None:
            return given.encode("latin-1", "ignore")
        message = b"%d|%s" % (kind, text.encode("latin-1"))
        if not text and kind != Kind.PATIENT:
            message += b"|" + place
        digest = blake2b(message, digest_size=16, key=self._secret).digest()
        number = int.from_bytes(digest) & ~_FIXED_BITS | _RANDOM_UUID
        return (str(UUID(int=number)) if kind == Kind.PATIENT else f"2.25.{number}").encode()


def _text(raw: bytes) -> str:
    return raw.strip(b" \0").decode("latin-1")
