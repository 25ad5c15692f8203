"""How many deflated files are inflated at the same time, and how often each."""

import asyncio
from pathlib import Path

import pytest
from support import generated
from support.files import file_named

from orthanc_fast.config import Settings
from orthanc_fast.dicom import inflating
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.display_attributes import display_attributes
from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.dicom.inflating import MemoryGate
from orthanc_fast.model import Caller
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import Response
from orthanc_fast.rest.routes.instance_files import get_content, get_file, get_tags
from orthanc_fast.services.ingest.contract import Stored
from orthanc_fast.services.pixels.pixels import open_image
from orthanc_fast.services.processes.http import HttpServices
from orthanc_fast.services.transcoding.transcode import transcode
from orthanc_fast.transfer_syntaxes import DEFLATED, EXPLICIT_LITTLE

MB = 1 << 20
SIZE = 16 * MB
CALLER = Caller(origin="RestApi", user="user", address="127.0.0.1")


class RecordingGate(MemoryGate):
    """Knows how many have entered, and the most that they have had together."""

    def __init__(self, room: int) -> None:
        super().__init__(room, 60)
        self.entered = self.peak = 0

    def enter(self, size: int) -> None:
        super().enter(size)
        self.entered += 1
        self.peak = max(self.peak, self.used)


def deflated(number: int) -> bytes:
    head = generated.ct_slice().number(1, 1, 1, number)[: -512 * 512 * 2 - 4]
    plain = head + SIZE.to_bytes(4, "little") + bytes(SIZE)
    return transcode(plain, DEFLATED, 90, Dictionary({}, False)).data


def test_together_they_take_no_more_than_the_gate_admits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Uploads, content and transcoding, each by several clients at once; tags need less."""
    files = [deflated(number) for number in range(1, 7)]
    gate = RecordingGate(2 * SIZE + MB)
    monkeypatch.setattr(inflating, "GATE", gate)

    async def run() -> None:
        settings = Settings(
            storage_directory=tmp_path, index_directory=tmp_path, index_map_size_gb=1
        )
        services = HttpServices(settings, "test", asyncio.get_running_loop(), print, True)
        uploads = [services.uploads.store(CALLER, data) for data in files]
        publics = []
        for stored in await asyncio.gather(*uploads):
            assert isinstance(stored, Stored) and stored.status == "Success"
            publics.append(stored.publics[3])

        def request(public: bytes, query: bytes = b"", *more: str) -> Request:
            scope = {"method": "GET", "headers": [], "query_string": query}
            made = Request(scope, never, services, [], "GET")
            made.caller = CALLER
            made.params = [to_text(public), *more]
            return made

        transcoded = f"transcode={EXPLICIT_LITTLE}".encode()

        async def tags(public: bytes) -> Response:
            reply = get_tags(request(public))
            return reply if isinstance(reply, Response) else await reply

        answers: list[Response] = await asyncio.gather(
            *(tags(public) for public in publics),
            *(get_content(request(public, b"", "0010-0020")) for public in publics),
            *(get_file(request(public, transcoded)) for public in publics),
        )
        assert all(b"PATIENT0" in answer.body for answer in answers)
        await asyncio.to_thread(services.close)

    asyncio.run(run())
    assert gate.entered >= 3 * len(files)
    assert SIZE < gate.peak <= gate.room
    assert gate.used == 0


async def never() -> dict[str, object]:
    raise AssertionError("no request here has a body")


def test_an_image_is_inflated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its palette and what says how to show it are read from the same copy."""
    plain = Path(file_named("examples_palette.dcm")).read_bytes()
    data = transcode(plain, DEFLATED, 90, Dictionary({}, False)).data
    with open_image(plain, None, EXPLICIT_LITTLE) as image:
        expected = image.decode(0)
        shown = display_attributes(image.dataset_head, 0)
    gate = RecordingGate(1 << 30)
    monkeypatch.setattr(inflating, "GATE", gate)
    with open_image(data, None, DEFLATED) as image:
        assert (image.decode(0) == expected).all()
        assert display_attributes(image.dataset_head, 0) == shown
    assert gate.entered == 1
    del image
    assert gate.used == 0
