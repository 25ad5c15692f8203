"""Our server and Orthanc 1.13 with its DICOMweb plugin 1.24, and what their answers hold."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from support.reference_server import ReferenceServer
from support.server import OurServer

PLUGIN = "libOrthancDicomWeb.so"


class DicomWebPair(NamedTuple):
    """Clients whose base is the root of the servers: paths begin with /dicom-web or /wado."""

    ours: httpx.Client
    theirs: httpx.Client

    def store(self, *files: bytes) -> None:
        """Sends files to both by their REST APIs."""
        for client in self:
            for data in files:
                assert client.post("/instances", content=data).status_code == 200

    def get(self, path: str, **given: Any) -> tuple[httpx.Response, httpx.Response]:
        ours, theirs = (client.get(path, **given) for client in self)
        return ours, theirs


@contextmanager
def started(folder: Path, configuration: dict[str, Any] | None = None) -> Iterator[DicomWebPair]:
    """Both servers, empty, with the same configuration."""
    theirs = ReferenceServer(folder / "theirs", configuration, plugins=(PLUGIN,))
    with (
        OurServer(folder / "ours", configuration) as ours,
        theirs,
        httpx.Client(base_url=ours.url, timeout=60) as left,
        httpx.Client(base_url=theirs.url, timeout=60) as right,
    ):
        yield DicomWebPair(left, right)


class Part(NamedTuple):
    """One part of a multipart answer; names of headers in lower case."""

    headers: dict[str, str]
    content: bytes


def parts(answer: httpx.Response) -> list[Part]:
    """The parts of a multipart answer, which must be whole: its bytes as reference chapter 5,
    section 1.4, shows them."""
    kind = answer.headers["content-type"]
    boundary = kind.rpartition("boundary=")[2].strip('"').encode()
    assert kind.startswith("multipart/related"), kind
    body = answer.content
    assert body.startswith(b"--" + boundary), body[:200]
    head, closing, tail = body.rpartition(b"--" + boundary + b"--")
    assert closing, "the closing boundary is missing"
    assert tail in (b"", b"\r\n"), tail
    found = []
    for text in head.split(b"--" + boundary + b"\r\n")[1:]:
        lines, _, content = text.partition(b"\r\n\r\n")
        fields = (line.decode().split(": ", 1) for line in lines.split(b"\r\n"))
        headers = {name.lower(): value for name, value in fields}
        assert content.endswith(b"\r\n")
        content = content[:-2]
        assert int(headers["content-length"]) == len(content)
        found.append(Part(headers, content))
    return found
