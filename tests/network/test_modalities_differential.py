"""Modalities as clients may send them, to our server and to Orthanc 1.13: status, error code, and
what both say of them afterwards."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from support.pair import Call, Pair, compare, compare_entries, started_pair

BASE = {"AET": "A", "Host": "h", "Port": 104}
ME = "/modalities/x"


@pytest.fixture(scope="module")
def pair(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with started_pair(tmp_path_factory.mktemp("pair"), {}) as pair:
        yield pair


def compare_bodies(pair: Pair, bodies: list[bytes]) -> None:
    compare_entries(pair, "/modalities", bodies)


def compare_values(pair: Pair, values: list[Any]) -> None:
    compare_bodies(pair, [json.dumps(value).encode() for value in values])


def test_what_is_no_modality(pair: Pair) -> None:
    bodies = [b"", b"x", b"3", b'"x"', b"null", b"true", b"[]", b"{}", b"{", b'["A","h",104]x']
    compare_bodies(pair, [*bodies, b'["A","h",104,]', b'// c\n["A","h",104]', b'{"AET":"A",}'])


def test_lists(pair: Pair) -> None:
    lengths = [["A"], ["A", "h"], ["A", "h", 1], ["A", "h", 1, "GE"], ["A", "h", 1, "GE", 1]]
    compare_values(pair, [*lengths, [["A", "h", 104]]])


TEXTS: list[Any] = ["", "a b", "A\\B", " A ", "A\n", "ÄÖ", "LONGERTHAN16BYTES", None, 1, 1.5, True]
TEXTS += [[], ["A"], {}]


@pytest.mark.parametrize("field", ["AET", "Host", "LocalAet", "RetrieveMethod", "Unknown", "aet"])
def test_texts(pair: Pair, field: str) -> None:
    values: list[Any] = [{**BASE, field: value} for value in TEXTS]
    if field in ("AET", "Host"):
        values += [["A", text, 1] if field == "Host" else [text, "h", 1] for text in TEXTS]
        values += [{key: value for key, value in BASE.items() if key != field}]
    if field == "RetrieveMethod":
        methods = ("SystemDefault", "C-MOVE", "C-GET", "c-get", "C_MOVE", "X")
        values += [{**BASE, field: method} for method in methods]
    compare_values(pair, values)


PORTS: list[Any] = [
    -1,
    0,
    1,
    65534,
    65535,
    65536,
    1 << 31,
    1 << 32,
    -(1 << 31) - 1,
    1 << 63,
    1 << 70,
]
PORTS += [
    104.0,
    104.5,
    1e20,
    True,
    None,
    [],
    "104",
    "104 ",
    " 104",
    "+104",
    "0x68",
    "104.0",
    "",
    "x",
]
PORTS += ["-1", "-5", "0", "65535", "65536", "4294967295", "99999999999", "-99999999999"]


def test_ports(pair: Pair) -> None:
    compare_values(pair, [{**BASE, "Port": port} for port in PORTS])
    compare_values(pair, [["A", "h", port] for port in PORTS])
    compare_values(pair, [{"AET": "A", "Host": "h"}])


MAKERS: list[Any] = [
    "Generic",
    "GenericNoWildcardInDates",
    "GenericNoUniversalWildcard",
    "StoreScp",
]
MAKERS += ["ClearCanvas", "Dcm4Chee", "SyngoVia", "AgfaImpax", "EFilm2", "MedInria", "Vitrea", "GE"]
MAKERS += ["SiemensSyngoCT", "Patient", "generic", "Nope", "", " Generic", None, 1, []]


def test_manufacturers(pair: Pair) -> None:
    compare_values(pair, [{**BASE, "Manufacturer": maker} for maker in MAKERS])
    compare_values(pair, [["A", "h", 104, maker] for maker in MAKERS])


FLAGS = ["AllowEcho", "AllowFind", "AllowFindWorklist", "AllowGet", "AllowMove", "AllowStore"]
FLAGS += ["AllowNAction", "AllowEventReport", "AllowTranscoding", "UseDicomTls"]
FLAGS += ["AllowStorageCommitment"]


@pytest.mark.parametrize("flag", FLAGS)
def test_flags(pair: Pair, flag: str) -> None:
    values: list[Any] = [True, False, None, 0, 1, "true", "", []]
    compare_values(pair, [{**BASE, flag: value} for value in values])


def test_the_alias_of_two_rights(pair: Pair) -> None:
    names = ("AllowStorageCommitment", "AllowNAction", "AllowEventReport")
    values = []
    for flags in itertools.product((None, True, False), repeat=3):
        given = zip(names, flags, strict=True)
        values.append({**BASE, **{name: flag for name, flag in given if flag is not None}})
    compare_values(pair, values)


def test_timeouts(pair: Pair) -> None:
    large = [1 << 32, (1 << 32) + 5, (1 << 63) - 1, 1 << 63, 1 << 64, -(1 << 63), -(1 << 64)]
    timeouts: list[Any] = [0, 1, 60, -1, 1.0, 1.5, "1", "", None, True, [], 1 << 31, (1 << 32) - 1]
    compare_values(pair, [{**BASE, "Timeout": each} for each in [*timeouts, *large]])


NAMES = ["a%20b", "a+b", "a-b", "a_b", "a.b", "%C3%A9", "a%2Fb", "a%00b", "A", "0", "-", "%00"]
NAMES += ["x" * 300, "a%5Cb", "a:b", "a%22b", "echo", "..", ".", "a'b"]


@pytest.mark.parametrize("name", NAMES)
def test_names(pair: Pair, name: str) -> None:
    path = f"/modalities/{name}"
    put = Call("PUT", path, json.dumps(BASE).encode())
    seen = [Call("GET", "/modalities"), Call("GET", path), Call("GET", f"{path}/configuration")]
    compare(pair, [put, *seen, Call("DELETE", path), Call("DELETE", path), Call("GET", path)])


def test_listings(pair: Pair) -> None:
    calls = [Call("PUT", f"/modalities/{name}", b'["A", "h", 104]') for name in ("b", "a")]
    for value in ("", "=true", "=false", "=0", "=1", "=", "=x", "&full"):
        paths = ("/modalities", "/modalities/a", "/modalities/a/configuration")
        calls += [Call("GET", f"{path}?expand{value}") for path in paths]
    calls += [Call("GET", "/modalities"), Call("GET", "/modalities?Expand")]
    calls += [Call("DELETE", f"/modalities/{name}") for name in ("b", "a")]
    compare(pair, calls)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_methods(pair: Pair, method: str) -> None:
    paths = ["", "/", "/nope", "/nope/configuration", "/nope/nope", "/nope/configuration/x"]
    compare(pair, [Call(method, f"/modalities{path}", b"{}") for path in paths])
