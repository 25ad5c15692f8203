"""C-FIND as SCP: who may ask, what bad queries get, C-CANCEL, slow peers, clients of others."""

import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE
from support import archive, find_scu
from support.dicom_door import Shelf, serving
from support.dicom_peer import (
    EXPLICIT,
    IMPLICIT,
    VERIFICATION,
    Peer,
    command,
    echo_rq,
    p_data,
    parse_command,
    pdv,
    peer,
)
from support.find_scu import PATIENT_ROOT, STUDY_ROOT, Aborted, Element, FindScu
from support.ports import free_port
from support.server import OurServer

from orthanc_fast.model import Caller
from orthanc_fast.network.find import Find
from orthanc_fast.upper_layer import dimse

LEVEL, PATIENT_NAME, STUDY_UID = 0x00080052, 0x00100010, 0x0020000D
STUDIES: tuple[Element, ...] = ((LEVEL, "CS", "STUDY"), (STUDY_UID, "UI", ""))
FAILED, CANCELLED = 0xC000, 0xFE00


class Answers:
    """Queries that are answered by pages of made identifiers; it remembers how far it got."""

    def __init__(self, pages: int, per_page: int = 10, size: int = 200) -> None:
        self.pages = pages
        self.given = 0
        self.closed = threading.Event()
        self._page = [bytes(size)] * per_page

    def answers(
        self, caller: Caller, identifier: bytes, transfer_syntax: str
    ) -> Iterator[list[bytes]]:
        for _ in range(self.pages):
            self.given += 1
            yield self._page

    def by_sop_class(self) -> dict[str, dict[int, Any]]:
        return {STUDY_ROOT: {dimse.C_FIND_RQ: Find(self.answers, lambda seconds: None)}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    options = {
        "DicomServerEnabled": True,
        "DicomPort": free_port(),
        "DicomAet": "HERE",
        "DicomModalities": {
            "friend": ["FRIEND", "127.0.0.1", 104],
            "foe": {"AET": "FOE", "Host": "127.0.0.1", "Port": 104, "AllowFind": False},
        },
    }
    with OurServer(tmp_path_factory.mktemp("find"), options) as running:
        with httpx.Client(base_url=running.url, timeout=30) as client:
            archive.upload(client)
        yield running


def port_of(server: OurServer) -> int:
    return int(server.configuration["DicomPort"])


def ask(server: OurServer, elements: tuple[Element, ...], **given: Any) -> find_scu.Outcome:
    with FindScu(port_of(server), calling="FRIEND", **given) as scu:
        return scu.find(find_scu.encoded(sorted(elements, key=lambda each: each[0])))


# Who may


@pytest.mark.parametrize(("calling", "allowed"), [("FRIEND", True), ("friend", True)])
def test_known_modalities_may_ask(server: OurServer, calling: str, allowed: bool) -> None:
    with FindScu(port_of(server), calling=calling) as scu:
        assert len(scu.find(find_scu.encoded(STUDIES)).answers) == len(archive.STUDIES)


@pytest.mark.parametrize("calling", ["FOE", "STRANGER"])
def test_others_are_aborted_without_a_response(server: OurServer, calling: str) -> None:
    with FindScu(port_of(server), calling=calling) as scu, pytest.raises(Aborted) as aborted:
        scu.find(find_scu.encoded(STUDIES))
    assert aborted.value.args == (7,)


def door_options(**more: Any) -> dict[str, Any]:
    known = {
        "here": ["FRIEND", "127.0.0.1", 104],
        "elsewhere": ["FAR", "10.0.0.1", 104],
        "one": {"AET": "TWICE", "Host": "127.0.0.1", "Port": 104},
        "two": {"AET": "TWICE", "Host": "10.0.0.1", "Port": 104, "AllowFind": False},
    }
    return {"DicomModalities": known, **more}


@pytest.mark.parametrize(
    ("calling", "options", "allowed"),
    [
        ("FRIEND", {}, True),
        ("FAR", {}, True),
        ("FAR", {"DicomCheckModalityHost": True}, False),
        ("FRIEND", {"DicomCheckModalityHost": True}, True),
        ("TWICE", {}, False),  # both have to allow it
        ("TWICE", {"DicomCheckModalityHost": True}, True),
        ("friend", {"StrictAetComparison": True}, False),
        ("NOBODY", {}, False),
        ("NOBODY", {"DicomAlwaysAllowFind": True}, True),
        ("NOBODY", {"DicomAlwaysAllowFindWorklist": True}, False),
    ],
)
def test_rights(tmp_path: Path, calling: str, options: dict[str, Any], allowed: bool) -> None:
    queries = Answers(1)
    operations = queries.by_sop_class()
    with (
        serving(Shelf(tmp_path), operations=operations, **door_options(**options)) as door,
        FindScu(door.port, calling=calling) as scu,
    ):
        if allowed:
            assert len(scu.find(find_scu.encoded(STUDIES)).answers) == 10
        else:
            with pytest.raises(Aborted):
                scu.find(find_scu.encoded(STUDIES))
            assert queries.given == 0


def test_worklists_are_not_negotiated(server: OurServer) -> None:
    ae = AE(ae_title="FRIEND")
    ae.add_requested_context("1.2.840.10008.5.1.4.31")
    ae.add_requested_context(STUDY_ROOT)
    association = ae.associate("127.0.0.1", port_of(server))
    assert [each.result for each in association.rejected_contexts] == [3]
    association.release()


# Answers


def test_a_title_that_is_asked_for_is_empty(server: OurServer) -> None:
    title = 0x00080054
    (answer, *_) = ask(server, STUDIES).answers
    assert find_scu.decoded(answer)[title].value == "HERE"
    (answer, *_) = ask(server, (*STUDIES, (title, "AE", ""))).answers
    assert find_scu.decoded(answer)[title].value == ""
    with_value = ask(server, (*STUDIES, (title, "AE", "SOMEBODY"))).answers
    assert len(with_value) == len(archive.STUDIES)


@pytest.mark.parametrize("text", ["MR", "M*", "PT\\MR"])
def test_any_series_may_have_the_modality(server: OurServer, text: str) -> None:
    """Its study is found although the first instance has another one, and the answer shows the one
    that was asked for."""
    modality, series = 0x00080060, 0x0020000E
    found = ask(server, (*STUDIES, (modality, "CS", text), (series, "UI", ""))).answers
    studies = {(each.StudyInstanceUID, each.Modality) for each in map(find_scu.decoded, found)}
    assert (archive.uids("p1s1r1i1")[1], "MR") in studies


def test_a_comment_of_any_length_is_shown(tmp_path: Path) -> None:
    """The index has no text of more than 256 bytes."""
    text = "long " * 100
    options = {"DicomServerEnabled": True, "DicomPort": free_port(), "DicomAlwaysAllowFind": True}
    with OurServer(tmp_path, options) as server:
        data = archive.file_of("p1s1r1i3")
        httpx.post(f"{server.url}/instances", content=data).raise_for_status()
        body = {"Replace": {"ImageComments": text}}
        identifier = archive.names().ids["p1s1r1i3"]
        changed = httpx.post(f"{server.url}/instances/{identifier}/modify", json=body).content
        httpx.post(f"{server.url}/instances", content=changed).raise_for_status()
        asked = ((LEVEL, "CS", "IMAGE"), (0x00204000, "LT", ""))
        comments = {find_scu.decoded(each).ImageComments for each in ask(server, asked).answers}
    assert text.rstrip() in {str(each).rstrip() for each in comments}


@pytest.mark.parametrize(("level", "amount"), [("PATIENT", 2), ("STUDY", 2), ("IMAGE", 3)])
def test_limits_count_what_matches(tmp_path: Path, level: str, amount: int) -> None:
    """Not what the index has to look at, as with Orthanc: the one study of 2021 is found."""
    options = {
        "DicomServerEnabled": True,
        "DicomPort": free_port(),
        "DicomAlwaysAllowFind": True,
        "LimitFindResults": 2,
        "LimitFindInstances": 3,
    }
    with OurServer(tmp_path, options) as server:
        with httpx.Client(base_url=server.url, timeout=30) as client:
            archive.upload(client)
        found = ask(server, ((LEVEL, "CS", level),))
        assert (found.status, len(found.answers)) == (0, amount)
        if level != "PATIENT":
            in_files = (0x00080022, "DA", "20210102")  # AcquisitionDate
            found = ask(server, ((LEVEL, "CS", level), in_files))
            assert (found.status, len(found.answers)) == (0, 1)


def test_dcmtk_and_pynetdicom_get_the_same_answers(server: OurServer) -> None:
    dcmtk = shutil.which("findscu", path=os.defpath)  # pynetdicom has a tool of this name, too
    assert dcmtk is not None
    done = subprocess.run(
        [
            *(dcmtk, "-v", "-S", "-aet", "FRIEND", "127.0.0.1", str(port_of(server))),
            *("-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID", "-k", "PatientName=s*"),
        ],
        capture_output=True,
        encoding="latin-1",
        check=True,
    )
    output = done.stdout + done.stderr
    theirs = sorted(re.findall(r"\(0020,000d\) UI \[([\d.]+)[ \0]?\]", output))
    ae = AE(ae_title="FRIEND")
    ae.add_requested_context(PATIENT_ROOT, ExplicitVRLittleEndian)
    association = ae.associate("127.0.0.1", port_of(server))
    query = Dataset()
    query.QueryRetrieveLevel, query.StudyInstanceUID, query.PatientName = "STUDY", "", "s*"
    answers = list(association.send_c_find(query, PATIENT_ROOT))
    association.release()
    assert [status.Status for status, _ in answers] == [0xFF00] * 3 + [0]
    ours = sorted(str(found.StudyInstanceUID) for _, found in answers if found is not None)
    assert ours == theirs
    assert len(ours) == 3


# Bad queries


def nested(depth: int) -> bytes:
    """An endless sequence in endless items of such sequences."""
    begin = b"\x40\0\x75\x02SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    end = b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    return begin * depth + end * depth


WHOLE = find_scu.encoded(STUDIES)
BAD: dict[str, bytes] = {
    "empty": b"",
    "cut": WHOLE[:-3],
    "garbage": b"\xff" * 50,
    "an item": b"\xfe\xff\x00\xe0\0\0\0\0",
    "an endless value": WHOLE + b"\x40\0\x75\x02SQ\0\0\xff\xff\xff\xff",
    "a length beyond the end": WHOLE + b"\x40\0\x07\0LO\xff\xff",
    "unknown VR": WHOLE + b"\x40\0\x07\0ZZ\xff\xff",
    "nested too deeply": WHOLE + nested(5000),
    "no level": find_scu.encoded(STUDIES[1:]),
    "a wildcard in a UID": find_scu.encoded([STUDIES[0], (STUDY_UID, "UI", "1.*")]),
    "a tag too far below": find_scu.encoded([(LEVEL, "CS", "PATIENT"), (0x00200013, "IS", "1")]),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_queries_fail_and_the_association_goes_on(server: OurServer, name: str) -> None:
    with FindScu(port_of(server), calling="FRIEND") as scu:
        assert scu.find(BAD[name])[:2] == (FAILED, [])
        assert len(scu.find(WHOLE).answers) == len(archive.STUDIES)


def test_a_deep_query_and_a_large_one_are_answered(server: OurServer) -> None:
    amount = len(archive.STUDIES)
    comments: Element = (0x00104000, "LT", "x" * 60_000)
    many = [(0x00080050, "SH", "\\".join(f"a{number}" for number in range(8000)))]
    with FindScu(port_of(server), calling="FRIEND") as scu:
        assert len(scu.find(WHOLE + nested(20)).answers) == amount
        asked = sorted((*STUDIES, comments))
        assert scu.find(find_scu.encoded(asked))[:2] == (0, [])
        assert scu.find(find_scu.encoded(sorted((*STUDIES, *many))))[:2] == (0, [])


def test_a_query_without_data_set(server: OurServer) -> None:
    client = Peer(port_of(server))
    client.associate(contexts=((STUDY_ROOT, (EXPLICIT,)),), calling="FRIEND")
    client.send(p_data(pdv(1, command(0x0020, 1, False, STUDY_ROOT), is_command=True)))
    assert client.status() == FAILED
    client.release()


# Within a query


def test_a_cancel_ends_it_between_two_answers(tmp_path: Path) -> None:
    queries = Answers(100_000)
    with (
        serving(
            Shelf(tmp_path), operations=queries.by_sop_class(), DicomAlwaysAllowFind=True
        ) as door,
        FindScu(door.port) as scu,
    ):
        found = scu.find(WHOLE, cancel_after=20)
        assert found.status == CANCELLED
        assert 20 <= len(found.answers) < 100_000
        assert queries.given < 100_000
        queries.pages = 2
        assert scu.find(WHOLE)[0] == 0, "a cancel of a query that is over does nothing"


def test_a_cancel_of_another_message_does_nothing(tmp_path: Path) -> None:
    queries = Answers(300)
    with (
        serving(
            Shelf(tmp_path), operations=queries.by_sop_class(), DicomAlwaysAllowFind=True
        ) as door,
        FindScu(door.port) as scu,
    ):
        scu.ask(WHOLE)
        scu._message += 100
        scu.cancel()
        assert [status for status, _ in scu.responses()][-1] == 0


def test_requests_within_a_query_are_answered_after_it(tmp_path: Path) -> None:
    """Where the peer has negotiated several operations at the same time."""
    queries = Answers(200, per_page=200)
    with serving(
        Shelf(tmp_path), operations=queries.by_sop_class(), DicomAlwaysAllowFind=True
    ) as door:
        client = Peer(door.port)
        contexts = ((STUDY_ROOT, (EXPLICIT,)), (VERIFICATION, (EXPLICIT,)))
        client.associate(contexts=contexts, window=(5, 5))
        find = p_data(pdv(1, command(0x0020, 7, True, STUDY_ROOT), is_command=True))
        client.send(find + p_data(pdv(1, WHOLE)) + echo_rq(8, 3) + echo_rq(9, 3))
        answered: list[int] = []
        while len(answered) < 3:
            kind, pdu = client.receive()
            assert kind == 4
            if pdu[11] & 1:
                found = parse_command(pdu[12:])
                if found[0x0900] != b"\x00\xff":
                    answered.append(found[0x0120][0])
        assert answered == [7, 8, 9]
        client.release()


def test_a_slow_peer_gets_no_more_than_it_takes(tmp_path: Path) -> None:
    """The answers wait where they come from: sockets hold some megabytes at most."""
    queries = Answers(20_000, size=1000)  # 200 MB
    with (
        serving(
            Shelf(tmp_path), operations=queries.by_sop_class(), DicomAlwaysAllowFind=True
        ) as door,
        FindScu(door.port) as scu,
    ):
        scu.ask(WHOLE)
        before = -1
        while before != queries.given:
            before = queries.given
            time.sleep(0.3)
        assert 0 < queries.given < 2000
        assert sum(status == find_scu.PENDING for status, _ in scu.responses()) == 200_000


def test_identifiers_larger_than_a_pdu_are_fragmented(tmp_path: Path) -> None:
    queries = Answers(1, per_page=3, size=100_000)
    with (
        serving(
            Shelf(tmp_path), operations=queries.by_sop_class(), DicomAlwaysAllowFind=True
        ) as door,
        FindScu(door.port) as scu,
    ):
        assert scu.find(WHOLE).answers == [bytes(100_000)] * 3


def test_an_endless_identifier_is_aborted(tmp_path: Path) -> None:
    with (
        serving(
            Shelf(tmp_path), operations=Answers(1).by_sop_class(), DicomAlwaysAllowFind=True
        ) as door,
        peer(door.port) as client,
    ):
        client.associate(contexts=((STUDY_ROOT, (IMPLICIT,)),))
        client.send(p_data(pdv(1, command(0x0020, 7, True, STUDY_ROOT), is_command=True)))
        try:
            for _ in range(200):
                client.send(p_data(pdv(1, bytes(130_000), last=False)))
        except ConnectionError:
            return
        assert client.abort_source() == (2, 6)


# Logs


def test_logs_tell_no_names(tmp_path: Path) -> None:
    options = {"DicomServerEnabled": True, "DicomAlwaysAllowFind": True}
    asked = (*STUDIES, (PATIENT_NAME, "PN", "Secret^Name"), (0x00080060, "CS", "CT"))
    logs = []
    for hidden in (True, False):
        more = {"DicomPort": free_port(), "DeidentifyLogs": hidden}
        with OurServer(tmp_path / str(hidden), {**options, **more}) as server:
            httpx.put(f"{server.url}/tools/log-level", content="verbose").raise_for_status()
            ask(server, asked)
        logs.append(server.log_path.read_text())
    assert "(0010,0010)  PatientName = *** POTENTIAL PHI ***" in logs[0]
    assert "(0008,0060)  Modality = CT" in logs[0]
    assert "Secret" not in logs[0]
    assert "(0010,0010)  PatientName = Secret^Name" in logs[1]


def test_an_unknown_edition_of_the_standard_stops_the_start(tmp_path: Path) -> None:
    options = {"DicomServerEnabled": True, "DicomPort": free_port()}
    server = OurServer(tmp_path, {**options, "DeidentifyLogsDicomVersion": "1999z"})
    with pytest.raises(RuntimeError, match=r"DeidentifyLogsDicomVersion: .*1999z"):
        server.start()


def test_the_time_of_queries_is_measured(server: OurServer) -> None:
    ask(server, STUDIES)
    text = httpx.get(f"{server.url}/tools/metrics-prometheus").text
    (line,) = [each for each in text.splitlines() if "orthanc_find_scp_duration_ms" in each]
    assert float(line.split()[1]) > 0
