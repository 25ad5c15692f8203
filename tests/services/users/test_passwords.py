"""Hashes of passwords."""

import base64
import hashlib

import pytest

from orthanc_fast.config_users import PASSWORD_HASH
from orthanc_fast.services.users.passwords import hashed, matches


@pytest.mark.parametrize("password", ["secret", "ä: €", "x" * 200, " "])
def test_a_hash_is_of_its_password_only(password: str) -> None:
    text = hashed(password)
    assert PASSWORD_HASH.fullmatch(text)
    assert matches(password, text)
    assert not matches(password + "x", text)
    assert not matches("", text)


def test_hashes_of_the_same_differ() -> None:
    assert hashed("a") != hashed("a")


def test_it_is_scrypt() -> None:
    """By the numbers that stand in the text."""
    _, log_n, r, p, salt, key = hashed("pleaseletmein").split("$")
    expected = hashlib.scrypt(
        b"pleaseletmein",
        salt=base64.urlsafe_b64decode(salt + "=="),
        n=2 ** int(log_n),
        r=int(r),
        p=int(p),
        dklen=32,
        maxmem=1 << 27,
    )
    assert base64.urlsafe_b64decode(key + "=") == expected
