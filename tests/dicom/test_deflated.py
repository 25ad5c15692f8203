"""What deflated files may cost before anybody knows what is in them."""

import json
import struct
import threading
import time
import tracemalloc
import zlib
from queue import SimpleQueue

import pytest

from orthanc_fast._ext.scan import ScanError
from orthanc_fast.dicom import inflating
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.inflating import GATE, JUDGED_FROM, MemoryGate
from orthanc_fast.dicom.part10 import open_dicom, opened_at_once
from orthanc_fast.dicom.tag_json import Format, header_json, tags_json
from orthanc_fast.errors import BadFileFormat, OrthancError

MB = 1 << 20


def deflated(parts: list[bytes], version_name: bytes = b"") -> bytes:
    """A DICOM file with these bytes as its data set, and a meta header that may be long."""
    compressor = zlib.compressobj(1, wbits=-zlib.MAX_WBITS)
    packed = b"".join([*(compressor.compress(part) for part in parts), compressor.flush()])
    return file_of(b"1.2.840.10008.1.2.1.99", packed, version_name)


def file_of(syntax: bytes, data_set: bytes, version_name: bytes = b"") -> bytes:
    """`syntax` with an even number of bytes."""
    meta = b""
    if version_name:
        meta += b"\2\0\3\0UI" + struct.pack("<H", len(version_name)) + version_name
    meta += b"\2\0\x10\0UI" + struct.pack("<H", len(syntax)) + syntax
    length = b"\2\0\0\0UL\4\0" + struct.pack("<I", len(meta))
    return bytes(128) + b"DICM" + length + meta + data_set


