"""Sessions of browsers: cookies, several workers, logging out, what pages of others may not do, and
guesses at passwords."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.cookies import SimpleCookie

import httpx
import pytest
from support.users_site import HASHED, PASSWORD, Site, basic

from orthanc_fast.services.users.guesses import MOST_OF_ADDRESS, SECONDS

PAGE = {"Sec-Fetch-Site": "same-origin"}
HTML = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    # Clients say what their addresses are, so that guesses of one test are not those of another.
    found = Site(
        tmp_path_factory.mktemp("sessions"), TrustedProxies=["127.0.0.1"], RemoteAccessAllowed=True
    )
    yield found
    found.close()


def log_in(site: Site, name: str = "reader", **headers: str) -> httpx.Client:
    client = site.client()
    answer = client.post("/app/session", json={"Name": name, "Password": PASSWORD}, headers=headers)
    assert answer.status_code == 204, answer.text
    return client


def statuses(site: Site, cookie: str, count: int = 24) -> set[int]:
    """Of requests that come by as many connections, hence to all workers."""

    def ask(_: int) -> int:
        return httpx.get(f"{site.url}/studies", headers={"Cookie": cookie}).status_code

    with ThreadPoolExecutor(8) as pool:
        return set(pool.map(ask, range(count)))


def cookie_of(client: httpx.Client) -> str:
    return "; ".join(f"{name}={value}" for name, value in client.cookies.items())


def test_a_session_is_one_in_all_workers_until_it_ends(site: Site) -> None:
    client = log_in(site)
    cookie = cookie_of(client)
    assert statuses(site, cookie) == {200}
    assert client.get("/app/session").json() == {
        "Name": "reader",
        "Permissions": ["browse"],
        "Labels": None,
        "Authenticated": True,
        "LoginAvailable": True,
    }
    answer = client.delete("/app/session", headers=PAGE)
    assert answer.status_code == 204
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert statuses(site, cookie) == {401}
    again = httpx.get(f"{site.url}/studies", headers={"Cookie": cookie})
    assert "www-authenticate" not in again.headers  # no window pops up in a page


def test_logging_out_ends_streams(site: Site) -> None:
    client = log_in(site)
    headers = {"Accept": "text/event-stream"}
    with client.stream("GET", "/changes?since=0", headers=headers) as stream:
        lines = stream.iter_lines()
        assert next(lines).startswith("retry")
        assert client.delete("/app/session", headers=PAGE).status_code == 204
        study = site.seen[0]
        assert site.admin.put(f"/studies/{study}/metadata/1024", content="x").status_code == 200
        for _ in lines:  # it comes to an end
            pass


def test_the_cookie(site: Site) -> None:
    answer = site.client().post("/app/session", json={"Name": "reader", "Password": PASSWORD})
    cookie = SimpleCookie(answer.headers["set-cookie"])
    ((name, morsel),) = cookie.items()
    assert name == f"orthanc-session-{site.url.rpartition(':')[2]}"
    assert len(morsel.value) >= 43
    assert (morsel["httponly"], morsel["samesite"], morsel["path"]) == (True, "Lax", "/")
    assert (morsel["secure"], morsel["max-age"]) == ("", str(720 * 60))
    assert answer.headers["cache-control"] == "no-store"
    behind = site.client().post(
        "/app/session",
        json={"Name": "reader", "Password": PASSWORD},
        headers={
            "X-Forwarded-For": "10.9.9.9",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Prefix": "/pacs",
        },
    )
    ((_, morsel),) = SimpleCookie(behind.headers["set-cookie"]).items()
    assert (morsel["secure"], morsel["path"]) == (True, "/pacs/")


def test_logging_in_again_makes_another_session(site: Site) -> None:
    client = log_in(site)
    first = cookie_of(client)
    given = {"Name": "blue", "Password": PASSWORD}
    assert client.post("/app/session", json=given, headers=PAGE).status_code == 204
    assert cookie_of(client) != first
    assert client.get("/app/session").json()["Name"] == "blue"
    assert statuses(site, first, 4) == {401}


def test_sessions_outlive_a_restart_but_not_a_new_password(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    site = Site(tmp_path_factory.mktemp("restarts"))
    try:
        reader, hashed = log_in(site), site.client()
        given = {"Name": "hashed", "Password": HASHED}
        assert hashed.post("/app/session", json=given).status_code == 204
        for text, expected in ((PASSWORD, 200), ("another one", 401)):
            site.server.stop()
            site.server.configuration["RegisteredUsers"]["reader"] = text
            site.server.start()
            assert reader.get("/studies").status_code == expected
            assert hashed.get("/studies").status_code == 200
    finally:
        site.close()


def test_a_session_expires(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Its end is moved in the index instead of waiting for it: tests/services/users has the clock.
    Here the browser forgets it by Max-Age, and the server knows the same end."""
    site = Site(tmp_path_factory.mktemp("expiry"), Sessions={"Minutes": 1})
    try:
        given = {"Name": "reader", "Password": PASSWORD}
        answer = site.client().post("/app/session", json=given)
        ((_, morsel),) = SimpleCookie(answer.headers["set-cookie"]).items()
        assert morsel["max-age"] == "60"
    finally:
        site.close()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 404),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Origin": "{own}"}, 404),
        ({"Origin": "{own}", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "http://evil.example.org"}, 403),
        ({"Origin": "{own}.evil.example.org"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://[broken"}, 403),
        ({"Origin": "https://pacs.example.org", "X-Forwarded-Host": "pacs.example.org"}, 404),
        ({}, 403),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/studies/none"),
        ("GET", "/studies/none?_method=DELETE"),
    ],
)
def test_who_has_a_cookie_changes_something_from_own_pages_only(
    site: Site, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    client = log_in(site, "only-delete")
    own = {name: value.replace("{own}", site.url) for name, value in headers.items()}
    assert client.request(method, path, headers=own).status_code == status
    with_password = client.request(method, path, headers={**own, **basic("only-delete")})
    assert (
        with_password.status_code == 404
        or headers.get("Sec-Fetch-Site") == "cross-site"
        or ("Origin" in headers)
    )


def test_pages_of_others_log_nobody_in(site: Site) -> None:
    given = {"Name": "reader", "Password": PASSWORD}
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example.org"}):
        answer = site.client().post("/app/session", data=given, headers=headers)
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers


def test_a_browser_is_led_to_the_log_in_and_back(site: Site) -> None:
    client = site.client()
    for path in ("/studies/x?since=1&y", "/app/explorer.html", "/", "/a//b/c%2Fd"):
        answer = client.get(path, headers=HTML)
        assert answer.status_code == 303
        page = httpx.URL(f"{site.url}{path}").join(answer.headers["location"])
        assert page.path == "/app/login"
        shown = client.get(page)
        assert shown.status_code == 200
        assert "script-src 'self'" in shown.headers["content-security-policy"]
        form = {"Name": "reader", "Password": PASSWORD, "Next": page.params["next"]}
        done = client.post("/app/session", data=form, headers=PAGE)
        assert done.status_code == 303
        assert done.headers["location"] == f"..{path}"
        client.cookies.clear()


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.org",
        "\\\\evil.org",
        "https://evil.org",
        "javascript:alert(1)",
        "x\r\nX-A: b",
        "/\\e",
    ],
)
def test_the_log_in_leads_to_this_server_only(site: Site, wanted: str) -> None:
    form = {"Name": "reader", "Password": PASSWORD, "Next": wanted}
    answer = site.client().post("/app/session", data=form)
    assert answer.status_code == 303
    assert httpx.URL(f"{site.url}/app/session").join(answer.headers["location"]).port == (
        httpx.URL(site.url).port
    )
    assert answer.headers["location"].startswith("../")
    assert "x-a" not in answer.headers
    page = site.client().get("/app/login", params={"next": f'"><script>{wanted}'})
    assert "<script>" not in page.text.replace('<script src="login.js" defer>', "")


