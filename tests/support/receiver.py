"""A receiver of webhooks: a server in a thread that keeps what it gets and answers as told."""

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import msgspec


class Delivery(NamedTuple):
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> Any:
        return msgspec.json.decode(self.body)


class Receiver:
    """`answer` gives the status of each delivery, and may take its time."""

    def __init__(self, answer: Callable[[Delivery], int] = lambda delivery: 204) -> None:
        self.deliveries: list[Delivery] = []
        self.answer = answer
        self.location = ""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                delivery = Delivery(self.path, headers, body)
                receiver.deliveries.append(delivery)
                status = receiver.answer(delivery)
                try:
                    self.send_response(status)
                    if receiver.location:
                        self.send_header("Location", receiver.location)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                except OSError:
                    pass  # the sender did not wait

            def log_message(self, *arguments: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> "Receiver":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.socket.close()

    def wait(self, number: int, patience: float = 30) -> list[Delivery]:
        """The deliveries, once there are so many."""
        deadline = time.monotonic() + patience
        while len(self.deliveries) < number:
            assert time.monotonic() < deadline, f"{len(self.deliveries)} of {number} deliveries"
            time.sleep(0.02)
        return list(self.deliveries)
