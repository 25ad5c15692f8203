"""/modalities/{id}/store and store-straight, ours and Orthanc's 1.13 against the same receivers:
answers, jobs, errors, and what was proposed and sent. Source: reference chapter 4, section 5.5."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import httpx
import pytest
from support import generated
from support.encoded import element, file_of, fragments, padded
from support.pair import Pair, started_pair
from support.ports import free_port
from support.sink import Misbehaviour, Sink, Taken, only

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
COMMITMENT = "1.2.840.10008.1.20.1"
UNKNOWN = "12345678-12345678-12345678-12345678-12345678"

# What no two servers share.
INDIVIDUAL = ("ID", "Path", "StorageCommitmentTransactionUID")


class Sinks(NamedTuple):
    """By their names as modalities."""

    good: Sink
    implicit: Sink
    nothing: Sink
    rejecting: Sink
    refusing: Sink
    warning: Sink
    aborting: Sink
    mute: Sink
    plain: Sink  # for storage only


def _raising(how: str) -> Any:
    def status(taken: Taken) -> int:
        raise Misbehaviour(how)

    return status


def _storage_only(sop_class: str, syntaxes: tuple[str, ...]) -> str | None:
    return None if sop_class == COMMITMENT else syntaxes[0]


@pytest.fixture(scope="module")
def sinks() -> Iterator[Sinks]:
    with ExitStack() as stack:
        made = Sinks(
            good=Sink(),
            implicit=Sink(only(IMPLICIT)),
            nothing=Sink(lambda sop_class, syntaxes: None),
            rejecting=Sink(rejects=True),
            refusing=Sink(status=lambda taken: 0xA700),
            warning=Sink(status=lambda taken: 0xB007),
            aborting=Sink(status=_raising("abort")),
            mute=Sink(status=_raising("stall")),
            plain=Sink(
                lambda sop_class, syntaxes: None if sop_class == COMMITMENT else syntaxes[0]
            ),
        )
        for each in made:
            stack.enter_context(each)
        yield made


@pytest.fixture(scope="module")
def pair(
    needs_reference: None, sinks: Sinks, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    modalities: dict[str, Any] = {
        name: {"AET": name.upper(), "Host": "127.0.0.1", "Port": sink.port, "Timeout": 1}
        for name, sink in sinks._asdict().items()
    }
    modalities["dead"] = ["DEAD", "127.0.0.1", free_port()]
    modalities["nowhere"] = ["NOWHERE", "no-such-host.invalid", 104]
    modalities["local"] = modalities["good"] | {"LocalAet": "MYSELF"}
    modalities["native"] = modalities["implicit"] | {"AllowTranscoding": False}
    options = {"DicomModalities": modalities, "LogExportedResources": True}
    with started_pair(tmp_path_factory.mktemp("pair"), options) as pair:
        yield pair


def post(pair: Pair, path: str, body: Any) -> tuple[httpx.Response, httpx.Response]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    ours, theirs = (client.post(path, content=content) for client in (pair.ours, pair.theirs))
    return ours, theirs


# Orthanc tells the state of its own socket, or a place in its source.
OTHER_WORDS = {
    "Operation now in progress": "Connection refused",
    "ErrorCode_InternalError triggered from ServerContext.cpp:2148": "A resource that is to be "
    "sent does not exist",
}


def comparable(answer: httpx.Response) -> Any:
    """Status, and all of the content that two servers can share."""
    if "json" not in answer.headers.get("content-type", "") and not answer.text.startswith("{"):
        return answer.status_code, answer.text
    content = answer.json()
    if isinstance(content, dict):
        content = {name: value for name, value in content.items() if name not in INDIVIDUAL}
        if "Details" in content:
            content["Details"] = as_ours(content["Details"])
    return answer.status_code, content


def as_ours(details: str) -> str:
    for theirs, ours in OTHER_WORDS.items():
        details = details.replace(theirs, ours)
    return details


def assert_same(answers: tuple[httpx.Response, httpx.Response]) -> Any:
    ours, theirs = map(comparable, answers)
    assert ours == theirs
    assert answers[0].headers.get("content-type") == answers[1].headers.get("content-type")
    return ours


SHAPES: list[Any] = [
    "{instances}",
    '"{instances}"',
    '["{instances}"]',
    '["{instances}", "{studies}"]',
    '["{series}", "{series}"]',
    '{{"Resources": ["{patients}"]}}',
    '{{"Resources": []}}',
    "[]",
    '{{"Resources": ["{studies}"], "LocalAet": "OTHER"}}',
    '{{"Resources": ["{studies}"], "CalledAet": "CALLED"}}',
    '{{"Resources": ["{studies}"], "MoveOriginatorID": 3}}',
    '{{"Resources": ["{studies}"], "MoveOriginatorID": 3, "MoveOriginatorAet": "ORIGIN"}}',
    '{{"Resources": ["{studies}"], "MoveOriginatorAet": "ORIGIN"}}',
    '{{"Resources": ["{studies}"], "Timeout": 3, "Priority": 7, "UserData": {{"a": 1}}}}',
    '{{"Resources": ["{studies}"], "Permissive": true}}',
    '{{"Resources": ["{studies}"], "Synchronous": true, "Asynchronous": true}}',
    " {instances}\n",
    "{instances} x",
    "",
    "{{",
    "{{}}",
    "3",
    "null",
    "true",
    '["{instances}", 3]',
    '["{instances}", null]',
    '{{"Resources": "{instances}"}}',
    '{{"Resources": ["x"]}}',
    '{{"Resources": null}}',
    '["x"]',
    f'"{UNKNOWN}"',
    f'["{{instances}}", "{UNKNOWN}"]',
]


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_of_bodies(pair: Pair, sinks: Sinks, shape: str) -> None:
    del sinks.good.taken[:], sinks.good.requests[:]
    assert_same(post(pair, "/modalities/good/store", shape.format(**pair.names).encode()))
    half = len(sinks.good.taken) // 2
    left, right = sinks.good.taken[:half], sinks.good.taken[half:]
    assert [shown(each) for each in left] == [shown(each) for each in right]
    titles = [(each.called, each.calling) for each in sinks.good.requests]
    assert titles[: len(titles) // 2] == titles[len(titles) // 2 :]


def shown(taken: Taken) -> Any:
    """The command without its group length; titles are padded as each likes."""
    fields = {tag: value.strip(b"\0 ") for tag, value in taken.command.items() if tag}
    fields.pop(0x00000110)  # the message ID
    return taken.sop_class, taken.sop_instance, taken.transfer_syntax, fields


FIELDS: dict[str, list[Any]] = {
    "LocalAet": [None, 3, "", True, [], "TOOLONG-TOOLONG-TOOLONG"],
    "CalledAet": [None, 3, "", []],
    "Host": [None, 3, "", "no-such-host.invalid"],
    "Port": [None, "104", -1, 0, 1, 65536, 1.5, 1 << 40],
    "MoveOriginatorAet": [None, 3, ""],
    "MoveOriginatorID": [None, "3", -1, 65535, 65536, 1.5, 1 << 40],
    "StorageCommitment": [None, 1, "true"],
    "Timeout": [None, "1", -1, 0, 1.5, 1 << 40],
    "Permissive": [None, 1],
    "Synchronous": [None, 1],
    "Priority": [None, "1", 1 << 40],
}


@pytest.mark.parametrize("field", FIELDS)
def test_values_of_fields(pair: Pair, field: str) -> None:
    for value in FIELDS[field]:
        body = {"Resources": [pair.names["instances"]], field: value}
        ours, theirs = map(comparable, post(pair, "/modalities/good/store", body))
        assert ours[0] == theirs[0], (value, ours, theirs)
        if isinstance(theirs[1], dict) and "OrthancStatus" in theirs[1]:
            assert ours[1]["OrthancStatus"] == theirs[1]["OrthancStatus"], (value, ours, theirs)
        else:
            assert ours == theirs, value


@pytest.mark.parametrize("name", [*Sinks._fields, "dead", "nowhere", "local", "native", "unknown"])
@pytest.mark.parametrize("route", ["store", "store-straight"])
def test_receivers(pair: Pair, name: str, route: str) -> None:
    body = pair.names["instances"].encode()
    if route == "store-straight":
        body = generated.small().number(1, 1, 1, 1)
    assert_same(post(pair, f"/modalities/{name}/{route}", body))


def test_storage_commitment_that_the_receiver_does_not_know(pair: Pair) -> None:
    for name in ("plain", "refusing"):
        body = {"Resources": [pair.names["studies"]], "StorageCommitment": True}
        assert_same(post(pair, f"/modalities/{name}/store", body))
        body["Asynchronous"] = True
        for client in (pair.ours, pair.theirs):
            job = client.post(f"/modalities/{name}/store", json=body).json()["ID"]
            content = completed(client, job)["Content"]
            assert content["StorageCommitmentTransactionUID"].startswith("2.25.")


MPEG2 = "1.2.840.10008.1.2.4.100"
ODD_FILES = {
    "no SOP class": file_of().replace(
        element(0x00080016, "UI", padded("UI", b"1.2.840.10008.5.1.4.1.1.7")), b""
    ),
    "a syntax that nobody knows": file_of(announced="1.2.3.4.5"),
    "video": file_of(announced=MPEG2, tail=fragments(b"", b"\0\0")),
}


@pytest.mark.parametrize("what", ODD_FILES)
def test_odd_files(pair: Pair, what: str) -> None:
    stored = [
        client.post("/instances", content=ODD_FILES[what]) for client in (pair.ours, pair.theirs)
    ]
    assert stored[0].json()["ID"] == stored[1].json()["ID"]
    for name in ("good", "implicit", "native"):
        assert_same(post(pair, f"/modalities/{name}/store", [stored[0].json()["ID"]]))
        assert_same(post(pair, f"/modalities/{name}/store-straight", ODD_FILES[what]))


@pytest.mark.parametrize("body", [b"", b"x", b"DICM" * 100, generated.small().data[:200]])
def test_straight_with_what_is_no_file(pair: Pair, body: bytes) -> None:
    ours, theirs = post(pair, "/modalities/good/store-straight", body)
    assert ours.status_code == theirs.status_code
    assert ours.json()["OrthancStatus"] == theirs.json()["OrthancStatus"]


def test_failed_jobs(pair: Pair) -> None:
    for name in ("dead", "refusing"):
        body = {"Resources": [pair.names["instances"]], "Asynchronous": True}
        jobs = [answer.json()["ID"] for answer in post(pair, f"/modalities/{name}/store", body)]
        seen = []
        for client, job in zip((pair.ours, pair.theirs), jobs, strict=True):
            found = completed(client, job)
            content = found["Content"]
            # What of it failed is ours to say.
            assert (content.pop("FailedInstancesCount"), content.pop("FailedInstances", None)) in (
                (0, None),
                (1, [failure(pair, found)]),
            )
            found["ErrorDetails"] = as_ours(found["ErrorDetails"])
            members = ("Type", "State", "ErrorCode", "ErrorDetails", "ErrorPayload", "Progress")
            seen.append({member: found.get(member) for member in members} | {"Content": content})
        assert seen[0] == seen[1]


def failure(pair: Pair, job: dict[str, Any]) -> dict[str, Any]:
    found = {
        "ID": pair.names["instances"],
        "ErrorCode": job["ErrorCode"],
        "ErrorDetails": job["ErrorDetails"],
    }
    if "ErrorPayload" in job:
        found["DimseErrorStatus"] = job["ErrorPayload"]["Content"]["DimseErrorStatus"]
    return found


def completed(client: httpx.Client, job: str) -> dict[str, Any]:
    while True:
        found: dict[str, Any] = client.get(f"/jobs/{job}").json()
        if found["State"] in ("Success", "Failure"):
            return found


def test_export_log(pair: Pair) -> None:
    for client in (pair.ours, pair.theirs):
        client.delete("/exports")
    body = [pair.names[level] for level in ("patients", "studies", "series", "instances")]
    for name in ("good", "refusing"):
        post(pair, f"/modalities/{name}/store", body)
    logs = [client.get("/exports").json()["Exports"] for client in (pair.ours, pair.theirs)]
    shown = [
        [
            {name: value for name, value in entry.items() if name not in ("Date", "Seq")}
            for entry in log
        ]
        for log in logs
    ]
    assert shown[0] == shown[1]
    assert len(shown[0]) == 8
