"""Pages of another site than that of the server under test."""

import functools
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *values: object) -> None:
        pass


@contextmanager
def pages(folder: Path) -> Iterator[int]:
    """The port, on this machine, of a server of the pages in a folder, which is made if need be."""
    folder.mkdir(exist_ok=True)
    handler = functools.partial(_Silent, directory=str(folder))
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=running.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield running.server_port
    finally:
        running.shutdown()
        thread.join()
        running.server_close()
