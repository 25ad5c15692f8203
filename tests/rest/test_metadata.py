"""Metadata over REST: against Orthanc 1.13, and what 1.13 adds. Source: reference chapter 1,
sections 1.12 and 6.1."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import md5
from pathlib import Path

import httpx
import pytest
from support import generated
from support.pair import Call, Pair, assert_same, started_pair
from support.server import OurServer

OPTIONS = {"UserMetadata": {"foo": 1024, "bar": 1025}}
ME = "/instances/{instances}/metadata"

READS = [
    ME,
    f"{ME}?expand",
    f"{ME}/Origin",
    f"{ME}/8",
    f"{ME}/08",
    f"{ME}/IndexInSeries",
    f"{ME}/foo",
    f"{ME}/1024",
    f"{ME}/nope",
    f"{ME}/1.5",
    f"{ME}/-4",
    f"{ME}/99999",
    f"{ME}/%208",
    f"{ME}/99999999999999999999",
    "/series/{series}/metadata/RemoteAET",
    "/series/{instances}/metadata",
    "/series/{instances}/metadata/Origin",
    "/instances/nope/metadata",
    "/instances/nope/metadata/foo",
    "/instances/nope/metadata/nope",
]

IF_MATCH, IF_NONE_MATCH = "If-Match", "If-None-Match"
VALUE_A = f'"0-{md5(b"a").hexdigest()}"'
STORY = [
    Call("PUT", f"{ME}/foo", b"a"),
    Call("GET", f"{ME}/foo"),
    Call("GET", f"{ME}/1024"),
    Call("GET", f"{ME}?expand"),
    Call("GET", f"{ME}/foo", headers={IF_NONE_MATCH: VALUE_A}),
    Call("GET", f"{ME}/foo", headers={IF_NONE_MATCH: VALUE_A.strip('"')}),
    Call("GET", f"{ME}/foo", headers={IF_NONE_MATCH: '"1-0"'}),
    Call("GET", f"{ME}/foo", headers={IF_NONE_MATCH: 'W/"x"'}),
    Call("PUT", f"{ME}/foo", b"b", {IF_MATCH: "rubbish"}),
    Call("PUT", f"{ME}/foo", b"b", {IF_MATCH: '"7-00"'}),
    Call("PUT", f"{ME}/foo", b"\xff\x00b", {IF_MATCH: VALUE_A}),
    Call("GET", f"{ME}/foo"),
    Call("PUT", f"{ME}/foo"),
    Call("GET", f"{ME}/foo"),
    Call("PUT", f"{ME}/2000", b"by number", {IF_MATCH: '"5-00"'}),
    Call("GET", ME),
    Call("PUT", "/series/{instances}/metadata/1030", b"the level does not matter"),
    Call("GET", f"{ME}/1030"),
    Call("PUT", "/patients/{patients}/metadata/foo", b"p"),
    Call("GET", "/patients/{patients}/metadata/foo"),
    Call("PUT", f"{ME}/Origin", b"x"),
    Call("PUT", f"{ME}/1", b"x"),
    Call("PUT", f"{ME}/70000", b"x"),
    Call("PUT", f"{ME}/-4", b"x"),
    Call("PUT", f"{ME}/nope", b"x"),
    Call("PUT", "/instances/nope/metadata/foo", b"x"),
    Call("PUT", "/instances/nope/metadata/nope", b"x"),
    Call("PUT", "/instances/nope/metadata/Origin", b"x"),
    Call("POST", f"{ME}/foo", b"x"),
    Call("DELETE", ME),
    Call("DELETE", f"{ME}/Origin"),
    Call("DELETE", f"{ME}/nope"),
    Call("DELETE", f"{ME}/3000"),
    Call("DELETE", f"{ME}/3000", headers={IF_MATCH: "rubbish"}),
    Call("DELETE", f"{ME}/2000", headers={IF_MATCH: '"5-00"'}),
    Call("DELETE", "/instances/nope/metadata/foo"),
    Call("DELETE", "/series/{instances}/metadata/1030"),
    Call("DELETE", f"{ME}/foo"),
    Call("DELETE", f"{ME}/foo"),
    Call("GET", f"{ME}/foo"),
    Call("PUT", f"{ME}/foo", b"again"),
    Call("GET", f"{ME}/foo"),
]
DEMANDED = [
    Call("PUT", f"{ME}/foo", b"a"),
    Call("PUT", f"{ME}/foo", b"b"),
    Call("PUT", f"{ME}/foo", b"b", {IF_MATCH: VALUE_A}),
    Call("PUT", f"{ME}/foo", b"c", {IF_MATCH: VALUE_A}),
    Call("DELETE", f"{ME}/foo"),
    Call("DELETE", f"{ME}/3000"),
    Call("DELETE", "/instances/nope/metadata/foo"),
    Call("DELETE", f"{ME}/3000", headers={IF_MATCH: VALUE_A}),
    Call("DELETE", f"{ME}/Origin"),
    Call("DELETE", f"{ME}/foo", headers={IF_MATCH: VALUE_A}),
    Call("DELETE", f"{ME}/foo", headers={IF_MATCH: f'"1-{md5(b"b").hexdigest()}"'}, status=200),
]


@pytest.fixture(scope="module")
def pair(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with started_pair(tmp_path_factory.mktemp("pair"), OPTIONS) as pair:
        yield pair


@pytest.mark.parametrize("path", READS)
def test_reads(pair: Pair, path: str) -> None:
    call = Call("GET", path)
    assert_same(call, *pair.send(call))


def test_changes_one_after_the_other(pair: Pair) -> None:
    for call in STORY:
        assert_same(call, *pair.send(call))
    kinds = [
        [change["ChangeType"] for change in client.get("/changes").json()["Changes"]]
        for client in (pair.ours, pair.theirs)
    ]
    assert kinds[0] == kinds[1]
    assert kinds[0].count("UpdatedMetadata") > 5


def test_check_revisions(needs_reference: None, tmp_path: Path) -> None:
    with started_pair(tmp_path, OPTIONS | {"CheckRevisions": True}) as pair:
        for call in DEMANDED:
            assert_same(call, *pair.send(call))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Ours alone, with two workers."""
    with (
        OurServer(tmp_path_factory.mktemp("metadata"), OPTIONS | {"HttpWorkers": 2}) as running,
        httpx.Client(base_url=running.url, timeout=30) as client,
    ):
        yield client