def test_odd_bodies(site: Site) -> None:
    post = site.client().post
    assert post("/app/session", content=b"x" * 10_000).status_code == 413
    assert post("/app/session", content=b"[1]").status_code == 400
    assert post("/app/session", content=b'{"Name": 1}').status_code == 400
    assert post("/app/session", content=b"\xff\xfe").status_code == 400
    assert post("/app/session", json={"Name": "", "Password": ""}).status_code == 401
    for cookie in ("", "x" * 5000, "../../x", "é"):
        pair = f"orthanc-session-{site.url.rpartition(':')[2]}={cookie}"
        headers = [(b"Cookie", pair.encode())]
        assert httpx.get(f"{site.url}/studies", headers=headers).status_code == 401


def test_guesses_are_counted_for_all_workers_and_ways(site: Site) -> None:
    address = {"X-Forwarded-For": "203.0.113.7"}

    def guess(number: int) -> int:
        password = f"guess {number}"
        if number % 2:
            headers = {**address, **basic("reader", password)}
            return httpx.get(f"{site.url}/system", headers=headers).status_code
        given = {"Name": "reader", "Password": password}
        return httpx.post(f"{site.url}/app/session", json=given, headers=address).status_code

    assert [guess(number) for number in range(MOST_OF_ADDRESS)] == [401] * MOST_OF_ADDRESS
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(guess, range(100, 116))) == {429}
    right = httpx.get(f"{site.url}/system", headers={**address, **basic("reader")})
    assert right.status_code == 429
    assert 0 < int(right.headers["retry-after"]) <= SECONDS
    form = {"Name": "reader", "Password": PASSWORD}
    assert httpx.post(f"{site.url}/app/session", json=form, headers=address).status_code == 429
    elsewhere = {"X-Forwarded-For": "203.0.113.8", **basic("reader")}
    assert httpx.get(f"{site.url}/system", headers=elsewhere).status_code == 200
    cookie = {"Cookie": cookie_of(log_in(site)), **address}
    assert httpx.get(f"{site.url}/system", headers=cookie).status_code == 200


