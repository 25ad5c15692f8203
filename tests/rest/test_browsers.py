"""What a page of another site can do by a browser on this machine: nothing that changes anything;
and by a name of its own that it points at this machine: nothing at all."""

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support import generated
from support.driven_browser import Browser
from support.process import ServerProcess
from support.server import OurServer
from support.web_pages import pages

EVIL = "https://evil.example.org"
FRIEND = "https://viewer.example.org"
CROSS = {"Sec-Fetch-Site": "cross-site"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    configuration = {"Cors": {"AllowedOrigins": [FRIEND]}, "AllowedHosts": ["pacs.example.org"]}
    with OurServer(tmp_path_factory.mktemp("local"), configuration) as running:
        yield running


@pytest.fixture
def instance(server: OurServer) -> str:
    data = generated.small().number(1, 1, 1, 1)
    identifier: str = httpx.post(f"{server.url}/instances", content=data).json()["ID"]
    return identifier


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": EVIL},  # of browsers that send no Sec-Fetch-Site
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1.evil.example.org"},
        {"Origin": "http://[nonsense"},
        {"Origin": EVIL, **CROSS},
        CROSS,  # a link or an image has no Origin
        {"Origin": FRIEND + ".evil.org", **CROSS},
    ],
)
def test_a_page_of_another_site_changes_nothing(
    server: OurServer, instance: str, headers: dict[str, str]
) -> None:
    url = f"{server.url}/instances/{instance}"
    multipart = {"Content-Type": "multipart/form-data; boundary=x"}
    tries = [
        ("DELETE", url, {}),
        ("GET", f"{url}?_method=DELETE", {}),
        ("GET", f"{url}/metadata/1024?a=b&_method=put", {}),
        ("POST", url, {"X-HTTP-Method-Override": "DELETE"}),
        ("GET", url, {"X-HTTP-Method-Override": "delete"}),
        ("PUT", f"{url}/metadata/1024", {}),
        ("POST", f"{server.url}/tools/shutdown", FORM),
        ("POST", f"{server.url}/instances", multipart),
    ]
    for method, where, more in tries:
        answer = httpx.request(method, where, headers={**headers, **more})
        assert (answer.status_code, answer.json()["OrthancStatus"]) == (403, 45), where
        assert "AllowedOrigins" in answer.json()["Details"]
        assert "Cors" in answer.json()["Details"]
    assert httpx.get(url, headers=headers).status_code == 200  # and reading is CORS's affair


