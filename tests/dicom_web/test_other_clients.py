"""Calls as other clients make them: orthanc-api-client, the command line of dicomweb-client,
scripts of Orthanc's project, Weasis. Reference chapter 6, sections 3, 7 and 8."""

import email
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from orthanc_api_client import OrthancApiClient
from support import generated
from support.server import OurServer

TEMPLATE = generated.small()
SLICES = 3


def uid(*levels: int) -> str:
    marks = zip("456", levels, strict=False)
    return ".".join([generated.ROOT, *(f"{mark}{number:09d}" for mark, number in marks)])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    running = OurServer(tmp_path_factory.mktemp("server"))
    running.configuration["DicomWeb"] = {"Servers": {"itself": [f"{running.url}/dicom-web/"]}}
    with running:
        for number in range(SLICES):
            data = TEMPLATE.number(1, 1, 1, number)
            httpx.post(f"{running.url}/instances", content=data).raise_for_status()
        yield running


@pytest.fixture
def api(server: OurServer) -> Iterator[OrthancApiClient]:
    client = OrthancApiClient(server.url)
    yield client
    client.close()


def test_api_client_uploads(server: OurServer, api: OrthancApiClient, tmp_path: Path) -> None:
    paths = []
    for number in range(2):
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(TEMPLATE.number(2, 2, 2, number))
        paths.append(str(path))
    answer = api.upload_files_dicom_web(paths)
    assert len(answer["00081199"]["Value"]) == 2
    assert api.studies.lookup(uid(2)) is not None


def test_api_client_sends_and_retrieves(api: OrthancApiClient) -> None:
    study = api.studies.lookup(uid(1))
    api.dicomweb_servers.send("itself", study)
    assert api.dicomweb_servers.send_async("itself", [study]).wait_completed(timeout=30)
    assert api.dicomweb_servers.retrieve_study("itself", uid(1)) == SLICES
    assert api.dicomweb_servers.retrieve_series("itself", uid(1), uid(1, 1)) == SLICES
    assert api.dicomweb_servers.retrieve_instance("itself", uid(1), uid(1, 1), uid(1, 1, 0))


def test_command_line(server: OurServer) -> None:
    command = [str(Path(sys.executable).with_name("dicomweb_client"))]
    given = ["--url", f"{server.url}/dicom-web", "search", "studies", "--filter"]
    done = subprocess.run(
        [*command, *given, "PatientID=PATIENT0000000001"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)
    assert found["0020000D"]["Value"] == [uid(1)]


def test_stow_in_chunks(server: OurServer) -> None:
    """As the script SendStow does it; it reads where the instances are."""
    kind = 'multipart/related; type="application/dicom"; boundary=0123456789'
    head = "--0123456789\r\nContent-Type: application/dicom\r\n\r\n"

    def body() -> Iterator[bytes]:
        for number in range(2):
            yield head.encode() + TEMPLATE.number(3, 3, 3, number) + b"\r\n"
        yield b"--0123456789--"

    headers = {"Content-Type": kind, "Accept": "application/json"}
    answer = httpx.post(f"{server.url}/dicom-web/studies", content=body(), headers=headers)
    urls = [each["00081190"]["Value"][0] for each in answer.json()["00081199"]["Value"]]
    assert len(urls) == 2
    assert httpx.get(urls[0], headers={"Accept": "application/dicom"}).content[128:132] == b"DICM"


def test_a_study_for_a_parser_of_mail(server: OurServer) -> None:
    """As the script WadoRetrieveStudy does it."""
    answer = httpx.get(f"{server.url}/dicom-web/studies/{uid(1)}")
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + answer.content)
    parts = message.get_payload()
    assert isinstance(parts, list)
    assert len(parts) == SLICES
    for part in parts:
        assert isinstance(part, email.message.Message)
        assert part.get_content_type() == "application/dicom"
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        assert content[128:132] == b"DICM"


def test_an_empty_argument(server: OurServer) -> None:
    """Weasis begins with one."""
    query = f"?&StudyInstanceUID={uid(1)}&includefield=00081030&limit=10&offset=0"
    found = httpx.get(f"{server.url}/dicom-web/studies{query}").json()
    assert [each["00081030"]["Value"] for each in found] == [["Thorax"]]
