"""Long work is not for the event loop: of the CPU time that it costs, the loop's thread has next to
nothing. (CPU time, since a busy machine makes everything wait.)"""

import asyncio
import gzip
import io
import json
import time
import zipfile
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support import generated

from orthanc_fast.config import Settings
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.model import Caller
from orthanc_fast.rest.compression import compress
from orthanc_fast.rest.json_body import parse_large
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import JSON, Response
from orthanc_fast.rest.routes.instance_files import get_content, get_tags
from orthanc_fast.services.ingest.contract import Stored
from orthanc_fast.services.ingest.ingest import QUICK
from orthanc_fast.services.processes.http import HttpServices
from orthanc_fast.services.transcoding.transcode import transcode
from orthanc_fast.storage.arriving import Body
from orthanc_fast.transfer_syntaxes import DEFLATED

MB = 1 << 20
CALLER = Caller(origin="RestApi")


def large_file(size: int, number: int = 1) -> bytes:
    """A DICOM file with so many bytes of pixel data."""
    slice_bytes = 512 * 512 * 2
    template = generated.ct_slice().number(1, 1, 1, number)
    head, pixels = template[: -slice_bytes - 4], template[-slice_bytes:]
    count = size // slice_bytes
    return head + (count * slice_bytes).to_bytes(4, "little") + pixels * count


def archive(contents: list[bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made:
        for number, content in enumerate(contents):
            made.writestr(str(number), content)
    return buffer.getvalue()


async def never() -> MutableMapping[str, Any]:
    """No body is asked for."""
    raise AssertionError


async def share_of_the_loop(work: Callable[[], Awaitable[object]]) -> float:
    """Of the CPU time of this process."""
    whole, loop = time.process_time(), time.thread_time()
    await work()
    whole, loop = time.process_time() - whole, time.thread_time() - loop
    assert whole > 0.02  # else it was nothing worth a thread
    return loop / whole


@pytest.mark.parametrize("kind", ["memory", "file", "gzip", "zip"])
def test_uploads(tmp_path: Path, kind: str) -> None:
    async def run() -> float:
        settings = Settings(
            storage_directory=tmp_path,
            index_directory=tmp_path,
            index_map_size_gb=1,
            storage_compression=True,
        )
        services = HttpServices(settings, "test", asyncio.get_running_loop(), print, True)
        data = large_file(15 * MB)
        body: Body = data
        if kind == "file":
            body = services.storage.new_spool()
            body.write(large_file(64 * MB))
        elif kind == "gzip":
            body = gzip.compress(data, 1)
        elif kind == "zip":
            body = archive([large_file(2 * MB, number) for number in range(20)])

        async def store() -> None:
            stored = await services.uploads.store(CALLER, body, kind == "gzip")
            for each in [stored] if isinstance(stored, Stored) else stored:
                assert each.status == "Success"

        share = await share_of_the_loop(store)
        await asyncio.to_thread(services.close)
        return share

    assert asyncio.run(run()) < 0.3


@pytest.mark.parametrize("asked", ["upload", "whole", "content"])
def test_what_a_small_file_inflates_to(tmp_path: Path, asked: str) -> None:
    size = 64 * MB
    head = generated.ct_slice().number(1, 1, 1, 1)[: -512 * 512 * 2 - 4]
    plain = head + size.to_bytes(4, "little") + bytes(size)
    data = transcode(plain, DEFLATED, 90, Dictionary({}, False)).data
    assert len(data) < QUICK

    async def run() -> float:
        settings = Settings(
            storage_directory=tmp_path, index_directory=tmp_path, index_map_size_gb=1
        )
        services = HttpServices(settings, "test", asyncio.get_running_loop(), print, True)

        async def store() -> None:
            stored = await services.uploads.store(CALLER, data)
            assert isinstance(stored, Stored) and stored.status == "Success"
            publics.extend(stored.publics)

        async def read() -> None:
            scope = {"method": "GET", "headers": [], "query_string": b""}
            if asked == "whole":
                scope["query_string"] = b"whole"
            request = Request(scope, never, services, [], "GET")
            request.caller = CALLER
            request.params = [to_text(publics[3])]
            if asked == "content":
                request.params.append("0010-0020")
            reply = (get_content if asked == "content" else get_tags)(request)
            answer = reply if isinstance(reply, Response) else await reply
            assert b"PATIENT0" in answer.body

        publics: list[bytes] = []
        if asked == "upload":
            share = await share_of_the_loop(store)
        else:
            await store()
            share = await share_of_the_loop(read)
        await asyncio.to_thread(services.close)
        return share

    assert asyncio.run(run()) < 0.3


def test_answers_are_compressed_elsewhere() -> None:
    body = json.dumps([{"ID": f"{number * 2654435761 % 2**32:08x}"} for number in range(3_000_000)])

    async def run() -> float:
        response = Response(body.encode(), JSON)

        async def work() -> None:
            await compress(response, b"gzip")

        share = await share_of_the_loop(work)
        assert gzip.decompress(response.body) == body.encode()
        return share

    assert asyncio.run(run()) < 0.3


def test_large_json_is_the_same_in_pieces() -> None:
    value = {
        "Resources": [f"{number:044x}" for number in range(20_000)],
        "Content": "x" * 300_000,
        "Query": {str(number): [number, None, {"a": "ü"}] for number in range(20_000)},
        "Empty": [[], {}, "", 0.5],
    }
    assert parse_large(json.dumps(value).encode()) == value
    assert parse_large(b"  \n" + json.dumps(value, ensure_ascii=False, indent=2).encode()) == value
    lenient = b"// a comment\n" + json.dumps(value).encode()[:-1] + b",} and more"
    assert parse_large(lenient) == value
    with pytest.raises(ValueError, match="JSON"):
        parse_large(b"[" * 300_000)
    with pytest.raises(ValueError):
        parse_large(json.dumps(value).encode()[:-10])


@pytest.mark.parametrize("pair", [(b"[", b"]"), (b'{"a":', b"}")])
def test_brackets_around_a_large_text_do_not_multiply_it(pair: tuple[bytes, bytes]) -> None:
    levels, text = 490, b'"' + b"x" * (8 * MB) + b'"'
    body = pair[0] * levels + text + pair[1] * levels
    began = time.thread_time()
    expected = msgspec.json.decode(body)
    once = time.thread_time() - began
    began = time.thread_time()
    found = parse_large(body)
    assert time.thread_time() - began < 60 * once  # a reading of each level would be 490 times
    assert json.dumps(found) == json.dumps(expected)
