"""Every route, asked by every kind of user: nothing is reachable that the table of routes does not
allow. The table is that of the router, which docs/routes.md shows."""

import http.client
import re
from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

import httpx
import pytest
from rest.test_explorer_2 import copy_of
from support.users_site import RIGHTS, Site, basic

from orthanc_fast.config import load
from orthanc_fast.rest.router import Route
from orthanc_fast.rest.routes import build_router
from orthanc_fast.rights import EVERYTHING, NOTHING, Right
from orthanc_fast.services.browse.describe import PLURALS

# These would end the server for whoever may.
ENDING = {"/tools/reset", "/tools/shutdown"}
MISSING_RIGHT = "this needs the right to"
OF_ALL = "this is for users who see all studies"


class Kind(NamedTuple):
    name: str
    rights: Right
    is_limited: bool = False


KINDS = (
    Kind("admin", EVERYTHING),
    Kind("reader", Right.BROWSE),
    Kind("nothing", NOTHING),
    Kind("blue", Right.BROWSE | Right.UPLOAD | Right.MODIFY | Right.DELETE, True),
    Kind("visitor", Right.BROWSE, True),
    *(Kind(f"only-{right}", Right[right.upper()]) for right in RIGHTS),
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("options")
    page = copy_of(folder / "pages")
    found = Site(
        tmp_path_factory.mktemp("rights"),
        WebDavDeleteAllowed=True,
        OrthancExplorer2={"Folder": str(page)},
        OHIF={"Folder": str(page)},
        VolView={"Folder": str(page)},
        ServeFolders={"/www": str(folder)},
        Worklists={"Enable": True, "SaveInOrthancDatabase": True},
        DelayedDeletion={"Enable": True},
        Housekeeper={"Enable": True},
        Routing={
            "Destinations": {"disk": {"Folder": str(folder)}},
            "Rules": {"none": {"Destinations": ["disk"], "Labels": ["none"]}},
        },
    )
    yield found
    found.close()


@pytest.fixture(scope="module")
def routes(site: Site) -> list[Route]:
    return build_router(load([site.server.config_path])).routes


def client_of(site: Site, kind: Kind) -> httpx.Client:
    if kind.name != "visitor":
        return site.client(kind.name)
    made = site.admin.post(f"/studies/{site.seen[0]}/share", json={"Validity": 3600})
    client = site.client()
    assert client.get(f"/{made.json()['Url']}").status_code == 303
    client.headers["Sec-Fetch-Site"] = "same-origin"
    return client


def path_of(route: Route, hidden: dict[str, str]) -> str:
    """With these identifiers, by name of the level, and texts that name nothing for all else."""
    parts = route.path.split("/")
    for number, part in enumerate(parts):
        if part in ("{}", "{*}"):
            parts[number] = hidden.get(parts[number - 1], "0") if number == 2 else "0"
    return "/".join(parts)


def ask(client: httpx.Client, route: Route, names: dict[str, str]) -> httpx.Response:
    content = None if route.method == "GET" else b"{}"
    return client.request(route.method, path_of(route, names), content=content)


def plain(answer: httpx.Response, names: dict[str, str]) -> tuple[int, str]:
    """Status and body without the identifiers that were asked for, and without times."""
    text = answer.text
    for name in names.values():
        text = text.replace(name, "")
    return answer.status_code, re.sub(r"\d", "", text)


def details(answer: httpx.Response) -> str:
    if not answer.content or not answer.headers.get("content-type", "").startswith("text/plain"):
        return ""
    try:
        return str(answer.json().get("Details", ""))
    except (ValueError, AttributeError):
        return ""


@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
def test_a_user_reaches_what_the_table_allows(site: Site, routes: list[Route], kind: Kind) -> None:
    refused = reached = 0
    unknown = {plural: "-".join(["00000000"] * 5) for plural in PLURALS.values()}
    hidden = site.of_study(site.hidden[1]) if kind.is_limited else unknown
    with closing(client_of(site, kind)) as client:
        for route in routes:
            needed = route.need.any_of
            is_missing = needed != NOTHING and not needed & kind.rights
            is_missing |= route.need.also not in kind.rights
            is_refused = is_missing or (kind.is_limited and not route.need.limited)
            if route.path in ENDING and not is_refused:
                continue
            if kind.name == "admin" and route.method != "GET":
                continue  # nothing is refused to him, as the other tests show
            if route.path == "/app/session" and route.method != "GET":
                continue  # the one is no guess, the other ends the visit
            answer = ask(client, route, hidden)
            where = f"{route.method} {route.path}: {answer.status_code} {answer.text[:300]}"
            if is_refused:
                assert answer.status_code == 403, where
                assert (MISSING_RIGHT if is_missing else OF_ALL) in details(answer), where
                refused += 1
            else:
                assert answer.status_code != 401, where
                assert MISSING_RIGHT not in details(answer), where
                assert OF_ALL not in details(answer), where
                reached += 1
                if kind.is_limited:  # what he does not see is what is not there
                    other = ask(client, route, unknown)
                    assert plain(answer, hidden) == plain(other, unknown), where
    assert refused or kind.name == "admin"
    assert reached


def test_who_is_not_logged_in_reaches_what_is_open(site: Site, routes: list[Route]) -> None:
    with site.client() as client:
        for route in routes:
            answer = ask(client, route, {})
            where = f"{route.method} {route.path}: {answer.status_code}"
            if route.need.any_of == NOTHING:
                assert answer.headers.get("www-authenticate") is None, where
            else:
                assert answer.status_code == 401, where
                assert answer.headers["www-authenticate"].startswith("Basic "), where
                assert answer.content == b"", where
    opened = sorted({route.path for route in routes if route.need.any_of == NOTHING})
    assert opened == [
        *("/app/login", "/app/login.css", "/app/login.js", "/app/session", "/app/share/{}"),
        *("/health/live", "/health/ready", "/ui/api/pre-login-configuration"),
    ]


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/studies/{}?_method=DELETE", {}),
        ("GET", "/studies/{}?%5fmethod=DELETE", {}),
        ("GET", "/studies/{}?_method=delete", {}),
        ("POST", "/studies/{}", {"X-HTTP-Method-Override": "DELETE"}),
        ("GET", "/studies/{}", {"X-HTTP-Method-Override": "delete"}),
        ("DELETE", "//studies//{}//", {}),
        ("DELETE", "/x/../studies/{}", {}),
        ("DELETE", "/%73tudies/{}", {}),
        ("DELETE", "/studies%2f{}", {}),
        ("DELETE", "/studies%5c{}", {}),
        ("DELETE", "/studies/{}%00x", {}),
        ("DELETE", "/studies/./{}/.", {}),
        ("PUT", "/studies/{}/labels/x?_method=GET", {}),
        ("DELETE", "/webdav/by-patients%2f", {}),
        ("DELETE", "/dicom-web/studies/1.2", {}),
        ("POST", "/instances", {"Content-Type": "multipart/form-data; boundary=x"}),
        ("POST", "/instances/", {"Content-Type": "multipart/form-data; boundary=x"}),
        ("POST", "/dicom-web/studies", {"Content-Type": "multipart/related; boundary=x"}),
        ("MKCOL", "/webdav/uploads/x", {}),
        ("PROPPATCH", "/webdav/uploads", {}),
        ("LOCK", "/webdav/uploads", {}),
        ("POST", "/tools/bulk-delete", {}),
    ],
)
def test_no_way_around_for_a_reader(
    site: Site, method: str, path: str, headers: dict[str, str]
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", int(site.url.rpartition(":")[2]), 60)
    path = path.replace("{}", site.seen[0])  # as it is: no library makes another one of it
    connection.request(method, path, body=b"{}", headers={**basic("reader"), **headers})
    assert connection.getresponse().status == 403
    connection.close()
    assert site.admin.get(f"/studies/{site.seen[0]}").status_code == 200


@pytest.mark.parametrize("keep", [False, None])
@pytest.mark.parametrize("verb", ["modify", "anonymize", "split", "merge"])
def test_what_deletes_its_source_needs_that_right(site: Site, verb: str, keep: bool | None) -> None:
    of_study = site.of_study(site.hidden[0])
    body: dict[str, object] = {"Resources": [site.hidden[1]]}
    if verb == "split":
        body = {"Series": [of_study["series"]]}
    if keep is not None:
        body["KeepSource"] = keep
    is_deleting = keep is False or verb in ("split", "merge")
    body["DryRun"] = not is_deleting
    with site.client("editor") as client:
        answer = client.post(f"/studies/{site.hidden[0]}/{verb}", json=body)
    assert (answer.status_code == 403) == is_deleting
    assert ("right to delete" in details(answer)) == is_deleting


@pytest.mark.parametrize("verb", ["modify", "anonymize"])
def test_who_may_not_see_it_is_not_told_by_changing_it(site: Site, verb: str) -> None:
    of_study = site.of_study(site.hidden[0])
    dry_run = {"DryRun": True}
    with site.client("only-modify") as client, site.client("editor") as editor:
        for path, body in (
            (f"/instances/{of_study['instances']}/{verb}", {}),
            *((f"/{level}/{public}/{verb}", dry_run) for level, public in of_study.items()),
            (f"/tools/bulk-{verb}", {"Resources": [site.hidden[0]], **dry_run}),
        ):
            answer = client.post(path, json=body)
            assert answer.status_code == 403, path
            assert "right to browse" in details(answer), path
            assert editor.post(path, json=body).status_code == 200, path
        assert client.post(f"/studies/{site.hidden[0]}/share").status_code == 403


def test_explorer_2_offers_what_a_user_may_do(site: Site) -> None:
    options = ("EnableUpload", "EnableSendTo", "EnableDeleteResources", "EnableSettings")
    offered = {
        name: [
            site.client(name).get("/ui/api/configuration").json()["UiOptions"][option]
            for option in options
        ]
        for name in ("admin", "reader", "editor", "blue")
    }
    assert offered == {
        "admin": [True, True, True, True],
        "reader": [False, False, False, False],
        "editor": [False, True, False, False],
        "blue": [False, False, True, False],
    }


def test_a_head_is_a_get(site: Site) -> None:
    hidden = site.of_study(site.hidden[0])
    with site.client("blue") as blue, site.client("only-upload") as uploader:
        for path in (f"/instances/{hidden['instances']}/file", f"/studies/{hidden['studies']}"):
            assert blue.head(path).status_code == 404
            assert uploader.head(path).status_code == 403
        assert blue.head(f"/studies/{site.seen[0]}").status_code == 200
