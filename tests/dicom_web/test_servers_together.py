"""Studies between ours and Orthanc with its plugin, and between two of ours, in both directions;
HTTPS with client certificates, and a proxy. Reference chapter 5, section 11."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support import generated
from support.certificates import Authority
from support.dicom_web import DicomWebPair
from support.http_peer import HttpPeer, Received, answer
from support.server import OurServer

ROOT = "/dicom-web/servers"
COUNT = 12


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Another one of ours."""
    options = {"ConcurrentJobs": 1, "HttpWorkers": 1}
    with (
        OurServer(tmp_path_factory.mktemp("second"), options) as running,
        httpx.Client(base_url=running.url, timeout=60) as client,
    ):
        yield client


def study(number: int) -> list[bytes]:
    template = generated.small()
    return [template.number(number, number, 1 + each % 3, 1 + each // 3) for each in range(COUNT)]


def enter(client: httpx.Client, other: httpx.Client, **more: Any) -> None:
    entry = {"Url": f"{other.base_url}/dicom-web", **more}
    client.put(f"{ROOT}/other", json=entry).raise_for_status()


def files_of(client: httpx.Client, name: str) -> list[bytes]:
    instances = client.get(f"/studies/{name}/instances").json()
    return sorted(client.get(f"/instances/{each['ID']}/file").content for each in instances)


def sent(source: httpx.Client, target: httpx.Client, number: int, **entry: Any) -> None:
    """A study that goes there by STOW, and comes back by WADO-RS after it was deleted."""
    contents = study(number)
    for content in contents:
        name = source.post("/instances", content=content).json()["ParentStudy"]
    enter(source, target, **entry)
    found = source.post(f"{ROOT}/other/stow", json={"Resources": [name]})
    assert found.status_code == 200, found.text
    assert found.json()["InstancesCount"] == str(COUNT)
    assert files_of(target, name) == sorted(contents)
    uid = source.get(f"/studies/{name}").json()["MainDicomTags"]["StudyInstanceUID"]
    source.delete(f"/studies/{name}").raise_for_status()
    found = source.post(f"{ROOT}/other/retrieve", json={"Resources": [{"Study": uid}]})
    assert found.status_code == 200, found.text
    assert found.json()["ReceivedInstancesCount"] == str(COUNT)
    assert files_of(source, name) == sorted(contents)
    target.delete(f"/studies/{name}").raise_for_status()


def test_ours_to_orthanc(pair: DicomWebPair) -> None:
    sent(pair.ours, pair.theirs, 101)
    sent(pair.ours, pair.theirs, 102, ChunkedTransfers=False)


def test_orthanc_to_ours(pair: DicomWebPair) -> None:
    sent(pair.theirs, pair.ours, 103)
    sent(pair.theirs, pair.ours, 104, ChunkedTransfers=False)


def test_ours_to_ours(ours: httpx.Client, second: httpx.Client) -> None:
    sent(ours, second, 105)


def test_series_and_instances(pair: DicomWebPair) -> None:
    """What is named together is retrieved together."""
    contents = study(106)
    for content in contents:
        last = pair.theirs.post("/instances", content=content).json()
    enter(pair.ours, pair.theirs)
    uids = [
        pair.theirs.get(f"/{level}/{last[name]}").json()["MainDicomTags"][tag]
        for level, name, tag in (
            ("studies", "ParentStudy", "StudyInstanceUID"),
            ("series", "ParentSeries", "SeriesInstanceUID"),
            ("instances", "ID", "SOPInstanceUID"),
        )
    ]
    names = dict(zip(("Study", "Series", "Instance"), uids, strict=True))
    for levels, count in ((("Study", "Series", "Instance"), 1), (("Study", "Series"), 4)):
        resource = {level: names[level] for level in levels}
        found = pair.ours.post(f"{ROOT}/other/retrieve", json={"Resources": [resource]})
        assert found.json()["ReceivedInstancesCount"] == str(count)
        assert len(files_of(pair.ours, last["ParentStudy"])) == count


def test_orthanc_is_searched(pair: DicomWebPair) -> None:
    """As a page of Orthanc Explorer 2 does it."""
    pair.theirs.post("/instances", content=study(107)[0]).raise_for_status()
    enter(pair.ours, pair.theirs)
    enter(pair.theirs, pair.theirs)
    body = {"Uri": "/studies", "Arguments": {"limit": "100", "fuzzymatching": "true"}}
    ours, theirs = (client.post(f"{ROOT}/other/qido", json=body).json() for client in pair)
    assert ours == theirs
    assert ours


def test_read_only(tmp_path: Path) -> None:
    """Nothing is stored, but others are asked and sent to."""
    with (
        OurServer(tmp_path, {"ReadOnly": True, "HttpWorkers": 1}) as server,
        HttpPeer() as peer,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        client.put(f"{ROOT}/p", json=[peer.url]).raise_for_status()
        statuses = {
            verb: client.post(f"{ROOT}/p/{verb}", json={"Uri": "x", "Resources": []}).status_code
            for verb in ("get", "stow", "retrieve", "wado")
        }
        assert statuses == {"get": 200, "stow": 200, "retrieve": 404, "wado": 404}


# The way


def test_client_certificates(tmp_path: Path) -> None:
    """A server that asks for one gets that of its entry, and nobody else's authority is trusted."""
    authority = Authority(tmp_path)
    pair = authority.issue("server", "subjectAltName = DNS:localhost")
    certificate, key = authority.issue("client")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    context.load_verify_locations(authority.certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    options = {"HttpsCACertificates": str(authority.certificate), "HttpWorkers": 1}
    with (
        HttpPeer(stored_one, tls=context, host="localhost") as peer,
        OurServer(tmp_path / "server", options) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        instance = client.post("/instances", content=study(108)[0]).json()["ID"]
        files = {"CertificateFile": str(certificate), "CertificateKeyFile": str(key)}
        for entry, status in ((files, 200), ({}, 500), (files | {"CertificateFile": "/no"}, 500)):
            client.put(f"{ROOT}/p", json={"Url": peer.url, **entry}).raise_for_status()
            found = client.post(f"{ROOT}/p/stow", json={"Resources": [instance]})
            assert found.status_code == status, found.text
            assert client.post(f"{ROOT}/p/get", json={"Uri": "x"}).status_code == status
        assert "Problem with the local SSL certificate" in found.json()["Details"]


def stored_one(received: Received) -> bytes:
    return answer(200, b'{"00081199": {"vr": "SQ", "Value": [{}]}}')


def test_a_proxy(tmp_path: Path) -> None:
    """All goes through it."""
    with HttpPeer(stored_one) as proxy, HttpPeer() as peer:
        options = {"HttpProxy": f"u:p@127.0.0.1:{proxy.port}", "HttpWorkers": 1}
        with (
            OurServer(tmp_path, options) as server,
            httpx.Client(base_url=server.url, timeout=60) as client,
        ):
            instance = client.post("/instances", content=study(109)[0]).json()["ID"]
            client.put(f"{ROOT}/p", json=[peer.url]).raise_for_status()
            client.post(f"{ROOT}/p/get", json={"Uri": "x"}).raise_for_status()
            client.post(f"{ROOT}/p/stow", json={"Resources": [instance]}).raise_for_status()
        assert [each.target for each in proxy.requests] == [f"{peer.url}x", f"{peer.url}studies"]
        assert all("proxy-authorization" in each.headers for each in proxy.requests)
        assert peer.requests == []
