"""Retrieval by our server and by Orthanc 1.13, both from a third one, which is Orthanc too: the
same calls, answers and jobs."""

import json
import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any, NamedTuple

import httpx
import pydicom
import pytest
from pydicom.uid import UID
from support import generated
from support.files import file_named
from support.job_results import completed
from support.ports import free_port
from support.process import ServerProcess
from support.reference_server import ReferenceServer
from support.retrieve_scp import RetrieveScp, refusing
from support.server import OurServer

SMALL = generated.small()
FILES = [SMALL.number(1, 1, series, number) for series in (1, 2) for number in (1, 2)]
HEADERS = [pydicom.dcmread(BytesIO(each), stop_before_pixels=True) for each in FILES]
STUDY, SERIES = str(HEADERS[0].StudyInstanceUID), str(HEADERS[0].SeriesInstanceUID)
INSTANCE, PATIENT = str(HEADERS[0].SOPInstanceUID), str(HEADERS[0].PatientID)
COMPRESSED = ("SC_rgb_jpeg_gdcm.dcm", "MR_small_jp2klossless.dcm", "MR_small_RLE.dcm")

# The same length, so that what is compared is so as well.
OURS, THEIRS, SOURCE = "OURS", "ORTH", "SRCE"
OF_A_JOB = ("Content", "ErrorCode", "ErrorDetails", "ErrorPayload", "Priority", "State", "Type")
_JOB = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Site(NamedTuple):
    """Our server and theirs, each with the same modalities."""

    ours: httpx.Client
    theirs: httpx.Client
    source: httpx.Client
    scp: RetrieveScp

    def both(self, path: str, body: bytes) -> tuple[httpx.Response, httpx.Response]:
        """The answers to the same call; `{q}` in the path is a query of either."""
        ours, theirs = (
            client.post(path, content=body.replace(b"HERE", aet.encode()))
            for client, aet in ((self.ours, OURS), (self.theirs, THEIRS))
        )
        return ours, theirs

    def queried(
        self, level: str, modality: str = "source", **query: str
    ) -> tuple[tuple[httpx.Client, str], tuple[httpx.Client, str]]:
        """A query that both have carried out: the path of each."""
        body = {"Level": level, "Query": query}
        found = []
        for client in (self.ours, self.theirs):
            answer = client.post(f"/modalities/{modality}/query", json=body)
            assert answer.status_code == 200, answer.text
            found.append((client, answer.json()["Path"]))
        return found[0], found[1]


