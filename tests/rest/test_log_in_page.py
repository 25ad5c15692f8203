"""Logging in, and share links, in a real browser."""

from collections.abc import Iterator

import pytest
from support.driven_browser import Browser
from support.users_site import PASSWORD, Site


@pytest.fixture(scope="module")
def site(needs_browser: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    found = Site(tmp_path_factory.mktemp("log-in"))
    yield found
    found.close()


@pytest.fixture
def browser(needs_browser: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser") / "profile") as running:
        yield running


def write(browser: Browser, selector: str, text: str) -> None:
    browser.value(f"document.querySelector('{selector}').focus()")
    browser.write(text)


def log_in(browser: Browser, name: str, password: str) -> None:
    browser.wait_for("document.querySelector('#password')")
    write(browser, "#name", name)
    write(browser, "#password", password)
    browser.press("Enter")


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("ja, pt-BR;q=0.8", "en"),
        ("de-AT", "de"),
        ("FR", "fr"),
        ("xx, de;q=0.5, es;q=0.7", "es"),
        ("en;q=0.8, de;q=0.8", "en"),
        ("de;q=0, fr;q=what, es;q=0.001", "es"),
        ("de; q=9, en", "de"),
    ],
)
def test_the_form_has_the_language_that_is_liked_best(
    site: Site, accepted: str | None, language: str
) -> None:
    headers = {} if accepted is None else {"Accept-Language": accepted}
    answer = site.client().get("/app/login?next=%3Cb%3E%7Bx%7D", headers=headers)
    assert f'<html lang="{language}">' in answer.text
    assert 'value="&lt;b&gt;{x}"' in answer.text
    assert answer.headers["vary"] == "Accept-Language"


STATUS = "fetch('../{}', {{method: '{}'}}).then(answer => answer.status)"


def test_a_person_logs_in_where_he_wanted_to_go(site: Site, browser: Browser) -> None:
    wanted = f"{site.url}/app/explorer.html#study?uuid={site.seen[0]}"
    browser.open_led(wanted)
    browser.wait_for("location.pathname == '/app/login'")
    log_in(browser, "reader", "wrong")
    browser.wait_for("location.search.startsWith('?failed')")
    browser.wait_for("!document.querySelector('#failed').hidden")
    log_in(browser, "reader", PASSWORD)
    browser.wait_for("location.pathname == '/app/explorer.html'")
    assert browser.value("location.hash") == f"#study?uuid={site.seen[0]}"
    assert browser.value("document.cookie") == ""  # no script reads it
    assert browser.value(STATUS.format("studies", "GET")) == 200
    assert browser.value(STATUS.format(f"studies/{site.seen[0]}", "DELETE")) == 403
    assert browser.value(STATUS.format("app/session", "DELETE")) == 204
    assert browser.value(STATUS.format("studies", "GET")) == 401


def test_a_link_opens_one_study(site: Site, browser: Browser) -> None:
    link = site.admin.post(f"/studies/{site.hidden[0]}/share").json()["Url"]
    browser.open_led(f"{site.url}/{link}")
    browser.wait_for("location.pathname == '/app/explorer.html'")
    assert browser.value("location.hash") == f"#viewer?study={site.hidden[0]}"
    of_link = "fetch('../studies').then(answer => answer.json()).then(found => found.join())"
    assert browser.value(of_link) == site.hidden[0]


def test_a_page_of_another_site_changes_nothing(site: Site, browser: Browser) -> None:
    """Another host name is another site; the browser sends no cookie along, or says who asks."""
    browser.open_led(f"{site.url}/app/explorer.html")
    log_in(browser, "admin", PASSWORD)
    browser.wait_for("location.pathname == '/app/explorer.html'")
    other = site.url.replace("127.0.0.1", "localhost")
    browser.open(f"{other}/app/login")
    target = f"{site.url}/studies/{site.hidden[1]}"
    browser.value(f"fetch('{target}', {{method: 'DELETE', credentials: 'include'}}).catch(() => 0)")
    browser.open_led(f"{target}?_method=DELETE")
    assert site.admin.get(f"/studies/{site.hidden[1]}").status_code == 200
