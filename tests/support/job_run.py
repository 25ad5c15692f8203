"""A run of a job without the engine, which keeps what its kind says."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from orthanc_fast.model import SERVER
from orthanc_fast.services.jobs.contract import Run


class KeptRun(Run):
    """`on_step` is called with the progress, and may raise Stopped."""

    def __init__(
        self,
        payload: bytes,
        memory: bytes | None = None,
        on_step: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        self.id = "job"
        self.payload = payload
        self.caller = SERVER
        self.content: dict[str, Any] = {}
        self.steps: list[tuple[int, int]] = []
        self.memory = memory
        self._on_step = on_step

    def step(self, done: int, total: int) -> None:
        self.steps.append((done, total))
        self._on_step(done, total)

    def tell(self, **content: Any) -> None:
        self.content.update(content)

    def remember(self, memory: bytes) -> None:
        self.memory = memory

    @property
    def recalled(self) -> bytes | None:
        return self.memory

    def announce(self, made: bytes) -> None:
        raise NotImplementedError

    @property
    def announced(self) -> bytes:
        return b""

    def output(self, key: str, filename: str, media_type: str) -> Path:
        raise NotImplementedError