@pytest.fixture(scope="module")
def site(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("retrieve")
    ports = {aet: free_port() for aet in (OURS, THEIRS, SOURCE)}
    scp = RetrieveScp()

    def configuration(aet: str, **modalities: Any) -> dict[str, Any]:
        return {
            "DicomAet": aet,
            "DicomServerEnabled": True,
            "DicomPort": ports[aet],
            "DicomScuTimeout": 3,
            "DicomModalities": modalities,
            **{f"DicomAlwaysAllow{right}": True for right in ("Find", "Move", "Get")},
        }

    asked = {
        "source": [SOURCE, "127.0.0.1", ports[SOURCE]],
        "getting": {
            "AET": SOURCE,
            "Host": "127.0.0.1",
            "Port": ports[SOURCE],
            "RetrieveMethod": "C-GET",
        },
        "nobody": ["NOBODY", "127.0.0.1", free_port()],
        "scp": ["SCP", "127.0.0.1", scp.port],
    }
    known = {aet.lower(): [aet, "127.0.0.1", ports[aet]] for aet in (OURS, THEIRS)}
    servers: tuple[ServerProcess, ...] = (
        OurServer(folder / "ours", configuration(OURS, **asked)),
        ReferenceServer(folder / "theirs", configuration(THEIRS, **asked)),
        ReferenceServer(folder / "source", configuration(SOURCE, **known)),
    )
    with scp.serving(), servers[0], servers[1], servers[2]:
        clients = [httpx.Client(base_url=each.url, timeout=60) for each in servers]
        for content in FILES:
            assert clients[2].post("/instances", content=content).status_code == 200
        yield Site(clients[0], clients[1], clients[2], scp)
        for each in clients:
            each.close()


def same(ours: httpx.Response, theirs: httpx.Response) -> None:
    """Of errors the code, the payload, and what is said where Orthanc says something."""
    assert ours.status_code == theirs.status_code, ours.text
    left, right = (_comparable(each) for each in (ours, theirs))
    if ours.status_code != 200:
        left.pop("Uri"), right.pop("Uri")
        if "Details" not in right:
            left.pop("Details", None)
    assert left == right


def _comparable(answer: httpx.Response) -> Any:
    return json.loads(_JOB.sub("<job>", answer.text.replace(THEIRS, OURS)))


QUERIES: list[tuple[str, dict[str, str]]] = [
    ("Patient", {"PatientID": PATIENT}),
    ("Study", {"StudyInstanceUID": STUDY}),
    ("Study", {"PatientID": PATIENT, "AccessionNumber": "", "ModalitiesInStudy": ""}),
    ("Study", {"StudyInstanceUID": STUDY, "SOPClassesInStudy": ""}),
    ("Study", {"StudyInstanceUID": "1.2.3"}),
    ("Series", {"StudyInstanceUID": STUDY}),
    ("Instance", {"StudyInstanceUID": STUDY, "SeriesInstanceUID": SERIES}),
]


@pytest.mark.parametrize("method", ["C-MOVE", "C-GET"])
@pytest.mark.parametrize(("level", "query"), QUERIES)
def test_queries(site: Site, level: str, query: dict[str, str], method: str) -> None:
    (ours, left), (theirs, right) = site.queried(level, **query)
    body = {"RetrieveMethod": method, "UserData": {"a": 1}}
    same(ours.post(f"{left}/retrieve", json=body), theirs.post(f"{right}/retrieve", json=body))


BODIES = [
    b"",
    b"HERE",
    b"NOBODY",
    b"{}",
    *(
        json.dumps(each).encode()
        for each in (
            {"TargetAet": "HERE"},
            {"TargetAet": "NOBODY"},
            {"TargetAet": 5},
            {"TargetAet": None},
            {"LocalAet": "X"},
            {"Full": True},
            {"Full": False},
            {"Full": True, "Short": True},
            {"Simplify": True, "Short": True, "Full": True},
            {"Full": 5},
            {"Simplify": "x"},
            {"Timeout": 3},
            {"Timeout": "3"},
            {"Timeout": 1.5},
            {"Timeout": -1},
            {"RetrieveMethod": "C-GET"},
            {"RetrieveMethod": "SystemDefault"},
            {"RetrieveMethod": "C-FIND"},
            {"RetrieveMethod": "c-get"},
            {"RetrieveMethod": 5},
            {"Permissive": 5},
            {"Permissive": True},
            {"Priority": "x"},
            {"Priority": 10},
            {"Synchronous": 5},
            {"Asynchronous": True},
        )
    ),
]


@pytest.mark.parametrize("body", BODIES)
def test_bodies_of_queries(site: Site, body: bytes) -> None:
    (ours, left), (theirs, right) = site.queried("Study", StudyInstanceUID=STUDY)
    for path in ("retrieve", "answers/0/retrieve"):
        same(
            ours.post(f"{left}/{path}", content=body.replace(b"HERE", OURS.encode())),
            theirs.post(f"{right}/{path}", content=body.replace(b"HERE", THEIRS.encode())),
        )


def test_answers_that_are_not_there(site: Site) -> None:
    (ours, left), (theirs, right) = site.queried("Study", StudyInstanceUID=STUDY)
    for path in ("answers/1/retrieve", "answers/x/retrieve", "answers/-1/retrieve"):
        same(ours.post(f"{left}/{path}", content=b""), theirs.post(f"{right}/{path}", content=b""))
    same(*site.both("/queries/nope/retrieve", b"{}"))
    same(*site.both("/queries/nope/answers/0/retrieve", b"{}"))


def test_the_method_of_the_modality(site: Site) -> None:
    for modality, body in (("getting", b""), ("getting", b'{"RetrieveMethod": "C-MOVE"}')):
        (ours, left), (theirs, right) = site.queried("Study", modality, StudyInstanceUID=STUDY)
        same(
            ours.post(f"{left}/retrieve", content=body),
            theirs.post(f"{right}/retrieve", content=body),
        )


S, UNKNOWN = {"StudyInstanceUID": STUDY}, {"StudyInstanceUID": "1.2.3"}
NAMED: list[Any] = [
    {"Level": "Study", "Resources": [S]},
    {"Level": "studies", "Resources": [S]},
    {"Level": "Study", "Resources": []},
    {"Level": "Study", "Resources": [S, S]},
    {"Level": "Study", "Resources": [{**S, "PatientName": "x"}]},
    {"Level": "Study", "Resources": [{"0020,000d": STUDY, "0010-0020": PATIENT}]},
    {"Level": "Study", "Resources": [S, UNKNOWN, S]},
    {"Level": "Study", "Resources": [S, UNKNOWN, S], "Permissive": True},
    {"Level": "Study", "Resources": [UNKNOWN]},
    {"Level": "Study", "Resources": [S], "LocalAet": "X"},
    {"Level": "Study", "Resources": [S], "LocalAet": 5},
    {"Level": "Study", "Resources": [S], "Timeout": "x"},
    {"Level": "Study", "Resources": [S], "Timeout": -1},
    {"Level": "Study", "Resources": [S], "Full": 5, "RetrieveMethod": 5},
    {"Level": "Study", "Resources": [S], "Asynchronous": True},
    {"Level": "Study", "Resources": [S], "Permissive": 5},
    {"Level": "Patient", "Resources": [{"PatientID": PATIENT}]},
    {"Level": "Series", "Resources": [{**S, "SeriesInstanceUID": SERIES}]},
    {
        "Level": "Instance",
        "Resources": [{**S, "SeriesInstanceUID": SERIES, "SOPInstanceUID": INSTANCE}],
    },
    {"Level": "Study"},
    {"Resources": [S]},
    {"Level": "Nope", "Resources": [S]},
    {"Level": 5, "Resources": [S]},
    {"Level": "Study", "Resources": S},
    {"Level": "Study", "Resources": ["x"]},
    {"Level": "Study", "Resources": [{"StudyInstanceUID": 5}]},
    {"Level": "Study", "Resources": [{"Nope": "5"}]},
    [],
    5,
]


@pytest.mark.parametrize("body", NAMED, ids=str)
def test_moves(site: Site, body: Any) -> None:
    same(*site.both("/modalities/source/move", json.dumps(body).encode()))


@pytest.mark.parametrize("body", NAMED, ids=str)
def test_gets(site: Site, body: Any) -> None:
    ours, theirs = site.both("/modalities/source/get", json.dumps(body).encode())
    same(ours, theirs)


MISSING: list[Any] = [
    {"Level": "Patient", "Resources": [S]},
    {"Level": "Study", "Resources": [{"PatientID": PATIENT}]},
    {"Level": "Series", "Resources": [S]},
    {"Level": "Series", "Resources": [{"SeriesInstanceUID": SERIES}]},
    {"Level": "Instance", "Resources": [{"SOPInstanceUID": INSTANCE}]},
    {"Level": "Study", "Resources": [S], "TargetAet": "NOBODY"},
    {"Level": "Study", "Resources": [S], "TargetAet": 5},
]


@pytest.mark.parametrize("body", MISSING, ids=str)
def test_moves_that_cannot_be(site: Site, body: Any) -> None:
    same(*site.both("/modalities/source/move", json.dumps(body).encode()))


@pytest.mark.parametrize("way", ["move", "get"])
def test_modalities_that_are_not_there(site: Site, way: str) -> None:
    body = {"Level": "Study", "Resources": [S]}
    same(*site.both(f"/modalities/unknown/{way}", json.dumps(body).encode()))
    same(*site.both(f"/modalities/unknown/{way}", b"x"))
    ours, theirs = site.both(f"/modalities/nobody/{way}", json.dumps(body).encode())
    assert ours.status_code == theirs.status_code == 500
    assert ours.json()["ErrorPayload"] == theirs.json()["ErrorPayload"]
    start = 'DicomAssociation - connecting to AET "NOBODY": TCP Initialization Error: '
    assert ours.json()["Details"] == f"{start}Connection refused"
    assert theirs.json()["Details"].startswith(start)


@pytest.mark.parametrize("way", ["move", "get"])
@pytest.mark.parametrize(
    "status", [0xA701, 0xA702, 0xA801, 0xA900, 0xB000, 0xC000, 0xC001, 0xFE00, 0x0122]
)
def test_statuses(site: Site, way: str, status: int) -> None:
    """That of the last response, whatever the peer says of single instances."""
    site.scp.move = site.scp.get = refusing(site.scp.port, status)
    body = json.dumps({"Level": "Study", "Resources": [S]}).encode()
    same(*site.both(f"/modalities/scp/{way}", body))
    told = []
    for client in (site.ours, site.theirs):
        answer = client.post(
            f"/modalities/scp/{way}",
            json={"Level": "Study", "Resources": [S], "Asynchronous": True},
        )
        job = completed(client, answer.json()["ID"])
        named = (
            "Content",
            "ErrorCode",
            "ErrorDetails",
            "ErrorPayload",
            "Priority",
            "State",
            "Type",
        )
        told.append(json.loads(json.dumps({key: job[key] for key in named}).replace(THEIRS, OURS)))
    assert told[0] == told[1]


def test_what_is_asked_of_the_peer(site: Site) -> None:
    """The identifiers of a C-MOVE; those of a C-GET have no more keys than they need."""
    site.scp.reset()
    site.scp.answers = [HEADERS[0]]
    seen = []
    for client, path in site.queried("Study", "scp", PatientName=""):
        site.scp.identifiers.clear()
        for method in ("C-MOVE", "C-GET"):
            answer = client.post(f"{path}/retrieve", json={"RetrieveMethod": method})
            assert answer.status_code == 200, answer.text
        seen.append([set(each.keys()) for each in site.scp.identifiers])
    (our_move, our_get), (their_move, their_get) = seen
    assert our_move == their_move
    assert our_get == our_move
    assert our_get < their_get


@pytest.mark.parametrize("name", COMPRESSED)
def test_compressed_instances(site: Site, name: str) -> None:
    """Orthanc proposes no compressed syntax for a C-GET; we get them as they are."""
    content = file_named(name).read_bytes()
    instance = site.source.post("/instances", content=content).json()["ID"]
    header = pydicom.dcmread(BytesIO(content))
    query = {"StudyInstanceUID": header.StudyInstanceUID, "SOPClassesInStudy": ""}
    (ours, path), _ = site.queried("Study", "getting", **query)
    assert ours.post(f"{path}/retrieve", content=b"").status_code == 200
    file = ours.get(f"/instances/{instance}/file").content
    stored = pydicom.dcmread(BytesIO(file))
    assert stored.file_meta.TransferSyntaxUID == header.file_meta.TransferSyntaxUID
    assert stored.PixelData == header.PixelData
    for client in (site.source, ours):
        client.delete(f"/instances/{instance}")


def test_a_study_without_accession_number(site: Site) -> None:
    """Orthanc sends the empty one too, which Orthanc takes for the key: it gets all studies that
    have none. We get the one that was asked for."""
    instances = [site.source.post("/instances", content=_unnumbered(end)) for end in (".8", ".9")]
    one, other = (each.json()["ID"] for each in instances)
    queries = site.queried("Study", "getting", StudyInstanceUID=f"{STUDY}.8")
    ours, theirs = (
        client.post(f"{path}/retrieve", content=b"").json()["Details"][0]["ReceivedInstancesIds"]
        for client, path in queries
    )
    assert ours == [one]
    assert {one, other} <= set(theirs)
    for each in (one, other):
        site.source.delete(f"/instances/{each}")


def _unnumbered(end: str) -> bytes:
    """An instance of another study, without accession number."""
    header = pydicom.dcmread(BytesIO(FILES[0]))
    header.AccessionNumber = ""
    header.StudyInstanceUID = UID(STUDY + end)
    header.SOPInstanceUID = header.file_meta.MediaStorageSOPInstanceUID = UID(INSTANCE + end)
    buffer = BytesIO()
    header.save_as(buffer)
    return buffer.getvalue()
