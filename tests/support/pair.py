"""Our server and Orthanc 1.13 with the same instances, and the comparison of their answers."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from support import generated
from support.reference_server import ReferenceServer
from support.server import OurServer


class Call(NamedTuple):
    """`{instances}`, `{series}`... in the path stand for identifiers."""

    method: str
    path: str
    body: bytes = b""
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed
    status: int | None = None  # ours where theirs is a listed deviation


class Pair(NamedTuple):
    ours: httpx.Client
    theirs: httpx.Client
    names: dict[str, str]

    def send(self, call: Call) -> tuple[httpx.Response, httpx.Response]:
        path = call.path.format(**self.names)
        ours, theirs = (
            client.request(call.method, path, content=call.body, headers=call.headers)
            for client in (self.ours, self.theirs)
        )
        return ours, theirs


@contextmanager
def started_pair(folder: Path, configuration: dict[str, Any]) -> Iterator[Pair]:
    """Both with one instance, whose identifier and whose parents' are `names`."""
    data = generated.small().number(1, 1, 1, 1)
    theirs = ReferenceServer(folder / "theirs", configuration)
    with (
        OurServer(folder / "ours", configuration) as ours,
        theirs,
        httpx.Client(base_url=ours.url, timeout=30) as left,
        httpx.Client(base_url=theirs.url, timeout=30) as right,
    ):
        answers = [client.post("/instances", content=data).json() for client in (left, right)]
        assert answers[0] == answers[1]
        names = {
            "instances": answers[0]["ID"],
            "series": answers[0]["ParentSeries"],
            "studies": answers[0]["ParentStudy"],
            "patients": answers[0]["ParentPatient"],
        }
        yield Pair(left, right, names)


def assert_same(call: Call, ours: httpx.Response, theirs: httpx.Response) -> None:
    """Status, kind and body; of errors Orthanc's code."""
    where = f"{call.method} {call.path} {call.headers}: {ours.text[:300]}"
    if call.status is not None:
        assert ours.status_code == call.status, where
        return
    assert ours.status_code == theirs.status_code, where
    assert ours.headers.get("etag") == theirs.headers.get("etag"), where
    assert ours.headers.get("allow") == theirs.headers.get("allow"), where
    assert bool(ours.content) == bool(theirs.content), where
    if theirs.status_code < 400:
        assert ours.headers.get("content-type") == theirs.headers.get("content-type"), where
        assert _body(ours) == _body(theirs), where
    elif theirs.content:
        assert ours.json()["OrthancStatus"] == theirs.json()["OrthancStatus"], where


# What no two servers share.
_INDIVIDUAL = {"Uuid", "ReceptionDate", "Date", "LastUpdate", "IsStable"}


def compare(pair: Pair, calls: Iterable[Call]) -> None:
    """Sends the calls to both servers, one after the other; their answers are the same."""
    for call in calls:
        assert_same(call, *pair.send(call))


def compare_entries(pair: Pair, collection: str, bodies: Iterable[bytes]) -> None:
    """Puts an entry of other servers, such as of "/peers", with each body, shows it in both ways
    and removes it: all answers are the same."""
    entry = f"{collection}/x"
    for body in bodies:
        seen = [Call("GET", f"{entry}/configuration"), Call("GET", f"{collection}?expand")]
        compare(pair, [Call("PUT", entry, body), *seen, Call("DELETE", entry)])


def _body(answer: httpx.Response) -> Any:
    if answer.headers.get("content-type", "").startswith("application/json"):
        return _comparable(answer.json())
    return answer.content


def _comparable(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _comparable(member) for k, member in value.items() if k not in _INDIVIDUAL}
    return [_comparable(member) for member in value] if isinstance(value, list) else value
