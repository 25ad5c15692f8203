"""What an upload makes of answers that no DICOM server gives."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from orthanc_fast.client.upload import import_paths


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """A server of HTTP that says the same to whatever is posted."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("body", [b"", b"<html>Welcome</html>", b"[]", b"{}", b"17", b"\xff\xfe"])
def test_files_that_nobody_took_are_refused(tmp_path: Path, status: int, body: bytes) -> None:
    names = [str(tmp_path / f"{number}.dcm") for number in range(9)]
    for name in names:
        Path(name).write_bytes(bytes(128) + b"DICM" + name.encode())
    with answering(status, body) as url:
        summary = import_paths([tmp_path], url, None, connections=2)
    assert (summary.stored, summary.already, summary.others) == (0, 0, 0)
    (reason,) = summary.refused
    assert str(status) in reason
    assert sorted(summary.refused[reason]) == names
    assert summary.refusals == 9


def test_an_error_of_the_program_is_the_reason_of_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pool keeps what its work raises to itself."""

    def broken(*_: object) -> tuple[str, str]:
        raise LookupError("broken")

    monkeypatch.setattr("orthanc_fast.client.upload._send", broken)
    (tmp_path / "1.dcm").write_bytes(b"1")
    summary = import_paths([tmp_path], "http://127.0.0.1:9", None)
    assert summary.refused == {"LookupError: broken": [str(tmp_path / "1.dcm")]}