def upload(client: httpx.Client, number: int) -> str:
    data = generated.small().number(number, number, number, number)
    return str(client.post("/instances", content=data).json()["ID"])


def test_numbers_and_names(server: httpx.Client) -> None:
    me = f"/instances/{upload(server, 1)}/metadata"
    server.put(f"{me}/bar", content="é".encode())
    server.put(f"{me}/4000", content=b"\xff")
    assert server.get(f"{me}?numeric").json() == [1, 2, 3, 8, 9, 10, 11, 13, 14, 15, 1025, 4000]
    assert server.get(me).json()[-3:] == ["MainDicomTagsSignature", "bar", "4000"]
    expanded = server.get(f"{me}?expand").json()
    assert (expanded["bar"], expanded["4000"]) == ("é", "\ufffd")
    by_number = server.get(f"{me}?expand&numeric").json()
    assert by_number["1025"] == "é"
    assert by_number["8"] == "RestApi"


def test_revisions_never_collide(server: httpx.Client) -> None:
    """Each of many writers gets a revision of its own, whichever process serves it."""
    path = f"/instances/{upload(server, 2)}/metadata/foo"
    url = server.base_url.join(path)

    def put(number: int) -> str:
        return httpx.put(url, content=b"%d" % number).headers["etag"]

    with ThreadPoolExecutor(8) as pool:
        tags = list(pool.map(put, range(60)))
    revisions = [int(tag.strip('"').split("-")[0]) for tag in tags]
    assert sorted(revisions) == list(range(60))
    last = revisions.index(59)
    assert server.get(path).text == str(last)


def test_only_one_of_those_who_know_a_version_wins(server: httpx.Client) -> None:
    path = f"/instances/{upload(server, 3)}/metadata/foo"
    url = server.base_url.join(path)
    tag = server.put(path, content=b"0").headers["etag"]

    def put(number: int) -> int:
        return httpx.put(url, content=b"%d" % number, headers={IF_MATCH: tag}).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(put, range(16)))
    assert sorted(statuses) == [200] + [409] * 15
    assert server.get(path).text == str(statuses.index(200))


def test_read_only(tmp_path: Path) -> None:
    with OurServer(tmp_path, OPTIONS) as running, httpx.Client(base_url=running.url) as client:
        identifier = upload(client, 1)
    read_only = OurServer(tmp_path, OPTIONS | {"ReadOnly": True})
    with read_only:
        url = f"{read_only.url}/instances/{identifier}/metadata/foo"
        for answer in (httpx.put(url, content=b"x"), httpx.delete(url)):
            assert answer.status_code == 500
            assert answer.json()["OrthancStatus"] == 22