def test_one_copy_in_memory() -> None:
    size = 64 * MB
    data = deflated([bytes(MB)] * 64)
    tracemalloc.start()
    try:
        opened = open_dicom(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert opened.inflated
    assert len(opened.data) == opened.start + size
    assert peak < 1.1 * size


def test_contents_of_any_size() -> None:
    """Around the steps in which it is done."""
    for size in (1, MB - 1, MB, MB + 1, 3 * MB):
        content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
        opened = open_dicom(deflated([content]))
        assert bytes(opened.data[opened.start :]) == content


def test_what_is_cut_off_is_refused() -> None:
    data = deflated([bytes(range(256)) * 10])
    with pytest.raises(ScanError, match="truncated"):
        open_dicom(data[:-3])
    with pytest.raises(ScanError, match="cannot be inflated"):
        open_dicom(data[: data.index(b"1.99") + 4] + b"\xff" * 40)


def test_small_files_that_hold_too_much_are_refused() -> None:
    assert len(open_dicom(deflated([bytes(MB)] * 100)).data) > 100 * MB
    bomb = deflated([bytes(MB)] * ((JUDGED_FROM >> 20) + 1))
    with pytest.raises(BadFileFormat, match=r"exceeds the 256 MB.* send it in another transfer"):
        open_dicom(bomb)


def test_the_header_is_read_without_the_data_set() -> None:
    bomb = deflated([bytes(MB)] * ((JUDGED_FROM >> 20) + 1))
    found = json.loads(header_json(bomb, "simplify", Dictionary({}, False)))
    assert found["TransferSyntaxUID"] == "1.2.840.10008.1.2.1.99"


def data_set(pixels: int, before: bytes = b"") -> list[bytes]:
    """A name, what is to stand before the pixel data, and these."""
    name = b"\x10\0\x10\0PN\x04\0A^B "
    head = b"\xe0\x7f\x10\0OW\0\0" + struct.pack("<I", pixels)
    return [name, before, head, bytes(pixels)]


class Counting(MemoryGate):
    """Knows how many have entered."""

    entered = 0

    def enter(self, size: int) -> None:
        super().enter(size)
        self.entered += 1


NESTED = b"\x40\0\x75\x02SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff" + (
    b"\xe0\x7f\x10\0OW\0\0\2\0\0\0\0\0" + b"\xfe\xff\r\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
)


@pytest.mark.parametrize("form", ["full", "short", "simplify"])
@pytest.mark.parametrize("before", [b"", NESTED], ids=["flat", "nested"])
def test_tags_need_what_stands_before_the_pixel_data(
    monkeypatch: pytest.MonkeyPatch, form: Format, before: bytes
) -> None:
    """Of 64 MB a megabyte is inflated, and the answer is that of a file that is not deflated."""
    parts, dictionary = data_set(64 * MB, before), Dictionary({}, False)
    data, plain = deflated(parts), file_of(b"1.2.840.10008.1.2.1\0", b"".join(parts))
    gate = Counting(GATE.room, 0)
    monkeypatch.setattr(inflating, "GATE", gate)
    tracemalloc.start()
    try:
        found = tags_json(data, form, dictionary)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found == tags_json(plain, form, dictionary)
    assert b"PixelData" in found or b"7fe0,0010" in found
    assert peak < 4 * MB
    assert gate.entered == 0


def test_tags_of_what_has_much_before_its_pixel_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or none at all: then it is inflated as a whole."""
    gate = Counting(GATE.room, 0)
    monkeypatch.setattr(inflating, "GATE", gate)
    large = b"\x42\0\x11\0OB\0\0" + struct.pack("<I", 2 * MB) + bytes(2 * MB)
    for parts in (data_set(16, large), data_set(16)[:1]):
        found = json.loads(tags_json(deflated(parts), "simplify", Dictionary({}, False)))
        assert found["PatientName"] == "A^B"
        assert ("PixelData" in found) == (len(parts) > 1)
    assert gate.entered == 2


def test_a_deflated_file_is_known_wherever_its_syntax_stands() -> None:
    assert opened_at_once(deflated([b"x"])) is None
    assert opened_at_once(deflated([b"x"], b"1." * 5000)) is None
    assert opened_at_once(b"") is not None
    assert opened_at_once(bytes(128) + b"DICM\2\0\x10\0UI\xff\xff1.2") is not None
    assert opened_at_once(deflated([b"x"]).replace(b"1.2.1.99", b"1.2.1\0\0\0")) is not None


# All of them together


def test_an_inflated_file_is_counted_as_long_as_it_is_looked_at() -> None:
    before = GATE.used
    opened = open_dicom(deflated([bytes(MB)] * 3))
    size = opened.start + 3 * MB
    assert GATE.used == before + size
    view = opened.data[MB : MB + 10]
    del opened
    assert GATE.used == before + size
    assert bytes(view) == bytes(10)
    del view
    assert GATE.used == before


def test_what_fails_is_not_counted() -> None:
    before = GATE.used
    data = deflated([bytes(range(256)) * 10])
    for broken in (data[:-3], data[: data.index(b"1.99") + 4] + b"\xff" * 40):
        with pytest.raises(ScanError):
            open_dicom(broken)
    assert GATE.used == before


def test_an_open_file_is_not_inflated_again() -> None:
    before = GATE.used
    opened = open_dicom(deflated([bytes(MB)]))
    assert open_dicom(opened) is opened
    assert GATE.used == before + len(opened.data)


def test_who_finds_no_room_waits_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = MemoryGate(5 * MB, 60)
    monkeypatch.setattr(inflating, "GATE", gate)
    data = deflated([bytes(MB)] * 4)
    entered: SimpleQueue[int] = SimpleQueue()
    first = open_dicom(data)

    def opens(number: int) -> None:
        opened = open_dicom(data)
        entered.put(number)
        assert gate.used == len(opened.data)

    threads = [threading.Thread(target=opens, args=(number,)) for number in range(5)]
    for waiting, thread in enumerate(threads, 1):
        thread.start()
        while gate.waiting < waiting:
            time.sleep(0.001)
    assert entered.empty()
    assert gate.used == len(first.data)
    del first
    for thread in threads:
        thread.join(30)
    assert [entered.get() for _ in threads] == list(range(5))
    assert gate.used == 0


def test_who_waits_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = MemoryGate(5 * MB, 0.01)
    monkeypatch.setattr(inflating, "GATE", gate)
    held = open_dicom(deflated([bytes(MB)] * 6))  # larger than all: alone
    with pytest.raises(OrthancError, match="too many large deflated files") as caught:
        open_dicom(deflated([b"x"]))
    assert (caught.value.code, caught.value.http_status) == (4, 503)
    assert gate.waiting == 0
    del held
    assert len(open_dicom(deflated([b"x"])).data)
