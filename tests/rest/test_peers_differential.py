"""Peers as clients may send them, to our server and to Orthanc 1.13: status, error code, and what
both say of them afterwards. Reference chapter 4, sections 8.1 and 8.2."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from support.pair import Call, Pair, compare, compare_entries, started_pair

BASE = {"Url": "http://h/"}
ME = "/peers/x"


@pytest.fixture(scope="module")
def pair(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with started_pair(tmp_path_factory.mktemp("pair"), {}) as pair:
        yield pair


def compare_bodies(pair: Pair, bodies: list[bytes]) -> None:
    compare_entries(pair, "/peers", bodies)


def compare_values(pair: Pair, values: list[Any]) -> None:
    compare_bodies(pair, [json.dumps(value).encode() for value in values])


def test_what_is_no_peer(pair: Pair) -> None:
    bodies = [
        b"",
        b"x",
        b"3",
        b'"http://h"',
        b"null",
        b"true",
        b"[]",
        b"{}",
        b"{",
        b'["http://h"]x',
    ]
    compare_bodies(pair, [*bodies, b'["http://h",]', b'// c\n["http://h"]', b'{"Url":"http://h",}'])


def test_lists(pair: Pair) -> None:
    urls: list[Any] = ["http://h", "http://h/", "https://h/x", "HTTP://h", "ftp://h", "h", "", 1]
    urls += ["http://h:99/a/b?c=d", True, None, [], {}]
    compare_values(pair, [[url] for url in urls])
    compare_values(pair, [["http://h", "u"], ["http://h", "u", "p"], ["http://h", "u", "p", "x"]])
    users: list[Any] = [["u", ""], ["", ""], [1, 2], [True, None], [[], "p"], ["u", {}]]
    compare_values(pair, [["http://h", *user] for user in users])


@pytest.mark.parametrize("form", ["list", "object"])
@pytest.mark.parametrize("url", ["http://u:p@h/", "http://u:p@x@h:1/a@b", "u:p@h/", "https://u@h/"])
def test_passwords_in_addresses_are_not_shown(pair: Pair, url: str, form: str) -> None:
    """Orthanc shows them; everything else is the same."""
    put = Call("PUT", ME, json.dumps([url] if form == "list" else {"Url": url}).encode())
    compare(pair, [put])
    for path in (f"{ME}/configuration", "/peers?expand"):
        ours, theirs = (answer.text for answer in pair.send(Call("GET", path)))
        shown = url.rpartition("@")[2] if "a@b" not in url else "h:1/a@b"
        scheme = url[: url.index("//") + 2] if "//" in url else ""
        bare = scheme + shown
        assert url in theirs
        assert json.loads(ours) == json.loads(theirs.replace(url, bare))
    compare(pair, [Call("DELETE", ME)])


TEXTS: list[Any] = ["", "a b", "ÄÖ", "/etc/passwd", None, 1, 1.5, True, [], ["A"], {}]
FIELDS = ["Url", "URL", "url", "Username", "Password", "CertificateKeyFile"]
FIELDS += ["CertificateKeyPassword", "CertificateFile"]


@pytest.mark.parametrize("field", FIELDS)
def test_texts(pair: Pair, field: str) -> None:
    base = {} if field.lower() == "url" else BASE
    compare_values(pair, [{**base, field: value} for value in TEXTS])


def test_two_urls(pair: Pair) -> None:
    compare_values(pair, [{"URL": "http://a", "Url": "http://b"}, {"Url": "ftp://b"}])


def test_users(pair: Pair) -> None:
    values = [None, "", "u"]
    for user in values:
        for password in values:
            given = {"Username": user, "Password": password}
            given = {name: value for name, value in given.items() if value is not None}
            compare_values(pair, [{**BASE, **given}])


FILES = ("", "/etc/passwd", "/nope", "/etc")


@pytest.mark.parametrize("certificate", FILES)
def test_certificates(pair: Pair, certificate: str) -> None:
    for key in FILES:
        for password in ("", "secret"):
            given = {"CertificateFile": certificate, "CertificateKeyFile": key}
            compare_values(pair, [{**BASE, **given, "CertificateKeyPassword": password}])


def test_headers(pair: Pair) -> None:
    headers: list[Any] = [{}, {"C": "x", "A": "y"}, {"A": 1}, {"A": None}, [], ["A"], "x", None, 1]
    compare_values(pair, [{**BASE, "HttpHeaders": each} for each in headers])


def test_timeouts(pair: Pair) -> None:
    large = [1 << 32, (1 << 32) + 5, (1 << 63) - 1, 1 << 63, 1 << 64, -(1 << 63), -(1 << 64)]
    timeouts: list[Any] = [0, 1, 60, -1, 1.0, 1.5, "1", "", None, True, [], 1 << 31, (1 << 32) - 1]
    compare_values(pair, [{**BASE, "Timeout": each} for each in [*timeouts, *large]])


def test_smart_cards(pair: Pair) -> None:
    values: list[Any] = [True, False, 1, "true", None]
    compare_values(pair, [{**BASE, "Pkcs11": each} for each in values])


def test_properties_of_clients(pair: Pair) -> None:
    values: list[Any] = ["s", "", True, False, 0, 5, -5, 1.5, 1.0, None, [], {}, ["a"]]
    for bits in (31, 32, 63, 64):
        values += [(1 << bits) - 1, 1 << bits, -(1 << bits), -(1 << bits) - 1]
    compare_values(pair, [{**BASE, "Foo": each} for each in values])
    compare_values(pair, [{**BASE, "b": "1", "A": "2", "Url2": "x"}])


NAMES = ["a%20b", "a+b", "a-b", "a_b", "a.b", "%C3%A9", "a%2Fb", "a%00b", "A", "0", "-", "%00"]
NAMES += ["x" * 300, "a%5Cb", "a:b", "store", "..", ".", "a'b"]


@pytest.mark.parametrize("name", NAMES)
def test_names(pair: Pair, name: str) -> None:
    path = f"/peers/{name}"
    put = Call("PUT", path, json.dumps(BASE).encode())
    seen = [Call("GET", "/peers"), Call("GET", path), Call("GET", f"{path}/configuration")]
    compare(pair, [put, *seen, Call("DELETE", path), Call("DELETE", path), Call("GET", path)])


def test_listings(pair: Pair) -> None:
    calls = [Call("PUT", f"/peers/{name}", b'["http://h"]') for name in ("b", "a")]
    for value in ("", "=true", "=false", "=0", "=1", "=", "=x", "&full"):
        paths = ("/peers", "/peers/a", "/peers/a/configuration")
        calls += [Call("GET", f"{path}?expand{value}") for path in paths]
    calls += [Call("GET", "/peers"), Call("GET", "/peers?Expand")]
    calls += [Call("DELETE", f"/peers/{name}") for name in ("b", "a")]
    compare(pair, calls)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_methods(pair: Pair, method: str) -> None:
    paths = ["", "/", "/nope", "/nope/configuration", "/nope/nope", "/nope/configuration/x"]
    paths += ["/nope/system", "/nope/store", "/nope/store-straight"]
    compare(pair, [Call(method, f"/peers{path}", b"{}") for path in paths])
