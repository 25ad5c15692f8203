"""Folders of the site, compared with Orthanc's plugin."""

import hashlib
import re
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from support.process import ServerProcess
from support.reference_server import ReferenceServer
from support.server import OurServer

PLUGIN = "libServeFolders.so"
EXTENSIONS = (
    *("css", "gif", "html", "jpeg", "jpg", "js", "json", "map", "nexe", "nmf", "pdf", "pexe"),
    *("png", "svg", "wasm", "woff", "woff2", "xml", "txt", "foo", "BAR", "Html"),
)
CONTENTS = {
    **{f"file.{extension}": extension.encode() for extension in EXTENSIONS},
    "no extension": b"",
    "sp ace.html": b"blank",
    "ü.html": b"umlaut",
    "sub/deep.html": b"deep",
    "sub/of sub/x.js": b"x",
    "with index/index.html": b"own",
    "large.js": b"0123456789" * 200_000,
}


class Both(NamedTuple):
    ours: httpx.Client
    theirs: httpx.Client


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("www")
    for name, content in CONTENTS.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    (path / "link.html").symlink_to(path / "file.html")
    (path.parent / "secret").write_text("secret")
    return path


@pytest.fixture(scope="module")
def both(
    needs_reference: None, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Both]:
    served = {"/www": str(folder), "/deep/er/": str(folder / "sub"), "bare": str(folder)}
    section = {"Folders": served, "Extensions": {"foo": "text/foo", "bar": "text/bar"}}
    place = tmp_path_factory.mktemp("servers")
    ours = OurServer(place / "ours", {"ServeFolders": section})
    theirs = ReferenceServer(place / "theirs", {"ServeFolders": section}, (PLUGIN,))
    with (
        ours,
        theirs,
        httpx.Client(base_url=ours.url) as left,
        httpx.Client(base_url=theirs.url) as right,
    ):
        yield Both(left, right)


HEADERS = ("content-type", "etag", "cache-control", "pragma", "expires", "allow")


def compare(both: Both, method: str, path: str, **given: Any) -> httpx.Response:
    """Status, headers and body, of errors the code; ours."""
    ours, theirs = (client.request(method, path, **given) for client in both)
    assert ours.status_code == theirs.status_code, path
    if theirs.status_code >= 400:
        if theirs.content:
            assert ours.json()["OrthancStatus"] == theirs.json()["OrthancStatus"], path
        assert ours.headers.get("allow") == theirs.headers.get("allow")
        return ours
    for name in HEADERS:
        assert ours.headers.get(name) == theirs.headers.get(name), (path, name)
    assert ours.content == theirs.content, path
    return ours


@pytest.mark.parametrize("name", [*CONTENTS, "link.html"])
def test_files(both: Both, folder: Path, name: str) -> None:
    answer = compare(both, "GET", f"/www/{name}")
    assert answer.status_code == 200
    assert answer.headers["etag"] == f'"{hashlib.md5(answer.content).hexdigest()}"'
    modified = parsedate_to_datetime(answer.headers["last-modified"]).timestamp()
    assert modified == int((folder / name).stat().st_mtime)


@pytest.mark.parametrize(
    "path",
    [
        *("/www", "/www/", "/www/sub", "/www/sub/", "/www/nobody", "/www/nobody/index.html"),
        *("/www/file.html/index.html", "/www/file.html/x", "/www/../secret", "/www/..%2Fsecret"),
        *("/www/sub/../file.html", "/www/sub//deep.html", "/www/sub%2Fdeep.html"),
        *("/www/%2e%2e/secret", "/www/file.html?a=b", "/www/with index/index.html"),
        *("/deep/er/deep.html", "/deep/er", "/deep", "/bare/file.js", "/bare", "/patients"),
        *("/www/..%5Csecret", "/www/%00", "/www/file.html%00.png"),
    ],
)
def test_paths(both: Both, path: str) -> None:
    answer = compare(both, "GET", path)
    assert b"secret" not in answer.content or answer.status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_other_methods(both: Both, method: str) -> None:
    assert compare(both, method, "/www/file.html").status_code == 405


