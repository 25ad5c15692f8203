"""Hashes of passwords, for configurations that hold none in clear: scrypt (RFC 7914)."""

import base64
import hashlib
import hmac
import secrets
from typing import Final

_LOG_N: Final = 14  # 16 MB
_R: Final = 8
_P: Final = 5  # about 0.2 s
_SALT: Final = 16  # bytes
_KEY: Final = 32


def hashed(password: str) -> str:
    """What the option PasswordHash takes; another one each time."""
    salt = secrets.token_bytes(_SALT)
    key = _key(password, salt, _LOG_N, _R, _P)
    return f"scrypt${_LOG_N}${_R}${_P}${_text(salt)}${_text(key)}"


def matches(password: str, text: str) -> bool:
    """Whether `text` is a hash of this password, in a time that does not tell how close it was."""
    _, log_n, r, p, salt, key = text.split("$")
    found = _key(password, _bytes(salt), int(log_n), int(r), int(p))
    return hmac.compare_digest(found, _bytes(key))


def _key(password: str, salt: bytes, log_n: int, r: int, p: int) -> bytes:
    memory = 256 * r << log_n  # twice of what it takes
    return hashlib.scrypt(
        password.encode(), salt=salt, n=1 << log_n, r=r, p=p, dklen=_KEY, maxmem=memory
    )


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
