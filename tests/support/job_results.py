"""Studies on which jobs work, and what has become of them."""

import time
from typing import Any

import httpx
from support import generated

PATIENCE = 60.0  # seconds


def upload(client: httpx.Client, patient: int, count: int) -> str:
    """A study of `count` instances in three series; its identifier."""
    template = generated.small()
    for number in range(count):
        data = template.number(patient, patient, number % 3, number)
        answer = client.post("/instances", content=data).json()
    return str(answer["ParentStudy"])


def completed(client: httpx.Client, job: str) -> dict[str, Any]:
    """The job, once it has ended."""
    end = time.monotonic() + PATIENCE
    while True:
        found: dict[str, Any] = client.get(f"/jobs/{job}").json()
        if found["State"] in ("Success", "Failure"):
            return found
        assert time.monotonic() < end, found
        time.sleep(0.02)


def instances(client: httpx.Client, study: str) -> list[str]:
    """Of a study, ascending; none where it is gone."""
    answer = client.get(f"/studies/{study}/instances?expand=false")
    return sorted(answer.json()) if answer.is_success else []
