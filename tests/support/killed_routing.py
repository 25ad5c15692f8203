"""Killing a server that routes while instances are uploaded to it."""

import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

import httpx
from support import generated
from support.process import children
from support.server import OurServer
from support.waiting import until

PATIENCE = 240.0


class Uploads(threading.Thread):
    """Uploads so many instances, whatever is killed: what is acknowledged counts."""

    def __init__(self, url: str, count: int, pause: float = 0.02) -> None:
        super().__init__()
        self._url = url
        self._count = count
        self._pause = pause  # seconds
        self.acknowledged: list[str] = []
        self.is_over = False

    def run(self) -> None:
        template = generated.small()
        with httpx.Client(base_url=self._url, timeout=10) as client:
            for number in range(self._count):
                data = template.number(1, number // 20, 1, number)
                while not self.is_over:
                    with suppress(httpx.TransportError):
                        reply = client.post("/instances", content=data)
                        if reply.status_code == 200:
                            self.acknowledged.append(reply.json()["ID"])
                            break
                    time.sleep(0.05)
                time.sleep(self._pause)


def kill(server: OurServer, everything: bool) -> None:
    """The server, which is started again, or only its process that routes."""
    if everything:
        server.kill_all()
        server.start()
        return
    assert server.process is not None
    found: list[int] = []

    def look() -> bool:
        assert server.process is not None
        for child in children(server.process.pid):
            with suppress(OSError):
                if Path(f"/proc/{child}/comm").read_text().strip() == "orthanc-routing":
                    found.append(child)
        return bool(found)

    until(look)
    os.kill(found[0], signal.SIGKILL)
    until(lambda: not Path(f"/proc/{found[0]}").exists())


def pending(client: httpx.Client) -> list[int]:
    """Of all destinations."""
    states = client.get("/routing").json()["Destinations"]
    return [each["Pending"] for each in states.values()]
