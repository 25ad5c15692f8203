"""/instances-tags, /shared-tags and /module against Orthanc 1.13; /tools/default-encoding in
all processes. Source: reference chapter 2, sections 1.2, 1.10 and 1.11; chapter 1, section 10.2."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from support import generated
from support.reference_server import ReferenceServer
from support.server import OurServer

Pair = tuple[httpx.Client, httpx.Client]
COUNT = 4


def varied() -> list[bytes]:
    """Instances of one series that differ in a text, a length, a type and a sequence."""
    found = []
    for number in range(COUNT):
        dataset = generated.base()
        dataset.PatientName = "Müller^Jörg"
        dataset.ImageComments = "é" * (100 + 10 * number)  # the last ones are too long
        dataset.InstanceNumber = str(number)
        dataset.SoftwareVersions = "A" if number < 3 else "B"
        dataset.PatientComments = ""
        dataset.EthnicGroup = "same"
        if number != 2:
            dataset.AdditionalPatientHistory = "not in all"
        item = Dataset()
        item.CodeValue = str(number)
        dataset.ReferencedImageSequence = Sequence([item])
        dataset.RequestAttributesSequence = Sequence([Dataset()])
        dataset.Rows = 4 + number
        dataset.PregnancyStatus = 4
        generated.add_private(dataset, 4)
        if number % 2:
            generated.add_pixels(dataset, generated.anatomy(16))
        found.append(generated.encode(dataset).number(1, 1, 1, number))
    return found


@pytest.fixture(scope="module")
def pair(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Both servers with a varied series, and two simple ones of other patients."""
    files = varied()
    simple = generated.small()
    files += [simple.number(2 + n // 2, 2 + n // 2, n, n) for n in range(4)]
    theirs = ReferenceServer(tmp_path_factory.mktemp("theirs"))
    with ExitStack() as stack:
        ours = stack.enter_context(OurServer(tmp_path_factory.mktemp("ours")))
        stack.enter_context(theirs)
        clients = [
            stack.enter_context(httpx.Client(base_url=server.url, timeout=60))
            for server in (ours, theirs)
        ]
        for client in clients:
            for data in files:
                client.post("/instances", content=data).raise_for_status()
        yield clients[0], clients[1]


FORMS = ["", "?simplify", "?short", "?full", "?short&simplify=false"]
LEVELS = ["patients", "studies", "series"]
PATHS = [
    *(f"{level}/instances-tags{form}" for level in LEVELS for form in FORMS),
    *(f"{level}/shared-tags{form}" for level in LEVELS for form in FORMS),
    *(f"{level}/module{form}" for level in (*LEVELS, "instances") for form in FORMS),
    *(f"studies/module-patient{form}" for form in FORMS),
    "series/instances-tags?ignore-length=0020,4000",
    "series/instances-tags?ignore-length=ImageComments,PatientName&short",
    "series/instances-tags?ignore-length=nope",
    "series/shared-tags?ignore-length=0020,4000",
    "instances/module?ignore-length=0020,4000",
    "instances/module?ignore-length=nope",
    "instances/instances-tags",
    "instances/shared-tags",
    "series/module-patient",
]


@pytest.mark.parametrize("path", PATHS)
def test_all_resources_of_a_level(pair: Pair, path: str) -> None:
    level, _, route = path.partition("/")
    identifiers = pair[0].get(f"/{level}").json()
    assert sorted(identifiers) == sorted(pair[1].get(f"/{level}").json())
    for identifier in identifiers:
        ours, theirs = (client.get(f"/{level}/{identifier}/{route}") for client in pair)
        assert ours.status_code == theirs.status_code, ours.text
        if theirs.status_code == 200:
            assert ours.headers["content-type"] == theirs.headers["content-type"]
            assert ours.json() == theirs.json()
        else:
            assert ours.json()["OrthancStatus"] == theirs.json()["OrthancStatus"]


@pytest.mark.parametrize("route", ["instances-tags", "shared-tags", "module", "module-patient"])
def test_unknown_resources(pair: Pair, route: str) -> None:
    instance = pair[0].get("/instances").json()[0]
    for name in ("nope", instance):
        ours, theirs = (client.get(f"/studies/{name}/{route}") for client in pair)
        assert ours.status_code == 404
        assert ours.json()["OrthancStatus"] == 17
        assert theirs.status_code == 404


def test_what_is_shared(pair: Pair) -> None:
    """Said once in words, so that the comparison does not pass on nothing."""
    series = generated.identifier(
        f"PATIENT{1:010d}",
        f"{generated.ROOT}.4{1:09d}",
        f"{generated.ROOT}.4{1:09d}.5{1:09d}",
    )
    shared = pair[0].get(f"/series/{series}/shared-tags?simplify").json()
    assert shared["PatientName"] == "Müller^Jörg"
    assert shared["RETIRED_EthnicGroup"] == "same"
    assert shared["PatientComments"] == ""
    assert shared["PregnancyStatus"] == "4"
    for name in (
        "Rows",
        "InstanceNumber",
        "SoftwareVersions",
        "AdditionalPatientHistory",
        "ImageComments",
        "ReferencedImageSequence",
        "PixelData",
    ):
        assert name not in shared
    private = pair[0].get(f"/series/{series}/shared-tags").json()["0029,1001"]
    assert private["PrivateCreator"] == "ORTHANC FAST BENCH"


def test_many_instances_are_streamed(tmp_path: Path) -> None:
    """More than what is answered at once; compressed storage reads the heads alone."""
    template = generated.small()
    with (
        OurServer(tmp_path, {"StorageCompression": True}) as running,
        httpx.Client(base_url=running.url, timeout=60) as client,
    ):

        def upload(number: int) -> None:
            httpx.post(
                f"{running.url}/instances", content=template.number(1, 1, 1, number), timeout=60
            ).raise_for_status()

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(upload, range(230)))
        series = client.get("/series").json()[0]
        answer = client.get(f"/series/{series}/instances-tags?simplify")
        assert "content-length" not in answer.headers
        tags = answer.json()
        assert list(tags) == client.get("/instances").json()
        for identifier in list(tags)[::50]:
            assert tags[identifier] == client.get(f"/instances/{identifier}/tags?simplify").json()
        # A lost file is no reason to answer with less: the client must see that it failed.
        first = client.get(f"/instances/{next(iter(tags))}").json()["FileUuid"]
        head = client.get(f"/instances/{next(iter(tags))}/attachments/3/info").json()["Uuid"]
        for uuid in (first, head):
            (tmp_path / "storage" / uuid[:2] / uuid[2:4] / uuid).unlink()
        failed = client.get(f"/series/{series}/instances-tags")
        assert (failed.status_code, failed.json()["OrthancStatus"]) == (500, 2006)


ENCODING = "/tools/default-encoding"


def test_default_encoding(needs_reference: None, tmp_path: Path) -> None:
    """What files without a character set mean, to uploads and to readers in every process."""
    dataset = generated.base()
    del dataset.SpecificCharacterSet
    template = generated.encode(dataset)
    calls = [
        ("GET", ""),
        ("PUT", "Greek"),
        ("GET", ""),
        ("PUT", "uTF8"),
        ("GET", ""),
        ("PUT", "nope"),
        ("PUT", ""),
        ("PUT", "windows1251"),
        ("GET", ""),
    ]
    theirs = ReferenceServer(tmp_path / "theirs")
    ours = OurServer(tmp_path / "ours", {"HttpWorkers": 2})
    with ExitStack() as stack:
        clients = []
        for server in (ours, theirs):
            stack.enter_context(server)
            clients.append(stack.enter_context(httpx.Client(base_url=server.url, timeout=60)))
        for method, body in calls:
            left, right = (client.request(method, ENCODING, content=body) for client in clients)
            assert left.status_code == right.status_code, (method, body)
            if right.status_code == 200:
                assert left.text == right.text
            else:
                assert left.json()["OrthancStatus"] == right.json()["OrthancStatus"]
        raw = template.number(1, 1, 1, 1).replace(b"Test^Person", "Иванов Иван".encode("cp1251"))
        answers = [client.post("/instances", content=raw).json() for client in clients]
        assert answers[0] == answers[1]
        for path in ("", "/patient", "/simplified-tags"):
            texts = [
                httpx.get(f"{ours.url}/instances/{answers[0]['ID']}{path}").text for _ in range(8)
            ]
            assert all("Иванов Иван" in text or path == "" for text in texts), path
            assert len(set(texts)) == 1
        shown = [c.get(f"/instances/{answers[0]['ID']}/patient").json() for c in clients]
        assert shown[0]["MainDicomTags"] == shown[1]["MainDicomTags"]
    with ours:
        assert httpx.get(f"{ours.url}{ENCODING}").text == "Latin1"
