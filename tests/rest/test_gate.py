"""Guesses at passwords that come at the same time."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from orthanc_fast.config import Settings
from orthanc_fast.config_users import User
from orthanc_fast.rest.auth import Gate, credentials_token
from orthanc_fast.runtime.memory import MemoryRuntime
from orthanc_fast.services.processes.http import HttpServices
from orthanc_fast.services.users.guesses import MOST_OF_ADDRESS, Guesses
from orthanc_fast.services.users.passwords import hashed

PASSWORD = "of the hash"
ADDRESS = "10.0.0.1"


def made() -> tuple[Gate, HttpServices]:
    """A gate with a user whose password has to be hashed, and what it needs of the services."""
    settings = Settings(
        authentication_enabled=True, users=(User("a", password_hash=hashed(PASSWORD)),)
    )
    services = SimpleNamespace(guesses=Guesses(MemoryRuntime()))
    return Gate(settings), cast(HttpServices, services)


def test_guesses_that_come_together_are_counted_one_by_one() -> None:
    gate, services = made()

    async def guess() -> list[Any]:
        tokens = [credentials_token("a", f"guess {number}") for number in range(40)]
        return await asyncio.gather(
            *(gate.by_password(services, ADDRESS, token) for token in tokens)
        )

    answers = asyncio.run(guess())
    assert answers.count(None) == MOST_OF_ADDRESS
    assert all(isinstance(each, int) for each in answers if each is not None)


def test_a_password_has_one_form() -> None:
    gate, services = made()
    token = credentials_token("a", PASSWORD)

    async def ask(form: bytes) -> Any:
        return await gate.by_password(services, ADDRESS, form)

    for form in (token[:4] + b"!" + token[4:], token.rstrip(b"="), token + b"=="):
        if form != token:
            assert asyncio.run(ask(form)) is None
    found = asyncio.run(ask(token))
    assert found.name == "a"
    assert gate.known(b"Basic " + token) is found
