"""Every route of DICOMweb asks for the password, and a search that has to look into files does not
pretend to know how much it will find. Reference chapter 5, section 13."""

from collections.abc import Iterator

import httpx
import pytest
from support.server import OurServer
from support.stow import instance

from orthanc_fast.config import Settings
from orthanc_fast.rest.routes import build_router

NAME = ("me", "secret")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    options = {
        "AuthenticationEnabled": True,
        "RegisteredUsers": dict([NAME]),
        "HttpWorkers": 1,
        "DicomWeb": {"PublicRoot": "/public/"},
    }
    with OurServer(tmp_path_factory.mktemp("server"), options) as running:
        yield running


def routes() -> list[tuple[str, str]]:
    found = [(route.method, route.path) for route in build_router(Settings()).routes]
    return [each for each in found if each[1].startswith(("/dicom-web", "/wado"))]


def test_every_route_asks_for_the_password(server: OurServer) -> None:
    assert len(routes()) > 30
    with httpx.Client(base_url=server.url, timeout=60) as client:
        for method, path in routes():
            path = path.replace("{*}", "1").replace("{}", "1")
            for credentials in (None, ("me", "wrong"), ("you", "secret")):
                answer = client.request(method, path, auth=credentials)
                assert (answer.status_code, answer.content) == (401, b""), (method, path)
            assert client.request(method, path, auth=NAME).status_code != 401, (method, path)


def test_total_of_a_search_in_files(server: OurServer) -> None:
    """It is there where the index knows it, and never wrong."""
    with httpx.Client(base_url=server.url, timeout=60, auth=NAME) as client:
        for number in range(1, 8):
            data = instance(number, 97, ContentDate="20240101" if number % 2 else "20250101")
            assert client.post("/instances", content=data).status_code == 200
        for query, count in (
            ("instances", 7),
            ("instances?ContentDate=20240101", 4),
            ("instances?ContentDate=20240101&limit=2", 2),
            ("instances?ContentDate=20240101&limit=2&offset=3", 1),
            ("instances?limit=3&offset=5", 2),
            ("series?ContentDate=20240101", 1),
        ):
            answer = client.get(f"/dicom-web/{query}")
            assert len(answer.json()) == count, query
            total = answer.headers.get("x-total-count")
            every = len(
                client.get(f"/dicom-web/{query.partition('&')[0].partition('?limit')[0]}").json()
            )
            assert total is None or int(total) == every, query
            urls = [each["00081190"]["Value"][0] for each in answer.json()]
            assert all(url.startswith(f"{server.url}/public/studies/") for url in urls)
        assert client.get("/dicom-web/instances").headers["x-total-count"] == "7"
