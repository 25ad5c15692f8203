"""The DICOM servers of some labels, of our server and of Orthanc 1.13 with its plugin: the same
requests, answers, instances and labels."""

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pydicom
import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE
from support import find_scu, generated
from support.certificates import Authority
from support.dicom_peer import (
    CT,
    EXPLICIT,
    IMPLICIT,
    VERIFICATION,
    Rejected,
    echo_rq,
    p_data,
    pdv,
    peer,
)
from support.fast_requestor import request
from support.find_scu import BIG_ENDIAN, PATIENT_ROOT, STUDY_ROOT, Element, FindScu, comparable
from support.ports import free_port
from support.process import ServerProcess
from support.reference_server import ReferenceServer
from support.retrieving import STUDY_MOVE, Response, Sink, identifier, move, started
from support.server import OurServer

from orthanc_fast.upper_layer.dimse import C_MOVE_RQ

PLUGIN = "libMultitenantDicom.so"
LEVELS = ("PATIENT", "STUDY", "SERIES", "INSTANCE")
SMALL = generated.small()
# Of two patients two studies each, which have the same UIDs.
FILES = [SMALL.number(p, s, 1, n) for p in (1, 2) for s in (1, 2) for n in (1, 2)]
STUDIES = [str(pydicom.dcmread(BytesIO(FILES[at])).StudyInstanceUID) for at in (0, 2)]
SERIES = [str(pydicom.dcmread(BytesIO(FILES[at])).SeriesInstanceUID) for at in (0, 2)]
INSTANCES = [str(pydicom.dcmread(BytesIO(FILES[at])).SOPInstanceUID) for at in (0, 1)]
PARENTS = {
    "patients": "ParentPatient",
    "studies": "ParentStudy",
    "series": "ParentSeries",
    "instances": "ID",
}
TENANTS: dict[str, dict[str, Any]] = {
    "ALL": {"Labels": ["red"]},
    "ANY": {
        "Labels": ["red", "blue"],
        "LabelsConstraint": "Any",
        "LabelsStoreLevels": ["Study"],
    },
    "NONE": {"Labels": ["red"], "LabelsConstraint": "None", "LabelsStoreLevels": []},
    "BOTH": {
        "Labels": ["red", "blue"],
        "LabelsConstraint": "All",
        "LabelsStoreLevels": ["Patient", "Study", "Series", "Instance"],
    },
    "OPEN": {"Labels": []},
}


class Side(NamedTuple):
    """One of the servers, and the ports of its tenants."""

    client: httpx.Client
    port: int
    tenants: dict[str, int]


class Site(NamedTuple):
    ours: Side
    theirs: Side
    sink: Sink

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.ours, self.theirs


def side(server: ServerProcess) -> Side:
    tenants = {
        each["AET"]: each["Port"] for each in server.configuration["MultitenantDicom"]["Servers"]
    }
    client = httpx.Client(base_url=server.url, timeout=60)
    return Side(client, server.configuration["DicomPort"], tenants)


def options(sink: Sink) -> dict[str, Any]:
    return {
        "DicomServerEnabled": True,
        "DicomAet": "MAIN",
        "DicomPort": free_port(),
        "DicomModalities": {
            "sink": [sink.aet, "127.0.0.1", sink.port],
            "peer": ["PEER", "127.0.0.1", 104],
        },
        "MultitenantDicom": {
            "Servers": [
                {"AET": aet, "Port": free_port(), **tenant} for aet, tenant in TENANTS.items()
            ]
        },
    }


