"""The folders, side by side with Orthanc 1.13. Deviations: docs/deviations.md, WebDAV."""

import re

import httpx
import pytest
from support import webdav
from support.webdav import DATE, Pair, ask, listing

JANE = "/by-dates/2023/2023-12/P1%20-%20Doe%5EJane%20-"
SERIES = f"{JANE}/CT%20-%20Axial%201%20mm"
FILE = f"{SERIES}/67cae99a-8cbd9734-aff0a7a8-04022fc9-c1b163cf.dcm"
MISSING = (
    *("/nope", "/nope/x", "/by-patients/nope", "/by-patients/p1%20-%20doe%5Ejane"),
    *("/by-patients/x/y/z/w.dcm", "/by-patients/x/y/z/w.dcm/v", "/by-patients/-%20"),
    *("/by-studies/x/y", "/by-studies/P1%20-%20Doe%5EJane%20-%20Thorax/nope/nope"),
    *("/by-dates/1999", "/by-dates/abc", "/by-dates/20231", "/by-dates/2023/x"),
    *("/by-dates/2023/2023-1", "/by-dates/2023/2023-111", "/by-dates/2023/20231201"),
    *("/by-dates/2023/2023-11", "/by-dates/2023/2023-13", "/by-dates/2023/2023-12/x/y/z.dcm"),
    *("/by-dates/2023/2024-01", "/by-dates/20%2A3", "/by-dates/%32023/2023-12", "/by-dates/2023"),
    *(f"{SERIES}/nope.dcm", f"{SERIES}/nope", f"{JANE}/nope/z.dcm", f"{FILE}/y"),
    *("/by-uids/x", "/by-uids/x/y", "/by-uids/x/y/z", "/by-uids/x/study.json", "/by-uids/%2A"),
    *("/by-uids/study.json", "/by-uids/1.2.3.1/series.json", "/by-uids/1.2.3.2/1.2.3.1.1"),
    *("/by-uids/1.2.3.1/1.2.3.1.1/study.json", "/by-uids/1.2.3.1/1.2.3.1.1/1.2.3.1.1.1"),
    *("/by-uids/1.2.3.1/1.2.3.1.1/1.2.3.1.1.1.dcm/x", "/by-uids/1.2.3.1/nope/series.json"),
    *("/by-uids/1.2.3.1%5C1.2.3.2", "/by-patients/..%2fby-uids", "/by-uids/../by-studies/x"),
)


def undated(text: str) -> str:
    return DATE.sub("", text)


def code(response: httpx.Response) -> tuple[int, str]:
    """Status, and Orthanc's number of the error."""
    found = re.search(r'"OrthancStatus"\s*:\s*(-?\d+)', response.text)
    return response.status_code, found[1] if found else ""


def test_all_folders_have_the_same_entries_byte_for_byte(filled: Pair) -> None:
    left = [""]
    files: list[str] = []
    while left:
        folder = left.pop()
        ours, theirs = (listing(client, folder) for client in filled)
        assert undated(ours.text) == undated(theirs.text)
        found = webdav.entries(ours)[1:]
        left += [path for path, is_folder in found if is_folder]
        files += [path for path, is_folder in found if not is_folder]
    assert len(files) > 4 * 15
    for path in files:
        mine, other = (ask(client, "GET", path) for client in filled)
        assert mine.headers["content-type"] == other.headers["content-type"]
        last_update = re.compile(rb'("LastUpdate" : ")[0-9T]+')
        assert last_update.sub(b"", mine.content) == last_update.sub(b"", other.content), path


@pytest.mark.parametrize("path", ["", "/", "/by-uids", "/by-uids/", "/by-patients/nope", FILE])
def test_depth_0_is_the_folder_alone(filled: Pair, path: str) -> None:
    ours, theirs = (listing(client, path, "0") for client in filled)
    assert ours.status_code == theirs.status_code == 207
    if path == FILE:  # Orthanc puts the folder above in front of it
        assert webdav.entries(ours) == webdav.entries(theirs)[1:] == [(FILE, False)]
    else:
        assert undated(ours.text) == undated(theirs.text)


