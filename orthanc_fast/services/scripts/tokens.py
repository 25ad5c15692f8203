"""Tokens by which scripts, and the programs they tell, pass the authentication of this server until
it stops. Source: reference chapter 7, section 3."""

import hashlib
import uuid
from typing import Final

from orthanc_fast.runtime.contract import Runtime

TOPIC: Final = "script-tokens"
SCHEME: Final = b"Bearer "


def new_token(runtime: Runtime) -> str:
    """A new one, which all processes know. Its digest is what is kept."""
    token = str(uuid.uuid4())
    name = _name(token.encode())
    runtime.write(lambda transaction: transaction.set(name, b"\1"))
    return token


def is_token(runtime: Runtime, authorization: bytes) -> bool:
    """Whether a header field `Authorization` holds one."""
    token = authorization.removeprefix(SCHEME).strip()
    return authorization.startswith(SCHEME) and runtime.get(_name(token)) is not None


def _name(token: bytes) -> str:
    return f"{TOPIC}/{hashlib.sha256(token).hexdigest()}"
