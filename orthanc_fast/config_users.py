"""The options `Users` and `Sessions`: what users may do, and how long they stay logged in.

For each there is a function that makes it of what the file says. They raise ValueError with the
reason.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from orthanc_fast.config_sections import Permission
from orthanc_fast.registries import LABEL
from orthanc_fast.rights import EVERYTHING, Right

# scrypt$<log2 of N>$<r>$<p>$<salt>$<key>: as `orthanc-fast password` prints it.
PASSWORD_HASH: Final = re.compile(
    r"scrypt\$(1[0-9]|20)\$([1-9]|[12][0-9])\$([1-9])\$([A-Za-z0-9_-]{22,})\$([A-Za-z0-9_-]{43,})"
)


class User(msgspec.Struct, frozen=True):
    """One user. `password` is empty where there is only a hash of it, which is empty otherwise."""

    name: str
    password: str = ""
    password_hash: str = ""
    rights: Right = EVERYTHING
    labels: frozenset[str] | None = None  # of the studies that he sees; None: all


class Sessions(msgspec.Struct, frozen=True, rename="pascal", forbid_unknown_fields=True):
    """How long a log-in and a share link may last."""

    minutes: int = 720
    share_days: int = 30


class _User(msgspec.Struct, frozen=True, rename="pascal", forbid_unknown_fields=True):
    permissions: tuple[Permission, ...] | None = None
    read_only: bool = False
    labels: tuple[str, ...] | None = None
    password_hash: str = ""


def users(value: Any, passwords: Mapping[str, str]) -> tuple[User, ...]:
    """All users: those of the section `Users`, and those of `passwords`, the option
    RegisteredUsers, who may do everything unless they are in the section."""
    listed = msgspec.convert(value, dict[str, _User])
    found = [User(name, password) for name, password in passwords.items() if name not in listed]
    for name, entry in listed.items():
        try:
            found.append(_user(name, entry, passwords.get(name, "")))
        except ValueError as error:
            raise ValueError(f"{name!r}: {error}") from error
    return tuple(found)


def _user(name: str, entry: _User, password: str) -> User:
    if not name or ":" in name:
        raise ValueError("a name is not empty and has no colon")
    if entry.password_hash and PASSWORD_HASH.fullmatch(entry.password_hash) is None:
        raise ValueError("PasswordHash must be what `orthanc-fast password` prints")
    if bool(entry.password_hash) == bool(password):
        raise ValueError("give the password in RegisteredUsers, or PasswordHash, and not both")
    if entry.read_only == (entry.permissions is not None):
        raise ValueError("give either Permissions or ReadOnly: true")
    rights = Right(0)
    for permission in ("browse",) if entry.read_only else entry.permissions or ():
        rights |= Right[permission.upper()]
    labels = None if entry.labels is None else frozenset(entry.labels)
    if labels is not None:
        wrong = [label for label in entry.labels or () if LABEL.match(label) is None]
        if wrong or not labels:
            raise ValueError("Labels must list labels: 1 to 64 of A-Z, a-z, 0-9, _ and -")
        if Right.ADMINISTRATE in rights:
            raise ValueError("who administrates the server sees everything: remove Labels")
    return User(name, password, entry.password_hash, rights, labels)


def sessions(value: Any) -> Sessions:
    """The options of the section `Sessions`."""
    found = msgspec.convert(value, Sessions)
    if not 1 <= found.minutes <= 525_600:
        raise ValueError("Minutes must be from 1 to 525600, a year")
    if not 0 <= found.share_days <= 3650:
        raise ValueError("ShareDays must be from 0 (no share links) to 3650")
    return found