@pytest.fixture(scope="module")
def site(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("tenants")
    with started(Sink()) as sink, pytest.MonkeyPatch.context() as environment:
        environment.setenv("TCP_NODELAY", "1")  # else Orthanc takes 40 ms for each response
        ours = OurServer(folder / "ours", options(sink))
        theirs = ReferenceServer(folder / "theirs", options(sink), (PLUGIN,))
        with ours, theirs:
            found = Site(side(ours), side(theirs), sink)
            for each in found.sides:
                fill(each.client)
            yield found
            for each in found.sides:
                each.client.close()


def uploaded(client: httpx.Client, content: bytes) -> dict[str, str]:
    answer = client.post("/instances", content=content)
    assert answer.status_code == 200, answer.text
    found: dict[str, str] = answer.json()
    return found


def fill(client: httpx.Client) -> None:
    """Studies with labels of all kinds, and one that has them at every level."""
    stored = [uploaded(client, each) for each in FILES]
    labels = [
        *((0, level, "red") for level in PARENTS),
        *((2, "studies", "blue"), (4, "studies", "red"), (4, "studies", "blue")),
    ]
    for number, level, label in labels:
        public = stored[number][PARENTS[level]]
        assert client.put(f"/{level}/{public}/labels/{label}").status_code == 200


ID: Element = (0x00100020, "LO", "")
NAME: Element = (0x00100010, "PN", "")
DESCRIPTION = 0x00081030

# What is asked of one level, and in which model.
QUERIES: list[tuple[str, list[Element]]] = [
    ("STUDY", []),
    ("STUDY", [ID, NAME, (0x00080020, "DA", ""), (0x0020000D, "UI", "")]),
    ("STUDY ", [ID]),
    ("STUDY", [ID, (0x00080005, "CS", "ISO_IR 192")]),
    ("STUDY", [ID, (0x00080054, "AE", "")]),
    ("STUDY", [ID, (0x00080054, "AE", "ALL")]),
    ("STUDY", [ID, (0x00080056, "CS", "ONLINE")]),
    ("STUDY", [ID, (0x00080201, "SH", "")]),
    ("STUDY", [ID, (0x00080201, "SH", "+0100")]),
    ("STUDY", [(0x00100000, "UL", 10), ID]),
    ("STUDY", [ID, (0x00080061, "CS", ""), (0x00201206, "IS", ""), (0x00201208, "IS", "")]),
    ("STUDY", [ID, (0x00080061, "CS", "CT")]),
    ("STUDY", [ID, (0x00080061, "CS", "MR")]),
    ("STUDY", [ID, (0x00201206, "IS", "1")]),
    ("STUDY", [ID, (0x00201206, "IS", "3")]),
    ("STUDY", [ID, (0x00201208, "IS", "2")]),
    ("STUDY", [ID, (0x00080060, "CS", "")]),
    ("STUDY", [ID, (0x00080060, "CS", "CT")]),
    ("STUDY", [ID, (0x00280010, "US", 9999)]),
    ("STUDY", [ID, (0x00280010, "US", b"")]),
    ("STUDY", [(0x00100020, "LO", "*1")]),
    ("STUDY", [(0x00100020, "LO", "patient0000000001")]),
    ("STUDY", [(0x00100020, "LO", "PATIENT0000000001\\PATIENT0000000002")]),
    ("STUDY", [(0x00100020, "LO", " PATIENT0000000001")]),
    ("STUDY", [ID, (0x00100010, "PN", "TEST*")]),
    ("STUDY", [ID, (0x00080020, "DA", "-")]),
    ("STUDY", [ID, (0x00080020, "DA", "20240101-20240201")]),
    ("STUDY", [ID, (0x00080020, "DA", "20250101-")]),
    ("STUDY", [ID, (DESCRIPTION, "LO", "*")]),
    ("STUDY", [ID, (0x0020000D, "UI", STUDIES[1])]),
    ("STUDY", [ID, (0x00081110, "SQ", [[(0x00081150, "UI", "1.2")]])]),
    ("STUDY", [ID, (0x00110010, "LO", "X"), (0x00111001, "LO", "")]),
    ("SERIES", [ID, (0x0020000D, "UI", STUDIES[0]), (0x00080060, "CS", "CT")]),
    ("SERIES", [ID, (0x0020000E, "UI", ""), (0x00201209, "IS", ""), (0x00200011, "IS", "")]),
    ("SERIES", [(0x00080018, "UI", "1.2")]),
    ("INSTANCE", [ID, (0x00080018, "UI", ""), (0x00080016, "UI", ""), (0x00200013, "IS", "")]),
    ("INSTANCE", [(0x00080016, "UI", CT)]),
    ("INSTANCE", [(0x0020000D, "UI", STUDIES[0]), (0x00200013, "IS", "1")]),
    ("PATIENT", [ID, NAME, (0x00201200, "IS", ""), (0x0020000D, "UI", "")]),
    *((level, [ID]) for level in ("IMAGE", "study", "FOO", "")),
]


def query(
    site: Site,
    aet: str,
    level: str,
    elements: list[Element],
    model: str = STUDY_ROOT,
    syntax: str = EXPLICIT,
) -> int:
    """How many answers both give, -1 for a failure. They are the same."""
    found = []
    asked = sorted([*elements, (0x00080052, "CS", level)], key=lambda each: each[0])
    for each in site.sides:
        with FindScu(each.tenants[aet], model, syntax) as scu:
            outcome = scu.find(find_scu.encoded(asked, syntax))
        answers = (comparable(find_scu.decoded(one, syntax)) for one in outcome.answers)
        found.append((outcome.status, Counter(answers)))
    assert found[0] == found[1], (aet, level, elements)
    return found[0][1].total() if found[0][0] == 0 else -1


def test_labels_count_at_the_level_that_is_asked_for(site: Site) -> None:
    amounts = {aet: [query(site, aet, level, [ID]) for level in LEVELS] for aet in TENANTS}
    assert amounts == {
        "ALL": [1, 2, 1, 1],
        "ANY": [1, 3, 1, 1],
        "NONE": [1, 2, 3, 7],
        "BOTH": [0, 1, 0, 0],
        "OPEN": [2, 4, 4, 8],
    }


def test_queries(site: Site) -> None:
    amounts = [query(site, "ALL", level, elements) for level, elements in QUERIES]
    assert {-1, 0, 1, 2} == set(amounts)
    for model in (STUDY_ROOT, PATIENT_ROOT):
        for syntax in (EXPLICIT, IMPLICIT, BIG_ENDIAN):
            assert query(site, "ANY", "STUDY", [ID, NAME], model, syntax) == 3


def test_a_query_that_keeps_orthanc_busy_is_refused(site: Site) -> None:
    """Orthanc answers nothing, and closes the connection after a minute."""
    asked = find_scu.encoded([(0x00080020, "DA", "2024*"), (0x00080052, "CS", "STUDY")])
    with FindScu(site.ours.tenants["OPEN"]) as scu:
        assert scu.find(asked).status == 0xC000


# Of which level, what, and how many instances are sent by ALL.
MOVES: list[tuple[str | None, dict[str, str], int]] = [
    ("STUDY", {"StudyInstanceUID": STUDIES[0]}, 4),
    ("STUDY", {"StudyInstanceUID": STUDIES[1]}, 0),
    ("STUDY", {"StudyInstanceUID": "\\".join(STUDIES)}, 4),
    ("STUDY", {"StudyInstanceUID": "1.2.3"}, 0),
    ("STUDY", {"AccessionNumber": "*", "StudyInstanceUID": "1.2.3"}, 0),
    ("STUDY", {"AccessionNumber": "A1042", "StudyInstanceUID": ""}, 4),
    ("STUDY", {"AccessionNumber": "", "StudyInstanceUID": STUDIES[0]}, 4),
    ("STUDY", {"PatientID": "PATIENT0000000001"}, 0),
    ("STUDY", {}, 0),
    ("PATIENT", {"PatientID": "patient0000000001"}, 4),
    ("PATIENT", {"PatientID": "PATIENT*"}, 4),
    ("PATIENT", {"PatientID": "PATIENT0000000002"}, 0),
    ("SERIES", {"StudyInstanceUID": "1.2", "SeriesInstanceUID": SERIES[0]}, 2),
    ("SERIES", {"SeriesInstanceUID": SERIES[1]}, 0),
    ("INSTANCE", {"SOPInstanceUID": INSTANCES[0]}, 1),
    ("INSTANCE", {"SOPInstanceUID": INSTANCES[1]}, 0),
    ("IMAGE", {"SOPInstanceUID": INSTANCES[0]}, 0),
    (None, {"StudyInstanceUID": STUDIES[0]}, 4),
    (None, {"StudyInstanceUID": STUDIES[0], "SeriesInstanceUID": SERIES[0]}, 2),
    (None, {"StudyInstanceUID": STUDIES[0], "PatientID": "PATIENT0000000002"}, 4),
]


def moved(
    site: Site, port: int, asked: Dataset, destination: str = "SINK"
) -> tuple[list[Response], Response, list[tuple[str, str, Any]]]:
    site.sink.forget()
    done = move(port, asked, destination, calling="PEER")
    received = [(each.sop_instance, each.calling, each.originator) for each in site.sink.received]
    return done.pending, done.final, sorted(received)


@pytest.mark.parametrize(("level", "keys", "amount"), MOVES)
def test_moves(site: Site, level: str | None, keys: dict[str, str], amount: int) -> None:
    ours, theirs = (
        moved(site, each.tenants["ALL"], identifier(level, **keys)) for each in site.sides
    )
    assert ours == theirs
    assert len(ours[2]) == amount


def test_an_empty_identifier_is_answered_at_once(site: Site) -> None:
    """Not one that is announced and never sent, as pynetdicom does with an empty data set: all
    servers wait for that."""
    for each in site.sides:
        with peer(each.tenants["OPEN"]) as one:
            one.associate(contexts=[(STUDY_MOVE, (IMPLICIT,))], calling="PEER")
            one.send(request(STUDY_MOVE, C_MOVE_RQ, "SINK") + p_data(pdv(1, b"")))
            assert one.status() == 0
            one.release()


def test_moves_of_others(site: Site) -> None:
    asked = identifier("STUDY", StudyInstanceUID=STUDIES[1])
    for aet, amount in (("ANY", 2), ("NONE", 4), ("BOTH", 0), ("OPEN", 4)):
        ours, theirs = (moved(site, each.tenants[aet], asked) for each in site.sides)
        assert ours == theirs
        assert (ours[1].status, ours[1].completed, len(ours[2])) == (0, 1, amount)
    ours, theirs = (moved(site, each.tenants["OPEN"], asked, "NOBODY") for each in site.sides)
    assert ours == theirs
    assert ours[1].status == 0xC000


def test_a_destination_that_takes_nothing_is_a_failure(site: Site) -> None:
    """Orthanc answers nothing, and closes the connection after a minute."""
    site.ours.client.put("/modalities/gone", json=["GONE", "127.0.0.1", free_port()])
    asked = identifier("STUDY", StudyInstanceUID=STUDIES[0])
    _, final, _ = moved(site, site.ours.tenants["OPEN"], asked, "GONE")
    assert (final.status, final.completed, final.failed) == (0xA702, 0, 1)


def store(port: int, content: bytes, called: str = "ANY-SCP", calling: str = "PEER") -> int:
    dataset = pydicom.dcmread(BytesIO(content))
    ae = AE(ae_title=calling)
    ae.add_requested_context(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)
    association = ae.associate("127.0.0.1", port, ae_title=called)
    assert association.is_established
    status: int = association.send_c_store(dataset).Status
    association.release()
    return status


def each_level(*found: str) -> dict[str, list[str]]:
    return {level: list(found) for level in PARENTS}


def labels(client: httpx.Client, content: bytes) -> dict[str, list[str]]:
    """Of what is stored already, by level."""
    stored = uploaded(client, content)
    assert stored["Status"] == "AlreadyStored"
    return {
        level: client.get(f"/{level}/{stored[parent]}/labels").json()
        for level, parent in PARENTS.items()
    }


def test_what_is_stored_gets_the_labels(site: Site) -> None:
    of_red = {"patients": [], "studies": ["red"], "series": ["red"], "instances": ["red"]}
    expected = {
        "ALL": of_red,
        "ANY": each_level() | {"studies": ["blue", "red"]},
        "NONE": each_level(),
        "BOTH": each_level("blue", "red"),
        "OPEN": each_level(),
    }
    for number, aet in enumerate(TENANTS):
        content = SMALL.number(10 + number, 5, 1, 1)
        for each in site.sides:
            assert store(each.tenants[aet], content, calling="STRANGER") == 0
            assert labels(each.client, content) == expected[aet], aet
    # What is there already gets them too.
    content = SMALL.number(10, 5, 1, 1)
    for each in site.sides:
        assert store(each.tenants["ANY"], content) == 0
        assert labels(each.client, content) == of_red | {"studies": ["blue", "red"]}
        assert store(each.tenants["BOTH"], content) == 0
        assert labels(each.client, content) == each_level("blue", "red")
    for each in site.sides:  # the main server gives none
        content = SMALL.number(20, 5, 1, 1)
        assert store(each.port, content, called="MAIN") == 0
        assert labels(each.client, content) == each_level()


def test_what_is_negotiated(site: Site) -> None:
    """Neither C-GET nor worklists nor storage commitment."""
    models = [f"1.2.840.10008.5.1.4.1.2.{root}.{kind}" for root in (1, 2) for kind in (1, 2, 3)]
    others = ["1.2.840.10008.5.1.4.31", "1.2.840.10008.1.20.1", "1.2.3.4.5"]
    found = []
    for each in site.sides:
        contexts = [(uid, (EXPLICIT, IMPLICIT)) for uid in (VERIFICATION, CT, *models, *others)]
        with peer(each.tenants["ALL"]) as one:
            answer = one.associate(contexts=contexts, calling="STRANGER", called="WHOEVER")
            found.append([context.result for context in answer.presentation_context])
            one.send(echo_rq())
            assert one.status() == 0
            one.release()
    assert found[0] == found[1]
    assert found[0] == [0, 0, 0, 0, 3, 0, 0, 3, 3, 3, 3]


def test_rights_are_those_of_the_main_server(site: Site) -> None:
    asked = find_scu.encoded([(0x00080052, "CS", "STUDY"), ID])
    for each in site.sides:
        with (
            FindScu(each.tenants["OPEN"], calling="STRANGER") as scu,
            pytest.raises(find_scu.Aborted),
        ):
            scu.find(asked)


def test_tenants_listen_where_the_main_server_does_not(tmp_path: Path) -> None:
    """Whatever is called, unless `DicomCheckCalledAet` wants it to be the tenant's own title."""
    port = free_port()
    section = {"Servers": [{"AET": "A", "Port": port, "Labels": ["red"]}]}
    options = {"MultitenantDicom": section, "DicomCheckCalledAet": True}
    with OurServer(tmp_path, options) as server:
        content = SMALL.number(1, 1, 1, 1)
        with peer(port) as refused, pytest.raises(Rejected) as refusal:
            refused.associate(called="ORTHANC")
        assert refusal.value.args == (1, 1, 7)
        assert store(port, content, called="A") == 0
        with httpx.Client(base_url=server.url) as client:
            assert labels(client, content)["studies"] == ["red"]
            assert "multitenant-dicom" in client.get("/plugins").json()
            described = client.get("/plugins/multitenant-dicom").json()
            assert described["ID"] == "multitenant-dicom"
            (instance,) = client.get("/instances").json()
            metadata = client.get(f"/instances/{instance}/metadata?expand").json()
        assert metadata["Origin"] == "DicomProtocol"
        assert (metadata["RemoteAET"], metadata["CalledAET"]) == ("PEER", "A")


def test_tls(tmp_path: Path) -> None:
    """The port of a tenant has the TLS of the main server: DCMTK with a certificate sends and
    finds, without one it is turned away."""
    authority = Authority(tmp_path, "authority")
    certificate, key = authority.issue("server")
    of_client, key_of_client = authority.issue("client")
    port = free_port()
    options = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(certificate),
        "DicomTlsPrivateKey": str(key),
        "DicomTlsTrustedCertificates": str(authority.certificate),
        "DicomAlwaysAllowFind": True,
        "MultitenantDicom": {"Servers": [{"AET": "A", "Port": port, "Labels": ["red"]}]},
    }
    file = tmp_path / "instance.dcm"
    file.write_bytes(SMALL.number(1, 1, 1, 1))

    def run(tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        program = shutil.which(tool, path=os.defpath)  # pynetdicom has some of the same name
        assert program is not None
        command = [program, "-v", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    shown = ("+tls", str(key_of_client), str(of_client), "+cf", str(authority.certificate))
    place = ("127.0.0.1", str(port))
    with OurServer(tmp_path / "server", options) as server:
        assert run("echoscu", *place).returncode != 0
        assert run("echoscu", "+tla", "-ic", *place).returncode != 0
        assert run("echoscu", *shown, *place).returncode == 0
        assert run("storescu", *shown, *place, str(file)).returncode == 0
        with httpx.Client(base_url=server.url) as client:
            assert labels(client, file.read_bytes())["studies"] == ["red"]
        asked = ("-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "PatientID=")
        found = run("findscu", *shown, *asked, *place)
        assert found.returncode == 0
        assert "PATIENT0000000001" in found.stdout + found.stderr
