"""ZIP archives read by four programs that have nothing in common."""

import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

from stream_unzip import stream_unzip

TOOLS = {"unzip": "unzip", "7z": "p7zip-full"}
_PART = 1 << 16


def assert_readable(path: Path) -> list[str]:
    """All four have read every byte of the archive and had nothing to say; the names of the
    members in their order, which is the same for all."""
    for command in (["unzip", "-tqq", str(path)], ["7z", "t", "-bd", str(path)]):
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        text = done.stdout.decode(errors="replace")
        assert done.returncode == 0, text
        assert "warning" not in text.lower(), text
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        found = [member.orig_filename for member in archive.infolist()]
        sizes = [member.file_size for member in archive.infolist()]
    assert streamed(path) == list(zip(found, sizes, strict=True))
    return found


def streamed(path: Path) -> list[tuple[str, int]]:
    """Names and sizes as they are for a reader that sees the archive from front to back only."""
    found = []
    for name, _, content in stream_unzip(_parts(path)):
        found.append((name.decode(), sum(map(len, content))))
    return found


def _parts(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while part := file.read(_PART):
            yield part
