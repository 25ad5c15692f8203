"""The files of the OHIF viewer over HTTP."""

from collections.abc import Iterator

import httpx
import pytest
from support.server import OurServer

SCRIPT = b'x.p = "/";' + b" " * 5000
HASHED = "app.bundle.0123456789abcdef.js"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("ohif")
    (folder / "index.html").write_text('<script src="/a.js"></script>')
    (folder / HASHED).write_bytes(SCRIPT)
    (folder / "a.wasm").write_bytes(b"\0asm")
    options = {
        "OHIF": {"Folder": str(folder), "RouterBasename": "/viewers/ohif"},
        "DicomWeb": {"Root": "/dw/", "WadoRoot": "/w"},
        "TrustedProxies": ["127.0.0.1"],
    }
    with (
        OurServer(tmp_path_factory.mktemp("server"), options) as server,
        httpx.Client(base_url=server.url) as client,
    ):
        yield client


def test_the_page(client: httpx.Client) -> None:
    for path in ("/viewers/ohif/", "/viewers/ohif", "/viewers/ohif/viewer?StudyInstanceUIDs=1.2"):
        answer = client.get(path)
        assert answer.text == '<script src="/viewers/ohif/a.js"></script>'
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["content-length"] == str(len(answer.text))
        assert answer.headers["cache-control"] == "private, no-cache"
        head = client.head(path)
        assert (head.status_code, head.content) == (200, b"")


def test_below_the_prefix_of_a_proxy(client: httpx.Client) -> None:
    forwarded = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Prefix": "/pacs"}
    remote = {**forwarded, "X-Forwarded-For": "127.0.0.1"}
    assert "/pacs/viewers/ohif/a.js" in client.get("/viewers/ohif/", headers=remote).text
    script = client.get("/viewers/ohif/app-config.js", headers=remote).text
    for text in ('"/pacs/viewers/ohif/"', '"/pacs/dw"', '"/pacs/w"'):
        assert text in script


def test_the_configuration(client: httpx.Client) -> None:
    answer = client.get("/viewers/ohif/app-config.js")
    assert answer.headers["content-type"].startswith("application/javascript")
    for text in ('"routerBasename":"/viewers/ohif/"', '"qidoRoot":"/dw"', '"wadoUriRoot":"/w"'):
        assert text in answer.text


def test_scripts_are_compressed_and_kept(client: httpx.Client) -> None:
    plain = client.get(f"/viewers/ohif/{HASHED}", headers={"Accept-Encoding": "identity"})
    small = client.get(f"/viewers/ohif/{HASHED}", headers={"Accept-Encoding": "gzip"})
    assert plain.content == small.content == SCRIPT.replace(b"/", b"/viewers/ohif/")
    assert "content-encoding" not in plain.headers
    assert small.headers["content-encoding"] == "gzip"
    assert "immutable" in small.headers["cache-control"]


def test_what_the_browser_has(client: httpx.Client) -> None:
    first = client.get("/viewers/ohif/a.wasm")
    assert first.headers["content-type"] == "application/wasm"
    tag = first.headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", W/{tag}', "*"):
        again = client.get("/viewers/ohif/a.wasm", headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b""), known
        assert again.headers["etag"] == tag
    for known in (tag.strip('"'), '"other"', f'"{tag[1:-2]}", W/"x"'):
        again = client.get("/viewers/ohif/a.wasm", headers={"If-None-Match": known})
        assert again.content == first.content, known


@pytest.mark.parametrize(
    "path", ["/ohif/", "/viewers/ohif/none.js", "/viewers/ohif/%2e%2e/configuration.json"]
)
def test_what_is_not_there(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 404


def test_pages_find_it_among_the_plugins(client: httpx.Client) -> None:
    assert "ohif" in client.get("/plugins").json()
    assert client.get("/plugins/ohif").json()["RootUri"] == "../viewers/ohif/"
