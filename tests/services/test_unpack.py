"""Archives within bounds, without a server."""

import gzip
import io
import zipfile
from itertools import count
from pathlib import Path

import pytest

from orthanc_fast.errors import BadFileFormat, BadRequest, OrthancError
from orthanc_fast.services.ingest.unpack import Bounds, Unpacking, gunzip, members
from orthanc_fast.storage.conformance import spooled
from orthanc_fast.storage.contract import Spool
from orthanc_fast.storage.files.area import StorageArea
from orthanc_fast.storage.upload_memory import Share, UploadMemory

MB = 1 << 20


def archive(contents: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in contents.items():
            made.writestr(name, content)
    return buffer.getvalue()


def share() -> Share:
    return Share(UploadMemory(1 << 30))


class Area(StorageArea):
    """A storage whose spools can be counted."""

    def files(self) -> list[Path]:
        return sorted(self.root.glob("incoming/*/*"))


@pytest.fixture
def area(tmp_path: Path) -> Area:
    return Area(tmp_path, "test")


def test_large_members_go_through_files(area: Area) -> None:
    large = bytes(range(256)) * 2000
    body = archive({"a": b"small", "folder/": b"", "empty": b"", "b": large, "c": b"more"})
    found = []
    for content in members(body, Bounds(memory=1000), area.new_spool, share()):
        if isinstance(content, Spool):
            assert content.size == len(large)
            found.append(content.read())
            content.drop()
        else:
            found.append(content)
    assert found == [b"small", large, b"more"]
    with spooled(area, body) as packed:
        contents = members(packed, Bounds(), area.new_spool, share())
        assert list(contents) == [b"small", large, b"more"]
    assert area.files() == []


def test_an_archive_without_members_holds_nothing(area: Area) -> None:
    assert list(members(archive({}), Bounds(), area.new_spool, share())) == []


def test_gzip_bodies(area: Area, tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    packed = gzip.compress(content)
    assert gunzip(packed, Bounds(), area.new_spool, share()) == content
    assert gunzip(gzip.compress(b""), Bounds(), area.new_spool, share()) == b""
    spilled = gunzip(packed, Bounds(memory=1000), area.new_spool, share())
    assert isinstance(spilled, Spool)
    assert spilled.read() == content
    with spooled(area, packed) as body:
        assert gunzip(body, Bounds(), area.new_spool, share()) == content
    spilled.drop()
    for broken in (packed[:-10], packed[:20], b"\0" * 100, packed[:30] + b"\xff" * 30, b""):
        with pytest.raises(BadFileFormat):
            gunzip(broken, Bounds(memory=1000), area.new_spool, share())
    assert area.files() == []


def refusal(bounds: Bounds, body: bytes, area: Area) -> OrthancError:
    with pytest.raises(OrthancError) as caught:
        for content in members(body, bounds, area.new_spool, share()):
            if isinstance(content, Spool):
                content.drop()
    assert area.files() == []
    return caught.value


def test_bounds_name_their_options(area: Area) -> None:
    body = archive({str(number): b"\0" * MB for number in range(20)})
    for bounds, option in (
        (Bounds(members=19), "MaximumArchiveMembers"),
        (Bounds(total=20 * MB - 1), "MaximumArchiveSizeMB"),
        (Bounds(ratio=100, judged_from=10 * MB), "MaximumArchiveRatio"),
    ):
        error = refusal(bounds, body, area)
        assert isinstance(error, BadRequest)
        assert error.http_status == 413
        assert option in str(error.details)
    error = refusal(Bounds(member=MB - 1), body, area)
    assert isinstance(error, BadFileFormat)
    exactly = Bounds(member=MB, total=20 * MB, members=20, ratio=1100, judged_from=0)
    assert len(list(members(body, exactly, area.new_spool, share()))) == 20
    assert len(list(members(body, Bounds(ratio=100), area.new_spool, share()))) == 20  # small


def test_a_directory_that_lies_is_found_out(area: Area) -> None:
    """The directory announces 10 bytes for each member, the streams hold 1 MB."""
    body = archive({str(number): b"\0" * MB for number in range(20)})
    body = body.replace(MB.to_bytes(4, "little"), (10).to_bytes(4, "little"))
    assert isinstance(refusal(Bounds(memory=1000), body, area), BadFileFormat)
    # As many entries as one likes, whatever number stands at the end.
    many = bytearray(archive({str(number): b"" for number in range(5000)}))
    end = many.rfind(b"PK\x05\x06")
    many[end + 8 : end + 12] = b"\1\0\1\0"
    assert "MaximumArchiveMembers" in str(refusal(Bounds(members=4999), bytes(many), area).details)
    assert list(members(bytes(many), Bounds(members=5000), area.new_spool, share())) == []


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_whose_output_has_no_bound_are_refused(area: Area, method: int) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as made:
        made.writestr("a", b"x" * MB)
    error = refusal(Bounds(), buffer.getvalue(), area)
    assert isinstance(error, BadFileFormat)
    assert f"method {method}" in str(error.details)


def test_a_name_that_is_no_text_makes_a_damaged_member(area: Area) -> None:
    """That of the member itself: the directory has it right."""
    body = archive({"\u00e4": b"content"}).replace("\u00e4".encode(), b"\xff\xff", 1)
    assert isinstance(refusal(Bounds(), body, area), BadFileFormat)


def test_what_unpacks_is_counted_as_it_comes(area: Area) -> None:
    unpacking = Unpacking(Bounds(total=3 * MB, memory=MB), 1, area.new_spool, share())
    first = unpacking.content(iter([b"x" * MB, b"y" * MB]))
    assert isinstance(first, Spool)
    with pytest.raises(BadRequest):
        unpacking.content(b"z" * MB for _ in count())
    assert first.read() == b"x" * MB + b"y" * MB
    first.drop()
    assert area.files() == []
