"""Script processes that are killed while instances come in."""

import os
import signal
import time
from collections.abc import Callable
from typing import Final

import httpx
from support import generated
from support.process import ServerProcess, workers
from support.storm import Language
from support.waiting import until

KILLS: Final = int(os.environ.get("KILL_ROUNDS", "8"))
BETWEEN: Final = 10  # instances between two kills


def kill_scripts(server: ServerProcess, language: Language) -> None:
    """Once they are there."""
    assert server.process is not None
    found = workers(server.process.pid, language)
    while not found:
        time.sleep(0.02)
        found = workers(server.process.pid, language)
    os.kill(found[0], signal.SIGKILL)


def killed_under_ingest(
    server: ServerProcess,
    client: httpx.Client,
    language: Language,
    heard: Callable[[], list[str]],
) -> list[str]:
    """Kills them again and again. Each instance is told of, and the order stays; gives what was
    told more than once."""
    small = generated.small()
    expected = []
    for number in range(KILLS * BETWEEN):
        answer = client.post("/instances", content=small.number(1, 1, 1, number))
        expected.append(answer.json()["ID"])
        if number % BETWEEN == BETWEEN - 1:
            kill_scripts(server, language)
    until(lambda: heard()[-1:] == expected[-1:])
    told = heard()
    first = list(dict.fromkeys(told))
    assert first == expected
    return [each for number, each in enumerate(told) if each in told[:number]]
