"""Addresses in answers lead back to where they came from: directly, and through nginx."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support import generated
from support.nginx import BELOW_A_PREFIX, nginx
from support.server import OurServer

OPTIONS = {
    "TrustedProxies": ["127.0.0.1"],
    "RemoteAccessAllowed": True,
    "AuthenticationEnabled": False,
}
BOUNDARY = "boundary-of-the-test"
_numbers = iter(range(1, 100))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    with OurServer(tmp_path_factory.mktemp("server"), OPTIONS) as running:
        yield running


@pytest.fixture(params=["directly", "nginx"])
def root(
    request: pytest.FixtureRequest, server: OurServer, needs_nginx: None, tmp_path: Path
) -> Iterator[str]:
    """The address of the server as a client knows it."""
    if request.param == "directly":
        yield server.url
    else:
        with nginx(tmp_path / "nginx", BELOW_A_PREFIX.format(server=server.url)) as url:
            yield f"{url}/orthanc"


def store(root: str) -> Any:
    number = next(_numbers)
    data = generated.small().number(number, number, 1, 1)
    head = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    kind = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
    headers = {"Content-Type": kind, "Accept": "application/dicom+json"}
    body = head + data + f"\r\n--{BOUNDARY}--\r\n".encode()
    answer = httpx.post(f"{root}/dicom-web/studies", content=body, headers=headers)
    assert answer.status_code == 200
    return answer.json()


def addresses(value: Any) -> Iterator[str]:
    """All addresses of an answer."""
    if isinstance(value, list):
        for each in value:
            yield from addresses(each)
    elif isinstance(value, dict):
        if value.get("vr") == "UR":
            yield from value.get("Value", [])
        elif "BulkDataURI" in value:
            yield value["BulkDataURI"]
        else:
            for each in value.values():
                yield from addresses(each)


def test_all_addresses(root: str) -> None:
    stored = store(root)
    (study,) = stored["00081190"]["Value"]
    answers = [stored, httpx.get(f"{study}/metadata").json()]
    series = httpx.get(f"{study}/series").json()
    answers += [series, httpx.get(f"{study}/instances").json()]
    (address,) = series[0]["00081190"]["Value"]
    answers.append(httpx.get(f"{address}/metadata").json())
    found = [each for answer in answers for each in addresses(answer)]
    assert any("/bulk/" in each for each in found)
    assert len(set(found)) > 3
    for each in set(found):
        assert each.startswith(f"{root}/dicom-web/studies/")
        assert httpx.get(each).status_code == 200
