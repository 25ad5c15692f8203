"""Archives that are cut off or damaged: what is whole is found, what is not is named."""

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from orthanc_fast.client.archives import files

# Neither text nor zeros, so that compressed forms are about as long.
_RNG = np.random.default_rng(7)
MEMBERS = {name: _RNG.bytes(5000) for name in ("a", "b", "c")}
_EACH = 512 + 5120  # a header, and the content in whole blocks


def tar_of(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def found_in(path: Path) -> tuple[dict[str, bytes], list[str]]:
    """The members, and the names of what was refused, without the path of the archive."""
    refused: list[str] = []
    found = {each.name: each.data for each in files(path, lambda name, why: refused.append(name))}
    before = f"{path}:"
    names = [name.removeprefix(before) if name != str(path) else "archive" for name in refused]
    return {name.removeprefix(before): data for name, data in found.items()}, names


@pytest.mark.parametrize(
    "length, whole, refused",
    [
        (3 * _EACH + 1024, ["a", "b", "c"], []),
        (3 * _EACH, ["a", "b", "c"], ["archive"]),  # without the mark of its end
        (2 * _EACH + 512 + 100, ["a", "b"], ["c", "archive"]),  # inside a member
        (2 * _EACH + 512, ["a", "b"], ["c", "archive"]),  # behind its header
        (2 * _EACH + 100, ["a", "b"], ["archive"]),  # inside a header
        (2 * _EACH, ["a", "b"], ["archive"]),  # in front of it
        (_EACH + 512 + 1, ["a"], ["b", "archive"]),
    ],
)
def test_a_tar_that_is_cut_off(
    tmp_path: Path, length: int, whole: list[str], refused: list[str]
) -> None:
    path = tmp_path / "cut.tar"
    path.write_bytes(tar_of(MEMBERS)[:length])
    assert found_in(path) == ({name: MEMBERS[name] for name in whole}, refused)


def test_a_damaged_header_between_members(tmp_path: Path) -> None:
    data = bytearray(tar_of(MEMBERS))
    data[_EACH : _EACH + 512] = b"?" * 512
    path = tmp_path / "damaged.tar"
    path.write_bytes(data)
    assert found_in(path) == ({"a": MEMBERS["a"]}, ["archive"])


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_a_compressed_tar_that_is_cut_off(
    tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    members = {name: _RNG.bytes(1 << 20) for name in ("a", "b", "c")}
    packed = compress(tar_of(members))
    path = tmp_path / "cut.tgz"
    path.write_bytes(packed[: len(packed) * 19 // 20])
    found, refused = found_in(path)
    assert found == {name: members[name] for name in ("a", "b")}
    assert refused == ["c", "archive"]


def test_a_compressed_file_that_is_cut_off_is_none(tmp_path: Path) -> None:
    packed = gzip.compress(MEMBERS["a"])
    path = tmp_path / "cut.gz"
    path.write_bytes(packed[:-100])
    assert found_in(path) == ({}, ["archive"])


def test_an_archive_in_a_cut_one(tmp_path: Path) -> None:
    inner = tar_of(MEMBERS)
    path = tmp_path / "outer.tar"
    path.write_bytes(tar_of({"inner": inner[: _EACH + 700], "d": b"d"}))
    found, refused = found_in(path)
    assert found == {"inner:a": MEMBERS["a"], "d": b"d"}
    assert refused == ["inner:b", "inner"]
