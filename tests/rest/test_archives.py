"""Archives beside those of Orthanc 1.13: names, order, bytes, headers and errors."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from support.archived import corpus
from support.reference_server import ReferenceServer
from support.server import OurServer
from support.zip_readers import assert_readable

LEVELS = ("patients", "studies", "series")
LITTLE = "1.2.840.10008.1.2.1"


class Both(NamedTuple):
    ours: httpx.Client
    theirs: httpx.Client
    resources: dict[str, list[str]]

    def each(
        self, method: str, path: str, body: str | bytes | None = None
    ) -> tuple[httpx.Response, httpx.Response]:
        ours, theirs = (
            client.request(method, path, content=body) for client in (self.ours, self.theirs)
        )
        return ours, theirs


@pytest.fixture(scope="module")
def servers(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("archives")
    settings = {"JobsHistorySize": 1000, "KeepAlive": False}
    theirs = ReferenceServer(folder / "theirs", settings)
    with (
        OurServer(folder / "ours", settings) as ours,
        theirs,
        httpx.Client(base_url=ours.url, timeout=60) as left,
        httpx.Client(base_url=theirs.url, timeout=60) as right,
    ):
        for data in corpus():
            stored = [client.post("/instances", content=data).json() for client in (left, right)]
            assert stored[0]["ID"] == stored[1]["ID"]
        found = {level: left.get(f"/{level}").json() for level in (*LEVELS, "instances")}
        yield Both(left, right, found)


class Member(NamedTuple):
    name: str
    data: bytes
    flags: int
    made_by: tuple[int, int]
    attributes: tuple[int, int]
    extra: bytes
    comment: bytes


def members(answer: httpx.Response) -> list[Member]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.comment == b"Created by Orthanc"
        return [
            Member(
                info.orig_filename,
                archive.read(info),
                info.flag_bits,
                (info.create_system, info.create_version),
                (info.internal_attr, info.external_attr),
                info.extra,
                info.comment,
            )
            for info in archive.infolist()
        ]


def assert_same(pair: tuple[httpx.Response, httpx.Response], with_data: bool = True) -> None:
    """The same members in the same order, or the same error. Files that were transcoded are
    written by other libraries: their data are for other tests."""
    ours, theirs = pair
    assert ours.status_code == theirs.status_code, ours.text
    if theirs.status_code != 200:
        error, expected_error = ours.json(), theirs.json()
        assert error["OrthancStatus"] == expected_error["OrthancStatus"]
        assert error.get("Details") == expected_error.get("Details")
        return
    assert ours.headers["content-disposition"] == theirs.headers["content-disposition"]
    found, expected = members(ours), members(theirs)
    if not with_data:
        found, expected = (
            [member._replace(data=b"") for member in side] for side in (found, expected)
        )
    assert found == expected


@pytest.mark.parametrize("utf8", [False, True])
def test_patients(servers: Both, utf8: bool) -> None:
    for name in servers.resources["patients"]:
        body = json.dumps({"Utf8": utf8})
        assert_same(servers.each("POST", f"/patients/{name}/archive", body))


@pytest.mark.parametrize("level", LEVELS)
def test_get_of_each_level(servers: Both, level: str) -> None:
    for name in servers.resources[level][:40]:
        assert_same(servers.each("GET", f"/{level}/{name}/archive"))


@pytest.mark.parametrize("utf8", [False, True])
@pytest.mark.parametrize("level", ["studies", "series"])
def test_post_of_studies_and_series(servers: Both, level: str, utf8: bool) -> None:
    for name in servers.resources[level][:40]:
        body = json.dumps({"Utf8": utf8})
        assert_same(servers.each("POST", f"/{level}/{name}/archive", body))


def test_everything_at_once(servers: Both) -> None:
    for listed in (servers.resources["patients"], servers.resources["series"]):
        body = json.dumps({"Resources": listed[::-1], "Utf8": True})
        assert_same(servers.each("POST", "/tools/create-archive", body))


def test_lists_of_resources(servers: Both) -> None:
    """Instances keep their number and, with POST, the order in which they are listed; what is
    listed with its parent is there once, an instance that is listed twice is there twice."""
    instances = servers.resources["instances"]
    series = servers.resources["series"]
    study, patient = servers.resources["studies"][3], servers.resources["patients"][2]
    (first,) = servers.ours.get(f"/series/{series[0]}").json()["Instances"][:1]
    lists = [
        [],
        instances[:30],
        instances[30:0:-1],
        [instances[4], instances[2], instances[4]],
        [first, series[0], first],
        [series[0], study, patient, series[0]],
        [*instances[:5], *series[:5], patient],
        series[7:3:-1],
    ]
    for listed in lists:
        assert_same(servers.each("POST", "/tools/create-archive", json.dumps(listed)))
        path = f"/tools/create-archive?resources={','.join(listed)}"
        assert_same(servers.each("GET", path))


def paths_of_errors(resources: dict[str, list[str]]) -> Iterator[str]:
    study = resources["studies"][0]
    arguments = (
        *("transcode=1.2", "transcode=", "lossy-quality=x", "filename=", "filename=a%22b%0d%0ac"),
        *("filename=%c3%a9/x", f"lossy-quality=x&transcode={LITTLE}"),
        *(f"lossy-quality=-1&transcode={LITTLE}", f"lossy-quality=&transcode={LITTLE}"),
        "utf8",
    )
    for argument in arguments:
        yield f"/studies/{study}/archive?{argument}"
        yield f"/studies/nobody/archive?{argument}"
        yield f"/tools/create-archive?resources={study}&{argument}"
    yield f"/patients/{study}/archive"
    yield f"/series/{resources['instances'][0]}/archive"
    yield f"/instances/{resources['instances'][0]}/archive"
    yield "/tools/create-archive"
    yield "/tools/create-archive?resources=nobody&transcode=1.2"
    yield f"/tools/create-archive?resources=,{study}"
    yield f"/tools/create-archive?resources=%20{study}"


def test_arguments(servers: Both) -> None:
    for path in paths_of_errors(servers.resources):
        assert_same(servers.each("GET", path), "transcode" not in path)


BODIES = (
    *("", "{bad", "[]", "{}", "5", '"x"', "null", "[5]", '["a"]', '{"Resources":5}'),
    *('{"Resources":[5]}', '{"Resources":["a"],"Transcode":"x"}', '{"Resources":[]}'),
)
FIELDS: tuple[dict[str, Any], ...] = (
    *({"Transcode": each} for each in ("1.2", "", 5, None)),
    *({"Utf8": each} for each in (5, None)),
    *({"Filename": each} for each in (5, "", 'a"b/c;é')),
    *({"LossyQuality": each} for each in ("x", -1)),
    *({"LossyQuality": each, "Transcode": LITTLE} for each in ("x", -1, 1.5, True, 200)),
    *({"Priority": each} for each in ("x", 1.5, 99999999999)),
    {"Synchronous": 5},
    {"Synchronous": True, "Asynchronous": True},
    {"Extended": 5},
    {"Permissive": 5},
    {"Utf8": 5, "Synchronous": 5, "Priority": "x", "Extended": 5, "Transcode": 5},
    {"Utf8": 5, "Priority": "x", "Extended": 5, "Transcode": 5},
    {"Utf8": 5, "Extended": 5, "Transcode": 5},
    {"Utf8": 5, "Transcode": 5},
)


def test_bodies(servers: Both) -> None:
    study = servers.resources["studies"][0]
    for body in (*BODIES, *map(json.dumps, FIELDS)):
        for path in (f"/studies/{study}/archive", "/studies/nobody/archive"):
            assert_same(servers.each("POST", path, body), "Transcode" not in body)
        assert_same(servers.each("POST", "/tools/create-archive", body))
    for fields in FIELDS:
        body = json.dumps({"Resources": [study], **fields})
        assert_same(servers.each("POST", "/tools/create-archive", body), "Transcode" not in body)


def test_other_methods(servers: Both) -> None:
    study = servers.resources["studies"][0]
    for path in (
        *(f"/studies/{study}/{kind}" for kind in ("archive", "media")),
        *(f"/tools/{name}" for name in ("create-archive", "create-media-extended")),
    ):
        for method in ("HEAD", "PUT", "DELETE"):
            ours, theirs = servers.each(method, path)
            assert ours.status_code == theirs.status_code
            assert ours.headers.get("allow") == theirs.headers.get("allow")
            assert not ours.content


def test_four_readers_are_content(servers: Both, tmp_path: Path) -> None:
    body = json.dumps({"Resources": servers.resources["patients"], "Utf8": True})
    path = tmp_path / "all.zip"
    path.write_bytes(servers.ours.post("/tools/create-archive", content=body).content)
    assert len(assert_readable(path)) == len(servers.resources["instances"])
