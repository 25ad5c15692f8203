"""Bodies of multipart/form-data, as browsers send them, to our server and to Orthanc 1.13."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support import generated
from support.pair import Pair, started_pair
from support.server import OurServer

HEAD = b'Content-Disposition: form-data; name="file"; filename="x"\r\nContent-Type: image/x\r\n'
FORM = {"Content-Type": "multipart/form-data; boundary=BB"}


def body(*contents: bytes) -> bytes:
    parts = [b"--BB\r\n" + HEAD + b"\r\n" + content + b"\r\n" for content in contents]
    return b"".join(parts) + b"--BB--\r\n"


@pytest.fixture(scope="module")
def pair(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with started_pair(tmp_path_factory.mktemp("pair"), {}) as both:
        yield both


def file(number: int) -> bytes:
    return generated.small().number(7, 7, 7, number)


Outcome = tuple[int, int | bytes, int]


def post(pair: Pair, path: str, content: bytes, headers: dict[str, str]) -> Outcome:
    """Status, error code (b"" where there is no body) and the number of instances then, which must
    be the same of both servers."""
    outcomes = []
    for client in (pair.ours, pair.theirs):
        answer = client.post(path, content=content, headers={**FORM, **headers})
        stored = client.get("/statistics").json()["CountInstances"]
        described = answer.json()["OrthancStatus"] if answer.content else b""
        outcomes.append((answer.status_code, described, stored))
    assert outcomes[0] == outcomes[1]
    return outcomes[0]


def test_each_part_is_a_request(pair: Pair) -> None:
    status, content, before = post(pair, "/instances", body(), {})
    assert (status, content) == (200, b"")
    assert post(pair, "/instances", body(file(0), file(1)), {}) == (200, b"", before + 2)
    # An error ends the work; what came before is stored.
    assert post(pair, "/instances", body(file(2), b"no", file(3)), {}) == (400, 15, before + 3)
    assert post(pair, "/instances", b"", {}) == (200, b"", before + 3)
    other = {"X-Requested-With": "Other"}
    assert post(pair, "/instances", body(file(4)), other) == (500, 9, before + 3)
    browser = {"X-Requested-With": "XMLHttpRequest"}
    assert post(pair, "/instances", body(file(4)), browser) == (200, b"", before + 4)


@pytest.mark.parametrize(
    "form",
    [
        "multipart/form-data ; boundary = BB",
        'multipart/form-data;boundary="BB"',
        "Multipart/Form-Data; charset=utf-8; Boundary=BB",
    ],
)
def test_blanks_and_cases_of_header_fields(pair: Pair, form: str) -> None:
    before = post(pair, "/instances", body(), {})[2]
    blanks = b'Content-Disposition : form-data ; name = "x"\r\nContent-Type :a/b\r\n\r\n'
    number = 40 + len(form)
    content = b"--BB\r\n" + blanks + file(number) + b"\r\n--BB--\r\n"
    assert post(pair, "/instances", content, {"Content-Type": form}) == (200, b"", before + 1)


def test_forms_that_are_not_quite_forms(pair: Pair) -> None:
    before = post(pair, "/instances", body(), {})[2]
    part = b"--BB\r\n" + HEAD + b"\r\n"
    for number, (begin, end, stored) in enumerate(
        (
            (b"hello\r\n" + part, b"\r\n--BB--\r\n", 1),
            (part, b"\r\n--BB\r\n", 1),
            (part, b"", 0),
            (part, b"\r\n--BB--\r\nhello\r\n" + part + file(91) + b"\r\n--BB--\r\n", 1),
            (b"--BB\r\n\r\n", b"\r\n--BB--\r\n", 0),
            (b"--BB\r\nno field\r\n\r\n", b"\r\n--BB--\r\n", 1),
        ),
        80,
    ):
        content = begin + file(number) + end
        before += stored
        assert post(pair, "/instances", content, {}) == (200, b"", before), content[:40]


def test_a_bare_status_of_a_part_does_not_count(pair: Pair) -> None:
    assert post(pair, "/system", body(b"x"), {})[:2] == (200, b"")
    assert post(pair, "/nope", body(b"x"), {})[:2] == (404, 17)
    assert post(pair, "/nope", body(), {})[:2] == (200, b"")


def test_chunks_of_one_file(pair: Pair) -> None:
    before = post(pair, "/instances", body(), {})[2]

    def send(number: int, first: int, last: int | None, **changed: Any) -> Outcome:
        data = file(number)
        headers = {"X-File-Name": f"{number}.dcm", "X-File-Size": str(len(data))}
        headers |= {name.replace("_", "-"): value for name, value in changed.items()}
        given = {name: value for name, value in headers.items() if value is not None}
        return post(pair, "/instances", body(data[first:last]), given)

    waiting, done = (200, b"", before), (200, b"", before + 1)
    assert send(10, 0, 1000) == waiting
    assert send(11, 0, 500) == waiting
    assert send(10, 1000, 5000) == waiting
    assert send(10, 5000, None) == done
    assert send(11, 500, None) == (200, b"", before + 2)
    # More than announced: forgotten, and it can begin anew.
    assert send(12, 0, 1000) == (200, b"", before + 2)
    assert send(12, 500, None) == (200, b"", before + 2)
    assert send(12, 0, 1000) == (200, b"", before + 2)
    assert send(12, 1000, None) == (200, b"", before + 3)
    assert send(13, 0, None) == (200, b"", before + 4)
    # Both headers are needed.
    assert send(14, 0, None, X_File_Size=None) == (500, 9, before + 4)
    assert send(14, 0, None, X_File_Name=None) == (500, 9, before + 4)
    assert send(14, 0, None, X_File_Size="many") == (500, 9, before + 4)
    # Eleven at a time are too many: the oldest is lost.
    for number in range(20, 31):
        assert send(number, 0, 100) == (200, b"", before + 4)
    assert send(30, 100, None) == (200, b"", before + 5)
    assert send(21, 100, None) == (200, b"", before + 6)


def test_chunks_reach_different_workers(tmp_path: Any) -> None:
    data = file(0)
    with OurServer(tmp_path, {"HttpWorkers": 2}) as server:
        headers = {**FORM, "X-File-Name": "a", "X-File-Size": str(len(data))}
        for at in range(0, len(data), 500):
            # A connection of its own for each, hence any worker.
            chunk = body(data[at : at + 500])
            answer = httpx.post(f"{server.url}/instances", content=chunk, headers=headers)
            assert answer.status_code == 200
        assert httpx.get(f"{server.url}/statistics").json()["CountInstances"] == 1
        assert not list((tmp_path / "storage" / "incoming" / "chunks").glob("*.part"))
