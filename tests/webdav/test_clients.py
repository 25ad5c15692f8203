"""Real clients, and the requests of file managers as their documentation and traces of them show
them: [MS-WDV], RFC 4918, the sources of gvfs."""

import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import httpx
import pytest
from support import webdav
from support.server import OurServer
from support.webdav import ask, count, inside, instance, listing

UP = "/uploads"
PATIENCE = 120  # seconds


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    configuration = {
        "WebDavDeleteAllowed": True,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {"alice": "secret"},
    }
    server = OurServer(tmp_path_factory.mktemp("clients"), configuration)
    with server:
        with httpx.Client(base_url=server.url, auth=("alice", "secret")) as client:
            for data in webdav.difficult():
                client.post("/instances", content=data).raise_for_status()
        yield server


@pytest.fixture
def client(server: OurServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, auth=("alice", "secret"), timeout=60) as client:
        yield client


def run(*command: str, text: str = "", home: Path) -> str:
    done = subprocess.run(
        command,
        input=text,
        env={"PATH": "/usr/bin:/bin", "HOME": str(home), "LC_ALL": "C.UTF-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def rclone(server: OurServer, home: Path, *arguments: str) -> str:
    """`dav:` in an argument stands for the server."""
    secret = subprocess.run(
        ("rclone", "obscure", "secret"), stdout=subprocess.PIPE, text=True, check=True
    ).stdout.strip()
    configuration = home / "rclone.conf"
    configuration.write_text(
        f"[dav]\ntype = webdav\nurl = {server.url}/webdav\nvendor = other\nuser = alice\n"
        f"pass = {secret}\n"
    )
    common = ("--config", str(configuration), "--retries", "1", "--low-level-retries", "1")
    return run("rclone", *common, *arguments, home=home)


def test_nobody_enters_without_his_password(server: OurServer) -> None:
    with httpx.Client(base_url=server.url) as stranger:
        for method in ("OPTIONS", "PROPFIND", "GET", "PUT", "MKCOL", "DELETE", "LOCK"):
            answer = ask(stranger, method, f"{UP}/x", headers={"Depth": "0"})
            assert answer.status_code == 401, method


def test_rclone_copies_all_trees(
    server: OurServer, client: httpx.Client, needs_dav_clients: None, tmp_path: Path
) -> None:
    rclone(server, tmp_path, "copy", "dav:", str(tmp_path / "all"))
    stored = {
        hashlib.sha256(client.get(f"/instances/{public}/file").content).digest()
        for public in client.get("/instances").json()
    }
    for view, are_all in (("patients", True), ("studies", True), ("uids", True), ("dates", False)):
        files = list((tmp_path / "all" / f"by-{view}").rglob("*.dcm"))
        found = {hashlib.sha256(file.read_bytes()).digest() for file in files}
        assert len(found) == len(files)
        assert (found == stored) if are_all else (found < stored), view
    assert len(list((tmp_path / "all").rglob("series.json"))) == len(client.get("/series").json())


def test_rclone_copies_one_file(server: OurServer, needs_dav_clients: None, tmp_path: Path) -> None:
    target = tmp_path / "one.dcm"
    path = "dav:by-uids/1.2.3.1/1.2.3.1.1/1.2.3.1.1.1.dcm"
    rclone(server, tmp_path, "copyto", path, str(target))
    assert target.read_bytes()[128:132] == b"DICM"


def test_rclone_uploads_folders(
    server: OurServer, client: httpx.Client, needs_dav_clients: None, tmp_path: Path
) -> None:
    before = count(client)
    for number in range(6):
        folder = tmp_path / "new" / f"s{number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        data = instance((700, number % 2, number), PatientID="RCLONE")
        (folder / f"{number}.dcm").write_bytes(data)
    rclone(server, tmp_path, "copy", str(tmp_path / "new"), f"dav:{UP[1:]}/sent")
    assert count(client) == before + 6


def test_rclone_deletes(
    server: OurServer, client: httpx.Client, needs_dav_clients: None, tmp_path: Path
) -> None:
    before = count(client)
    client.post("/instances", content=instance((701, 1, 1), PatientID="GO", PatientName="Away"))
    rclone(server, tmp_path, "purge", "dav:by-patients/GO - Away")
    assert count(client) == before


def test_cadaver(
    server: OurServer, client: httpx.Client, needs_dav_clients: None, tmp_path: Path
) -> None:
    host = "machine 127.0.0.1\nlogin alice\npassword secret\n"
    (tmp_path / ".netrc").write_text(host)
    (tmp_path / ".netrc").chmod(0o600)
    new = tmp_path / "new.dcm"
    new.write_bytes(instance((702, 1, 1), PatientID="CADAVER", PatientName="Cat"))
    before = count(client)
    script = (
        f"cd uploads\nmkcol box\ncd box\nput {new}\nls\ncd /webdav/by-patients\nls\n"
        f'cd "CADAVER - Cat"\ncd "20240115 - Thorax"\ncd "CT - Axial 1 mm"\nls\n'
        f"cd /webdav/by-uids/1.2.3.702\nget study.json {tmp_path}/study.json\nquit\n"
    )
    told = run("cadaver", f"{server.url}/webdav/", text=script, home=tmp_path)
    assert count(client) == before + 1
    assert "Listing collection `/webdav/uploads/box/': succeeded." in told
    assert "P1 - Doe^Jane" in told
    assert "failed" not in told
    assert '"StudyInstanceUID" : "1.2.3.702"' in (tmp_path / "study.json").read_text()


def test_windows_explorer(client: httpx.Client) -> None:
    """The requests of its redirector for a new file: PUT of nothing, LOCK, PROPPATCH, PUT, HEAD,
    PROPPATCH, UNLOCK. It asks for folders with an empty body."""
    agent = {"User-Agent": "Microsoft-WebDAV-MiniRedir/10.0.19045", "translate": "f"}
    before, data = count(client), instance((703, 1, 1), PatientID="WINDOWS")
    assert "PROPFIND" in ask(client, "OPTIONS", UP, headers=agent).headers["allow"]
    for path in ("", UP):
        assert ask(client, "PROPFIND", path, b"", agent | {"Depth": "0"}).status_code == 207
    path = f"{UP}/Neues%20Bild.dcm"
    assert ask(client, "PROPFIND", path, b"", agent | {"Depth": "0"}).status_code == 404
    assert ask(client, "PUT", path, b"", agent).status_code == 201
    lock = b"""<?xml version="1.0" encoding="utf-8" ?><D:lockinfo xmlns:D="DAV:"><D:lockscope>
        <D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockinfo>"""
    locked = ask(client, "LOCK", path, lock, agent | {"Timeout": "Second-3600"})
    assert locked.status_code == 201
    token = {"Lock-Token": f"<{locked.headers['lock-token']}>"}
    condition = {"If": f"(<{locked.headers['lock-token']}>)"}
    properties = b"""<?xml version="1.0" encoding="utf-8" ?><D:propertyupdate xmlns:D="DAV:"
        xmlns:Z="urn:schemas-microsoft-com:"><D:set><D:prop><Z:Win32FileAttributes>00000020
        </Z:Win32FileAttributes></D:prop></D:set></D:propertyupdate>"""
    assert ask(client, "PROPPATCH", path, properties, agent | condition).status_code == 207
    assert ask(client, "HEAD", path, headers=agent).status_code == 200
    assert ask(client, "PUT", path, data, agent | condition).status_code == 201
    assert ask(client, "PROPPATCH", path, properties, agent | condition).status_code == 207
    assert ask(client, "HEAD", path, headers=agent).headers["content-length"] == str(len(data))
    assert ask(client, "UNLOCK", path, headers=agent | token).status_code == 204
    assert count(client) == before + 1


def test_macos_finder(client: httpx.Client) -> None:
    """It puts a file of its own beside each, and sends what it copies in chunks."""
    agent = {"User-Agent": "WebDAVFS/3.0.0 (03008000) Darwin/23.0.0 (arm64)"}
    before, data = count(client), instance((704, 1, 1), PatientID="FINDER")
    body = b"""<?xml version="1.0" encoding="utf-8"?><D:propfind xmlns:D="DAV:"><D:prop>
        <D:getlastmodified/><D:getcontentlength/><D:creationdate/><D:resourcetype/></D:prop>
        </D:propfind>"""

    def find(path: str) -> int:
        return ask(client, "PROPFIND", path, body, agent | {"Depth": "0"}).status_code

    for name, content in (("scan.dcm", data), ("._scan.dcm", b"\0\5\x16\7" + bytes(4092))):
        path = f"{UP}/{name}"
        assert find(path) == 404
        assert ask(client, "PUT", path, b"", agent).status_code == 201
        locked = ask(client, "LOCK", path, b"<x/>", agent)
        assert locked.status_code == 201
        chunked = client.build_request(
            "PUT",
            f"/webdav{path}",
            content=iter([content]),
            headers=agent | {"X-Expected-Entity-Length": str(len(content))},
        )
        assert client.send(chunked).status_code == 201
        assert find(path) == 207
        token = {"Lock-Token": f"<{locked.headers['lock-token']}>"}
        assert ask(client, "UNLOCK", path, headers=agent | token).status_code == 204
    assert count(client) == before + 1
    assert ask(client, "DELETE", f"{UP}/._scan.dcm", headers=agent).status_code == 204


def test_a_large_folder_streams(our_server: OurServer) -> None:
    with httpx.Client(base_url=our_server.url, timeout=60) as client:
        for number in range(210):
            data = instance((800 + number, 1, 1), PatientID=f"LARGE{number}", PatientName="<&>")
            client.post("/instances", content=data).raise_for_status()
        answer = listing(client, "/by-patients")
        assert "content-length" not in answer.headers
        assert answer.headers["content-type"] == "application/xml; charset=UTF-8"
        found = ElementTree.fromstring(answer.content)
        names = {each.text for each in found.iter("{DAV:}displayname")}
        assert names >= {f"LARGE{number} - <&>" for number in range(210)}
        assert len(found) == 1 + len(client.get("/patients").json())


def test_gnome_files(client: httpx.Client) -> None:
    """gvfs asks for the properties of each folder from the root down, and reads by ranges."""
    agent = {"User-Agent": "gvfs/1.50.3"}
    parts = ["", "/by-uids", "/by-uids/1.2.3.1", "/by-uids/1.2.3.1/1.2.3.1.1"]
    for path in parts:
        assert ask(client, "OPTIONS", path, headers=agent).status_code == 200
        assert listing(client, path, "0").status_code == 207
    files = [path for path in inside(client, parts[-1]) if path.endswith(".dcm")]
    assert len(files) == 2
    whole = ask(client, "GET", files[0], headers=agent)
    part = ask(client, "GET", files[0], headers=agent | {"Range": "bytes=128-131"})
    assert (part.status_code, part.content) == (206, b"DICM")
    assert part.headers["content-range"] == f"bytes 128-131/{len(whole.content)}"
    beyond = ask(client, "GET", files[0], headers=agent | {"Range": "bytes=99999999-"})
    assert beyond.status_code == 416