def rows(page: str) -> list[str]:
    return sorted(re.findall(r">([^<]+)</a>", page))


@pytest.mark.parametrize("path", ["/www/index.html", "/www/sub/index.html", "/deep/er/index.html"])
def test_listings(both: Both, path: str) -> None:
    ours, theirs = (client.get(path) for client in both)
    assert rows(ours.text) == rows(theirs.text) != []
    assert [each.split("<li>")[0] for each in ours.text.split("\n")] == [
        each.split("<li>")[0] for each in theirs.text.split("\n")
    ]
    assert ours.headers["content-type"] == theirs.headers["content-type"]
    for address in re.findall(r'href="([^"]+)"', ours.text):
        found = both.ours.get(path.rpartition("/")[0] + "/" + address)
        assert found.status_code == 200, address


def test_the_overview(both: Both) -> None:
    path = "/app/plugin-serve-folders.html"
    ours, theirs = (client.get(path) for client in both)
    assert re.findall(r"href=\S+", ours.text.replace("</a>", "")) == re.findall(
        r"href=\S+", theirs.text
    )
    described = [client.get("/plugins/serve-folders").json() for client in both]
    assert described[0]["RootUri"] == described[1]["RootUri"]
    for client in both:
        assert "serve-folders" in client.get("/plugins").json()


def test_what_http_wants(both: Both) -> None:
    """Orthanc knows neither HEAD nor conditions: docs/deviations.md."""
    head = both.ours.head("/www/file.html")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == "4"
    tag = head.headers["etag"]
    same = both.ours.get("/www/file.html", headers={"If-None-Match": tag})
    assert (same.status_code, same.content) == (304, b"")
    assert both.ours.get("/www/file.html", headers={"If-None-Match": '"x"'}).status_code == 200


def test_a_changed_file_has_another_tag(both: Both, folder: Path) -> None:
    path = folder / "changing.js"
    try:
        tags = set()
        for text in ("1", "2", "333"):
            path.write_text(text)
            answer = both.ours.get("/www/changing.js")
            assert answer.text == text
            tags.add(answer.headers["etag"])
        assert len(tags) == 3
    finally:
        path.unlink()


def test_names_that_are_html(both: Both, folder: Path) -> None:
    path = folder / "<b>'\"&.js"
    path.write_text("that one")
    try:
        page = both.ours.get("/www/index.html").text
        assert "<b>" not in page
        addresses = re.findall(r'href="([^"]+)"', page)
        assert sum(both.ours.get(f"/www/{each}").text == "that one" for each in addresses) == 1
    finally:
        path.unlink()


def log_of(server: ServerProcess) -> str:
    return server.log_path.read_text()


@pytest.mark.parametrize("bad", [{"/missing": "nowhere"}, {"": "."}, {"//": "."}])
def test_a_bad_folder_serves_none(tmp_path: Path, bad: dict[str, str]) -> None:
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "a.js").write_text("x")
    section = {"/good": str(tmp_path / "good"), **bad}
    with OurServer(tmp_path / "server", {"ServeFolders": section}) as server:
        assert httpx.get(f"{server.url}/good/a.js").status_code == 404
        assert log_of(server).count("no folder is served") == 1


def test_the_short_form_with_caching(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("x")
    section: dict[str, Any] = {
        "Folders": {"/short": str(tmp_path)},
        "AllowCache": True,
        "GenerateETag": False,
    }
    with OurServer(tmp_path / "server", {"ServeFolders": section}) as server:
        answer = httpx.get(f"{server.url}/short/a.js")
        assert answer.status_code == 200
        assert not {"etag", "cache-control", "pragma", "expires"} & answer.headers.keys()


def test_none(our_server: OurServer) -> None:
    assert httpx.get(f"{our_server.url}/app/plugin-serve-folders.html").status_code == 404
    assert "serve-folders" not in httpx.get(f"{our_server.url}/plugins").json()