@pytest.mark.parametrize(
    "headers",
    [
        {},  # a program
        {"Origin": "http://127.0.0.1:8042"},  # as nginx passes it on for another port of its own
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1"},
        # The browser has compared; behind a proxy the names differ.
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://pacs.example.org"},
        {"Sec-Fetch-Site": "none"},  # typed by the user
        {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:3000"},
        {"Origin": FRIEND},
        {"Origin": FRIEND, **CROSS},
        {"Origin": "https://pacs.example.org", "X-Forwarded-For": "192.0.2.1"},  # Host rewritten
        {"Origin": EVIL, **CROSS, "X-Forwarded-For": "192.0.2.1"},  # CORS is that proxy's affair
        {"Origin": EVIL, "Via": "1.1 proxy"},
    ],
)
def test_others_are_not_touched(server: OurServer, instance: str, headers: dict[str, str]) -> None:
    url = f"{server.url}/instances/{instance}"
    assert httpx.get(f"{url}?_method=DELETE", headers=headers).status_code == 200
    assert httpx.get(url).status_code == 404


def test_what_nginx_passes_on_by_default(server: OurServer) -> None:
    """HTTP/1.0, its own address as Host, Origin as the browser has sent it."""
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        head = f"PUT /tools/log-level HTTP/1.0\r\nHost: 127.0.0.1:{server.port}\r\n"
        body = "Origin: http://pacs.example.org\r\nContent-Length: 7\r\n\r\ndefault"
        connection.sendall((head + body).encode())
        assert b" 200 " in connection.recv(4096).split(b"\r\n")[0]


def test_a_server_for_others_is_not_touched(tmp_path: Path) -> None:
    """There a password is what keeps strangers out."""
    configuration = {"RemoteAccessAllowed": True, "RegisteredUsers": {"a": "b"}}
    with OurServer(tmp_path, configuration) as remote:
        answer = httpx.put(
            f"{remote.url}/tools/log-level",
            content="default",
            headers={"Origin": EVIL, **CROSS, "Host": "pacs.example.org"},
            auth=("a", "b"),
        )
        assert answer.status_code == 200


def test_an_address_that_only_this_machine_has(tmp_path: Path) -> None:
    configuration = {
        "RemoteAccessAllowed": True,
        "AuthenticationEnabled": False,
        "HttpBindAddresses": ["127.0.0.1"],
    }
    with OurServer(tmp_path, configuration) as local:
        answer = httpx.post(f"{local.url}/tools/shutdown", headers={"Origin": EVIL, **CROSS})
        assert answer.status_code == 403


HOSTS = [
    ("localhost", True),
    ("LOCALHOST:8042", True),
    ("localhost.", True),
    ("orthanc.localhost:80", True),
    ("127.0.0.1", True),
    ("127.1.2.3:8042", True),
    ("[::1]:8042", True),
    ("pacs.example.org", True),
    ("PACS.example.org.:443", True),
    ("evil.example.org", False),
    ("evil.pacs.example.org", False),
    ("localhost.evil.example.org", False),
    ("127.0.0.1.evil.example.org:8042", False),
    ("192.0.2.1", False),
    ("[2001:db8::1]", False),
]


@pytest.mark.parametrize(("host", "accepted"), HOSTS)
def test_names_of_the_server(server: OurServer, host: str, accepted: bool) -> None:
    for method, path in (("GET", "/system"), ("POST", "/tools/lookup"), ("OPTIONS", "/system")):
        answer = httpx.request(method, f"{server.url}{path}", headers={"Host": host})
        assert (answer.status_code < 300) is accepted
        if not accepted:
            assert answer.status_code == 403
            assert "AllowedHosts" in answer.json()["Details"]


def test_a_program_that_names_no_host(server: OurServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"GET /system HTTP/1.0\r\n\r\n")
        assert b" 200 " in connection.recv(4096).split(b"\r\n")[0]


def test_with_a_configuration_every_name_is_good(our_server: OurServer) -> None:
    """A site's nginx on this machine passes its public name on."""
    answer = httpx.get(f"{our_server.url}/system", headers={"Host": "pacs.example.org"})
    assert answer.status_code == 200


def test_what_a_trusted_proxy_passes_on(tmp_path: Path) -> None:
    configuration = {"TrustedProxies": ["127.0.0.1"], "AllowedHosts": []}
    with OurServer(tmp_path, configuration) as behind:
        given = {"Host": "pacs.example.org"}
        assert httpx.get(f"{behind.url}/system", headers=given).status_code == 403
        forwarded = {**given, "X-Forwarded-For": "127.0.0.1", "Origin": EVIL, **CROSS}
        answer = httpx.put(f"{behind.url}/tools/log-level", content="default", headers=forwarded)
        assert answer.status_code == 200


class WithoutConfiguration(ServerProcess):
    """With the defaults for everything, so the port as well."""

    def arguments(self) -> list[str]:
        return [sys.executable, "-c", START.format(port=self.port, folder=str(self.folder))]


# What `orthanc-fast serve` does without any file, in a folder and on a port of the test's.
START = """
import os
os.chdir({folder!r})
import msgspec
from orthanc_fast import config, server
settings = msgspec.structs.replace(
    config.load([]), http_port={port}, dicom_server_enabled=False, index_map_size_gb=1
)
server.run(settings, lambda address: None)
"""


def test_without_a_configuration_only_this_machine_names_the_server(tmp_path: Path) -> None:
    with WithoutConfiguration(tmp_path) as plain:
        for host, status in (("localhost", 200), ("pacs.example.org", 403)):
            answer = httpx.get(f"{plain.url}/system", headers={"Host": host})
            assert answer.status_code == status


PAGE = """<!doctype html><title>start</title><body><script>
const url = "{url}";
const send = (path, options) => fetch(url + path, {{mode: "no-cors", ...options}}).catch(() => 0);
const image = (path) => new Promise((done) => {{
  const made = new Image();
  made.onload = made.onerror = done;
  made.src = url + path;
}});
(async () => {{
  await send("/tools/shutdown", {{method: "POST"}});
  await send("/instances/{instance}", {{method: "DELETE"}});
  await send("/instances/{instance}?_method=DELETE");
  await image("/instances/{instance}?_method=DELETE");
  await send("/tools/metrics", {{method: "PUT", body: "0"}});
  const form = document.createElement("form");
  form.action = url + "/tools/bulk-delete";
  form.method = "POST";
  form.enctype = "text/plain";
  form.innerHTML = '<input name=\\'{{"Resources":["{instance}"],"a":"\\' value=\\'"}}\\'>';
  const frame = document.createElement("iframe");
  frame.name = form.target = "frame";
  document.body.append(form, frame);
  await new Promise((done) => {{ frame.onload = done; form.submit(); }});
  document.title = "done";
}})();
</script>"""


@pytest.mark.parametrize("mine", [False, True])
def test_in_a_browser(needs_browser: None, tmp_path: Path, mine: bool) -> None:
    """Everything that a page can send without asking first; the same from a page of ours, which
    shows that it would work."""
    data = generated.small().number(1, 1, 1, 1)
    with pages(tmp_path / "pages") as port, OurServer(tmp_path / "server") as server:
        instance = httpx.post(f"{server.url}/instances", content=data).json()["ID"]
        page = tmp_path / "pages" / "page.html"
        page.write_text(PAGE.format(url=server.url, instance=instance))
        site = "127.0.0.1" if mine else "localhost"
        with Browser(tmp_path / "profile") as browser:
            browser.open(f"http://{site}:{port}/page.html")
            browser.wait_for("document.title === 'done'")
        if mine:
            assert server.process is not None
            assert server.process.wait(15) == 0
        else:
            assert httpx.get(f"{server.url}/instances/{instance}").status_code == 200
