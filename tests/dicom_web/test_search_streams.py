"""Large answers of QIDO-RS: their first byte comes at once, and memory does not follow them."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest
from support.process_memory import anonymous, worker
from support.searched import CT, files
from support.server import OurServer

from bench import population
from orthanc_fast.config_sections import dicom_web
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.main_tags import MainTags
from orthanc_fast.index.contract import Transaction
from orthanc_fast.index.lmdb.index import LmdbIndex
from orthanc_fast.model import PixelLayout
from orthanc_fast.registries import SOP_CLASS_UID, TRANSFER_SYNTAX
from orthanc_fast.services.store.frame_maps import packed_layout
from orthanc_fast.services.store.opening import INDEX_FOLDER
from orthanc_fast.services.store.terms import terms

AMOUNT = 12_000
COMMENT = 0x00204000  # ImageComments
LAYOUT = PixelLayout(0, 12, 64, "OW", rows=4, columns=8, bits_allocated=16)
BOUND = 16 << 20
ROOT = dicom_web({}).root
CONFIGURATION = {"HttpWorkers": 1, "IndexMapSizeGB": 1}


def fill(folder: Path) -> None:
    """Instances without files, each with a long text that a search can show."""
    signatures = MainTags(Dictionary()).signatures
    index = LmdbIndex(folder, terms, 1 << 30, sync=False)

    def store(transaction: Transaction) -> None:
        for number in range(AMOUNT):
            new = population.instance(number)
            patient, study, series, own = new.tags
            own = {**own, COMMENT: f"{number:08d} " + "x" * 240}
            known = {SOP_CLASS_UID: CT, TRANSFER_SYNTAX: "1.2.840.10008.1.2.1"}
            transaction.store_instance(
                msgspec.structs.replace(
                    new,
                    tags=(patient, study, series, own),
                    metadata=(*new.metadata[:3], {**new.metadata[3], **known}),
                    signatures=signatures,
                    image=packed_layout(LAYOUT),
                )
            )

    index.write(store)
    index.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    server = OurServer(tmp_path_factory.mktemp("many"), CONFIGURATION)
    fill(Path(server.configuration["StorageDirectory"]) / INDEX_FOLDER)
    with server:
        yield server


QUERY = (
    "instances?includefield=ImageComments,StudyDescription,InstitutionName,Manufacturer"
    ",AccessionNumber"
)


@pytest.mark.parametrize("accept", ["application/dicom+json", "application/dicom+xml"])
def test_memory_does_not_follow_the_answer(server: OurServer, accept: str) -> None:
    base, headers = f"{server.url}{ROOT}", {"Accept": accept}
    searched = worker(server)
    httpx.get(f"{base}{QUERY}&limit=2000", headers=headers, timeout=60)
    idle = anonymous(searched)
    peak = total = 0
    with httpx.stream("GET", base + QUERY, headers=headers, timeout=300) as answer:
        assert answer.headers["x-total-count"] == str(AMOUNT)
        for number, chunk in enumerate(answer.iter_raw()):
            total += len(chunk)
            if number % 20 == 0:
                peak = max(peak, anonymous(searched))
    assert total > 1500 * AMOUNT
    assert peak - idle < BOUND


def test_all_are_there_in_order_and_the_first_come_soon(server: OurServer) -> None:
    chunks, arrivals = [], []
    began = time.monotonic()
    url = f"{server.url}{ROOT}instances"
    with httpx.stream("GET", url, timeout=300) as answer:
        for chunk in answer.iter_raw():
            arrivals.append(time.monotonic() - began)
            chunks.append(chunk)
    found = json.loads(b"".join(chunks))
    keys = [
        (
            -int(each["00080020"]["Value"][0]),
            -int(each["00080030"]["Value"][0]),
            each["0020000D"]["Value"][0],
            each["00200011"]["Value"][0],
            each["0020000E"]["Value"][0],
            each["00200013"]["Value"][0],
        )
        for each in found
    ]
    assert len(keys) == len(set(keys)) == AMOUNT
    assert keys == sorted(keys)
    # Not when all are known.
    assert arrivals[1] < arrivals[-1] / 4


def test_pages_are_cut_from_the_same_order(server: OurServer) -> None:
    base = f"{server.url}{ROOT}"
    everything = httpx.get(f"{base}series", timeout=60).json()
    assert len(everything) == AMOUNT // population.PER_SERIES
    for offset in (0, 7, 199, 333, 470):
        page = httpx.get(f"{base}series?limit=20&offset={offset}", timeout=60).json()
        assert page == everything[offset : offset + 20]
    tail = httpx.get(f"{base}instances?offset={AMOUNT - 3}", timeout=60).json()
    assert tail == httpx.get(f"{base}instances?limit=9&offset={AMOUNT - 3}", timeout=60).json()
    assert len(tail) == 3


def test_a_filter_over_many(server: OurServer) -> None:
    """InstanceNumber has no keys in the index: all are looked at."""
    answer = httpx.get(f"{server.url}{ROOT}instances?InstanceNumber=7", timeout=60)
    assert len(answer.json()) == AMOUNT // population.PER_SERIES
    some = httpx.get(f"{server.url}{ROOT}instances?InstanceNumber=7&offset=5", timeout=60)
    assert some.json() == answer.json()[5:]


def test_a_search_in_files_without_a_limit(tmp_path: Path) -> None:
    with OurServer(tmp_path) as server:
        for data in files():
            httpx.post(f"{server.url}/instances", content=data)
        base = f"{server.url}{ROOT}"
        found = httpx.get(f"{base}instances?Rows=4").json()
        assert len(found) == 4
        assert httpx.get(f"{base}instances?Rows=4&offset=3").json() == found[3:]
        assert httpx.get(f"{base}instances?Rows=4&limit=2&offset=1").json() == found[1:3]
        assert httpx.get(f"{base}instances?Rows=5").json() == []
