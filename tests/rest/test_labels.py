"""Labels over REST; they came after Orthanc. Source: reference chapter 1, section 6.3."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from support import generated
from support.server import OurServer

LEVELS = {
    "patients": "ParentPatient",
    "studies": "ParentStudy",
    "series": "ParentSeries",
    "instances": "ID",
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with (
        OurServer(tmp_path_factory.mktemp("labels"), {"HttpWorkers": 2}) as running,
        httpx.Client(base_url=running.url, timeout=30) as client,
    ):
        yield client


def upload(client: httpx.Client, number: int) -> dict[str, str]:
    data = generated.small().number(number, number, number, number)
    answer: dict[str, str] = client.post("/instances", content=data).json()
    return answer


@pytest.mark.parametrize("level", LEVELS)
def test_a_label_comes_and_goes(client: httpx.Client, level: str) -> None:
    me = f"/{level}/{upload(client, 1)[LEVELS[level]]}"
    assert client.get(f"{me}/labels").json() == []
    last = client.get("/changes?last").json()
    for _ in range(2):  # twice is as once
        for label in ("b", "A", "a-_9"):
            answer = client.put(f"{me}/labels/{label}", content=b"ignored")
            assert (answer.status_code, answer.content) == (200, b"")
            assert answer.headers["content-type"] == "text/plain"
    assert client.get(f"{me}/labels").json() == ["A", "a-_9", "b"]
    assert client.get(me).json()["Labels"] == ["A", "a-_9", "b"]
    assert client.get(f"{me}/labels/A").status_code == 200
    absent = client.get(f"{me}/labels/B")
    assert (absent.status_code, absent.content) == (404, b"")
    assert client.get("/changes?last").json() == last
    for _ in range(2):
        assert client.delete(f"{me}/labels/A").status_code == 200
    assert client.get(f"{me}/labels").json() == ["a-_9", "b"]


def test_labels_of_the_whole_server(client: httpx.Client) -> None:
    before = set(client.get("/tools/labels").json())
    first, second = upload(client, 2), upload(client, 3)
    marked = [
        f"/studies/{first['ParentStudy']}/labels/Here",
        f"/studies/{second['ParentStudy']}/labels/Here",
        f"/patients/{second['ParentPatient']}/labels/here",
        f"/instances/{second['ID']}/labels/{'x' * 64}",
    ]
    for path in marked:
        assert client.put(path).status_code == 200
    assert client.get("/tools/labels").json() == sorted(before | {"Here", "here", "x" * 64})
    client.delete(f"/patients/{second['ParentPatient']}")
    assert client.get("/tools/labels").json() == sorted(before | {"Here"})
    client.delete(marked[0])
    assert set(client.get("/tools/labels").json()) == before


@pytest.mark.parametrize("label", ["x" * 65, "a b", "é", "a.b", "a%01", "a,b"])
def test_what_is_no_label(client: httpx.Client, label: str) -> None:
    me = f"/patients/{upload(client, 4)['ParentPatient']}/labels"
    for answer in (client.put(f"{me}/{label}"), client.delete(f"{me}/{label}")):
        assert answer.status_code == 400
        assert answer.json()["OrthancStatus"] == 3
    assert client.get(f"{me}/{label}").status_code == 404
    assert client.get(me).json() == []


def test_the_level_counts(client: httpx.Client) -> None:
    study = upload(client, 5)["ParentStudy"]
    for path in (f"/series/{study}/labels", "/studies/nope/labels"):
        answers = [client.get(path)]
        answers += [client.request(m, f"{path}/a") for m in ("GET", "PUT", "DELETE")]
        for answer in answers:
            assert answer.status_code == 404
            assert answer.json()["OrthancStatus"] == 17
    assert client.post(f"/studies/{study}/labels/a").headers["allow"] == "GET,PUT,DELETE"


def test_concurrent_labels_all_stay(client: httpx.Client) -> None:
    study = upload(client, 6)["ParentStudy"]
    url = client.base_url.join(f"/studies/{study}/labels")

    def put(number: int) -> int:
        return httpx.put(f"{url}/label{number:02d}").status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(put, range(40))) == {200}
    assert client.get(url).json() == [f"label{number:02d}" for number in range(40)]
