"""The records of a ZIP archive, read back by four programs."""

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.zip_readers import assert_readable

from orthanc_fast._ext.zip_records import Records, stored_blocks

STAMP = (46 << 9 | 11 << 5 | 30) << 16 | (2 << 11 | 35 << 5 | 15)  # 2026-11-30 02:35:30
CONTENTS = {b"empty": b"", b"a/b.dcm": b"x" * 70_000, "ß".encode(): b"abc", b"c": bytes(1000)}


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def directory_of(records: Records) -> list[bytes]:
    """Its size is known before."""
    found = records.directory()
    assert records.directory_size == sum(map(len, found))
    return found


def archive(records: Records, contents: dict[bytes, bytes]) -> Iterator[bytes]:
    """Deflated and stored by turns."""
    for number, (name, data) in enumerate(contents.items()):
        crc, method = zlib.crc32(data), 8 * (number % 2)
        packed = deflated(data) if method else data
        yield records.member(name, 1 << 11, method, STAMP, crc, len(packed), len(data))
        yield packed
    yield from directory_of(records)


def described(records: Records, contents: dict[bytes, bytes]) -> Iterator[bytes]:
    """Deflated, sizes after the data."""
    for name, data in contents.items():
        packed = deflated(data)
        yield records.begin(name, 1 << 11, 8, STAMP, len(data) + 100)
        yield packed
        yield records.finish(zlib.crc32(data), len(packed), len(data))
    yield from directory_of(records)


@pytest.mark.parametrize("make", [archive, described])
@pytest.mark.parametrize("large", [0xFFFFFFFF, 1000, 1])
def test_four_readers_are_content(tmp_path: Path, make: object, large: int) -> None:
    """Also where sizes and offsets are ZIP64 from the first bytes on."""
    assert callable(make)
    records = Records(b"Created by Orthanc", large)
    path = tmp_path / "made.zip"
    path.write_bytes(b"".join(make(records, CONTENTS)))
    assert assert_readable(path) == [name.decode() for name in CONTENTS]
    with zipfile.ZipFile(path) as found:
        assert found.comment == b"Created by Orthanc"
        for name, data in CONTENTS.items():
            assert found.read(name.decode()) == data
            assert found.getinfo(name.decode()).date_time == (2026, 11, 30, 2, 35, 30)
    assert records.count == len(CONTENTS)


def test_an_empty_archive_is_its_end(tmp_path: Path) -> None:
    made = b"".join(directory_of(Records(b"Created by Orthanc")))
    assert len(made) == 40
    (tmp_path / "empty.zip").write_bytes(made)
    with zipfile.ZipFile(tmp_path / "empty.zip") as found:
        assert found.namelist() == []


def test_more_members_than_16_bits_count(tmp_path: Path) -> None:
    records, measured, path = Records(), Records(measures=True), tmp_path / "many.zip"
    with path.open("wb") as file:
        for number in range(70_000):
            file.write(records.member(b"%d" % number, 0, 0, STAMP, 0, 0, 0))
            measured.member(b"%d" % number, 0, 0, STAMP, 0, 0, 0)
        file.writelines(directory_of(records))
    assert len(assert_readable(path)) == 70_000
    assert max(map(len, records.directory())) < 300_000
    assert measured.offset == records.offset
    assert measured.directory_size == records.directory_size
    with pytest.raises(ValueError, match="measures"):
        measured.directory()


def test_members_beyond_4_gib(tmp_path: Path) -> None:
    """The data are a hole in the file: only offsets and sizes matter here, which is what the
    central directory tells."""
    size = 5 << 30
    records, path = Records(), tmp_path / "large.zip"
    with path.open("wb") as file:
        file.write(records.member(b"large", 0, 0, STAMP, 0, size, size))
        file.seek(size, 1)
        assert file.tell() == records.offset
        file.write(records.member(b"after", 0, 0, STAMP, zlib.crc32(b"abc"), 3, 3) + b"abc")
        file.writelines(directory_of(records))
    with zipfile.ZipFile(path) as found:
        assert found.getinfo("large").file_size == size
        assert found.getinfo("after").header_offset > size
        assert found.read("after") == b"abc"


def test_what_is_out_of_turn_is_refused() -> None:
    records = Records()
    with pytest.raises(ValueError, match="no member"):
        records.finish(0, 0, 0)
    records.begin(b"a", 0, 8, STAMP, 10)
    with pytest.raises(ValueError, match="open"):
        records.member(b"b", 0, 0, STAMP, 0, 0, 0)
    with pytest.raises(ValueError, match="open"):
        records.directory()
    with pytest.raises(ValueError, match="announced"):
        records.finish(0, 1 << 32, 1 << 32)
    with pytest.raises(ValueError, match="65536"):
        Records().member(bytes(65536), 0, 0, STAMP, 0, 0, 0)
    with pytest.raises(ValueError, match="comment"):
        Records(bytes(65536))


@given(st.binary(max_size=200_000), st.integers(0, 140_000))
def test_stored_blocks_inflate_to_what_they_store(data: bytes, at: int) -> None:
    stream = stored_blocks(data[:at], False) + stored_blocks(data[at:], True)
    unpacker = zlib.decompressobj(-15)
    assert unpacker.decompress(stream) == data
    assert unpacker.eof
    assert len(stream) <= len(data) + 5 * (len(data) // 65535 + 3)