@pytest.mark.parametrize("depth", ["infinity", "2", "", "-1", "1, noroot", "99999999999", "01"])
def test_other_depths(filled: Pair, depth: str) -> None:
    ours, theirs = (listing(client, "/by-uids", depth) for client in filled)
    assert code(ours) == code(theirs)
    without = [code(ask(client, "PROPFIND", "/by-uids")) for client in filled]
    assert without[0] == without[1] == (500, "9")


@pytest.mark.parametrize("path", MISSING)
@pytest.mark.parametrize("method", ["PROPFIND", "GET"])
def test_what_is_not_there(filled: Pair, method: str, path: str) -> None:
    ours, theirs = (ask(client, method, path, headers={"Depth": "1"}) for client in filled)
    assert code(ours) == code(theirs)
    if ours.status_code == 207:
        assert undated(ours.text) == undated(theirs.text)


PLACES = ("", "/by-patients", "/nope", "/nope/x", "/by-patients/x/y", f"{FILE}x", "/uploads")


@pytest.mark.parametrize("path", PLACES)
@pytest.mark.parametrize(
    "method", ["PUT", "MKCOL", "MOVE", "COPY", "UNLOCK", "POST", "PATCH", "REPORT", "GET"]
)
def test_methods_that_change_nothing_there(filled: Pair, method: str, path: str) -> None:
    headers = {"Destination": "/webdav/uploads/z"}
    body = b"" if method in ("PUT", "POST", "PATCH") else None
    ours, theirs = (ask(client, method, path, body, headers) for client in filled)
    assert code(ours) == code(theirs)
    assert ours.headers.get("allow") == theirs.headers.get("allow")


def test_options(filled: Pair) -> None:
    for path in ("", "/"):
        ours, theirs = (ask(client, "OPTIONS", path) for client in filled)
        assert ours.status_code == theirs.status_code == 200
        for name in ("dav", "allow"):
            assert ours.headers[name] == theirs.headers[name]


@pytest.mark.parametrize("path", ["", "/uploads/a%20b", "/by-uids/1.2.3.1"])
@pytest.mark.parametrize("method", ["LOCK", "PROPPATCH"])
def test_locks_and_properties(filled: Pair, method: str, path: str) -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><x>&b;</x>'
    ours, theirs = (ask(client, method, path, bomb) for client in filled)
    token = re.compile("opaquelocktoken:0x[0-9a-f]{32}")
    assert ours.status_code == theirs.status_code
    assert token.sub("", ours.text) == token.sub("", theirs.text)
    for answer in (ours, theirs):
        assert answer.headers.get("lock-token", "") in answer.text


DELETED = (
    *(f"{SERIES}/nope.dcm", f"{JANE}/nope", "/by-uids/1.2.3.1/study.json", "", "/uploads"),
    *("/by-uids/1.2.3.1/1.2.3.1.1/series.json", "/by-uids/nope", "/by-uids/1.2.3.1/nope"),
    *("/by-uids/1.2.3.1/1.2.3.1.1/nope", "/by-dates/1999", "/by-dates/x", "/by-dates/2023/x"),
    *("/by-dates/abcd", "/nope", "/by-uids", "/by-dates/2023/2024-02"),
    *("/by-uids/1.2.3.1/1.2.3.1.1/1.2.3.1.1.1.dcm", FILE, "/by-uids/1.2.3.1/1.2.3.1.1"),
    *("/by-patients/P8%20-%20%5E%5E/20241301%20-%20X%20%281%29", "/by-patients/-"),
    *("/by-studies/P1%20-%20Doe%5EJane%20-%20Thorax", "/by-dates/2024", "/by-patients"),
)


def test_deletion(pair: Pair) -> None:
    for path in DELETED:
        ours, theirs = (ask(client, "DELETE", path) for client in pair)
        assert code(ours) == code(theirs), path
        left = [sorted(client.get("/instances").json()) for client in pair]
        assert left[0] == left[1], path
    assert left[0] == []


@pytest.mark.parametrize("path", ["/by-dates", "/by-studies"])
def test_deletion_of_all(pair: Pair, path: str) -> None:
    ours, theirs = (ask(client, "DELETE", path) for client in pair)
    assert code(ours) == code(theirs)
    left = [sorted(client.get("/instances").json()) for client in pair]
    assert left[0] == left[1]
