"""Jobs that send to a peer, as tests submit and watch them."""

import itertools
import time
from typing import Any

import httpx
from support import generated

PATIENCE = 60.0

_numbers = itertools.count(1)


def uploaded(client: httpx.Client, count: int) -> list[str]:
    number, template = next(_numbers), generated.small()
    return [
        client.post("/instances", content=template.number(number, number, 1, each + 1)).json()["ID"]
        for each in range(count)
    ]


def send(client: httpx.Client, url: str, instances: list[str], **options: Any) -> httpx.Response:
    client.put("/peers/p", json=[url]).raise_for_status()
    return client.post("/peers/p/store", json={"Resources": instances, **options})


def wait_for(client: httpx.Client, job: str, *states: str) -> dict[str, Any]:
    """The job as soon as it is in one of the states."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found: dict[str, Any] = client.get(f"/jobs/{job}").json()
        if found["State"] in states:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
