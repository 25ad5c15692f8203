"""Pages of other origins, by the rules of the Fetch standard; and one page in a real browser."""

import base64
import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.browser import dump_dom
from support.server import OurServer

FRIEND, STRANGER = "https://viewer.example.org", "https://evil.example.org"
PREFIX = "access-control-"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    configuration = {
        "AuthenticationEnabled": True,
        "RegisteredUsers": {"a": "b"},
        "Cors": {
            "AllowedOrigins": [FRIEND, "null"],
            "AllowCredentials": True,
            "MaxAge": 77,
        },
    }
    with OurServer(tmp_path_factory.mktemp("cors"), configuration) as running:
        yield running


def ask(server: OurServer, method: str, path: str, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.request(method, f"{server.url}{path}", headers=named)


AUTHORIZED = "Basic " + base64.b64encode(b"a:b").decode()


def test_a_friend_may_read(server: OurServer) -> None:
    answer = ask(server, "GET", "/system", Origin=FRIEND, Authorization=AUTHORIZED)
    assert answer.status_code == 200
    assert answer.headers[f"{PREFIX}allow-origin"] == FRIEND
    assert answer.headers[f"{PREFIX}allow-credentials"] == "true"
    assert "X-Total-Count" in answer.headers[f"{PREFIX}expose-headers"]
    assert answer.headers["vary"] == "Origin"


@pytest.mark.parametrize("path", ["/system", "/nothing"])
def test_a_friend_may_read_errors(server: OurServer, path: str) -> None:
    """Also that it has to log in, which comes before everything else."""
    answer = ask(server, "GET", path, Origin=FRIEND)
    assert answer.status_code == 401
    assert answer.headers[f"{PREFIX}allow-origin"] == FRIEND


@pytest.mark.parametrize("origin", [STRANGER, FRIEND + ".evil.org", "http" + FRIEND[5:], ""])
def test_a_stranger_may_not(server: OurServer, origin: str) -> None:
    answer = ask(server, "GET", "/system", Origin=origin, Authorization=AUTHORIZED)
    assert [name for name in answer.headers if name.startswith(PREFIX)] == []
    assert answer.headers["vary"] == "Origin"
    ask_first = {"Access_Control_Request_Method": "PUT"}
    answer = ask(server, "OPTIONS", "/system", Origin=origin, **ask_first)
    assert answer.status_code == 403
    assert f"{PREFIX}allow-origin" not in answer.headers


def test_answers_to_strangers_are_not_marked_by_friends(server: OurServer) -> None:
    """Answers that are made once and sent often must not keep the headers of one request."""
    for _ in range(3):
        ask(server, "GET", "/system", Origin=FRIEND)
        answer = ask(server, "GET", "/system", Origin=STRANGER)
        assert f"{PREFIX}allow-origin" not in answer.headers


def test_preflight_needs_no_password(server: OurServer) -> None:
    """A browser sends none with it."""
    answer = ask(
        server,
        "OPTIONS",
        "/instances/x/metadata/1024",
        Origin=FRIEND,
        Access_Control_Request_Method="PUT",
        Access_Control_Request_Headers="authorization,if-match",
    )
    assert answer.status_code == 204
    assert answer.headers[f"{PREFIX}allow-origin"] == FRIEND
    assert "PUT" in answer.headers[f"{PREFIX}allow-methods"].split(", ")
    assert answer.headers[f"{PREFIX}allow-headers"] == "authorization,if-match"
    assert answer.headers[f"{PREFIX}max-age"] == "77"
    assert answer.content == b""


def test_without_the_option_nothing_is_added(our_server: OurServer) -> None:
    answer = ask(our_server, "GET", "/system", Origin=FRIEND)
    assert not any(name.startswith(PREFIX) or name == "vary" for name in answer.headers)
    answer = ask(
        our_server, "OPTIONS", "/system", Origin=FRIEND, Access_Control_Request_Method="GET"
    )
    assert not any(name.startswith(PREFIX) for name in answer.headers)


PAGE = """<!doctype html><title>start</title><script>
const ask = (path, options) =>
  fetch("{url}" + path, options).then((a) => a.status, () => "refused");
(async () => {{
  const found = [await ask("/system"), await ask("/tools/metrics", {{method: "PUT", body: "1"}})];
  const page = await fetch("{url}/studies").catch(() => null);
  document.title = found.join() + "," + (page && page.headers.get("X-Total-Count"));
}})();
</script>"""


@pytest.mark.parametrize(("mine", "title"), [(True, "200,200,0"), (False, "refused,refused,null")])
def test_in_a_browser(needs_browser: None, tmp_path: Path, mine: bool, title: str) -> None:
    """What a browser makes of the headers, for a page that another server gave it."""
    (tmp_path / "pages").mkdir()
    handler = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "pages")
    )
    pages = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=pages.serve_forever, args=(0.05,))
    thread.start()
    origin = f"http://127.0.0.1:{pages.server_port}"
    allowed = origin if mine else FRIEND
    try:
        with OurServer(tmp_path / "server", {"Cors": {"AllowedOrigins": [allowed]}}) as server:
            (tmp_path / "pages" / "page.html").write_text(PAGE.format(url=server.url))
            shown = dump_dom(f"{origin}/page.html", tmp_path / "profile")
    finally:
        pages.shutdown()
        thread.join()
        pages.server_close()
    assert f"<title>{title}</title>" in shown