def test_an_old_password_keeps_nobody_out(site: Site) -> None:
    address = {"X-Forwarded-For": "203.0.113.20"}
    for _ in range(3 * MOST_OF_ADDRESS):
        headers = {**address, **basic("reader", "of last year")}
        assert httpx.get(f"{site.url}/system", headers=headers).status_code == 401
    headers = {**address, **basic("reader")}
    assert httpx.get(f"{site.url}/system", headers=headers).status_code == 200


def test_wrong_names_and_wrong_passwords_are_alike(site: Site) -> None:
    answers = [
        site.client(name, "wrong").get("/system", headers={"X-Forwarded-For": "203.0.113.30"})
        for name in ("reader", "hashed", "nobody", "")
    ]
    seen = {(each.status_code, each.content, each.headers["www-authenticate"]) for each in answers}
    assert len(seen) == 1


def test_a_hashed_password(site: Site) -> None:
    assert site.client("hashed", HASHED).get("/studies").status_code == 200
    assert site.client("hashed", PASSWORD).get("/studies").status_code == 401


def test_share_links(site: Site) -> None:
    before = int(time.time())
    answer = site.admin.post(f"/studies/{site.hidden[0]}/share", json={"Validity": 3600})
    shared = answer.json()
    visitor = site.client()
    opened = visitor.get(f"/{shared['Url']}")
    assert opened.status_code == 303
    target = httpx.URL(f"{site.url}/{shared['Url']}").join(opened.headers["location"])
    assert str(target) == f"{site.url}/app/explorer.html#viewer?study={site.hidden[0]}"
    ((_, morsel),) = SimpleCookie(opened.headers["set-cookie"]).items()
    assert morsel["httponly"] is True
    assert 3500 <= int(morsel["max-age"]) <= 3600 + before
    assert visitor.get("/studies").json() == [site.hidden[0]]
    assert visitor.get(f"/studies/{site.seen[0]}").status_code == 404
    assert visitor.get(f"/studies/{site.hidden[0]}/archive").status_code == 200
    refused = visitor.post(f"/studies/{site.hidden[0]}/share", headers=PAGE)
    assert refused.status_code == 403
    (listed,) = site.admin.get(f"/studies/{site.hidden[0]}/share").json()
    assert listed["ID"] == shared["ID"]
    assert listed["User"] == "admin"
    assert shared["Url"].rpartition("/")[2] not in str(listed)
    assert site.admin.get(f"/studies/{site.hidden[1]}/share").json() == []
    other = f"/studies/{site.hidden[1]}/share/{shared['ID']}"
    assert site.admin.delete(other).status_code == 404
    assert site.admin.delete(f"/studies/{site.hidden[0]}/share/{shared['ID']}").status_code == 204
    assert statuses(site, cookie_of(visitor)) == {401}
    assert site.client().get(f"/{shared['Url']}").status_code == 404


def test_a_link_shows_no_more_than_its_maker_sees(site: Site) -> None:
    blue = site.client("blue")
    assert blue.post(f"/studies/{site.hidden[0]}/share").status_code == 404
    shared = blue.post(f"/studies/{site.seen[1]}/share").json()
    visitor = site.client()
    visitor.get(f"/{shared['Url']}")
    study = f"/studies/{site.seen[1]}"
    assert visitor.get(study).status_code == 200
    assert site.admin.delete(f"{study}/labels/azure").status_code == 200
    assert visitor.get(study).status_code == 404
    assert site.admin.put(f"{study}/labels/azure").status_code == 200
    assert visitor.get(study).status_code == 200


def test_links_have_bounds(site: Site) -> None:
    for validity in (0, -1, 31 * 86_400, "x"):
        answer = site.admin.post(f"/studies/{site.seen[0]}/share", json={"Validity": validity})
        assert answer.status_code == 400
    assert site.client("reader").post(f"/studies/{site.seen[0]}/share").status_code == 403


def test_who_is_logged_in_stays_so(site: Site) -> None:
    shared = site.admin.post(f"/studies/{site.seen[0]}/share").json()
    client = log_in(site)
    answer = client.get(f"/{shared['Url']}")
    assert answer.status_code == 303
    assert "set-cookie" not in answer.headers
    assert client.get("/app/session").json()["Name"] == "reader"
