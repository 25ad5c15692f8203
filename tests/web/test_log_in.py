"""The web interface for users: logging in and out, what is not offered, and below a prefix."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support import generated
from support.driven_browser import Browser
from support.nginx import BELOW_A_PREFIX, nginx
from support.server import OurServer
from support.web_ui import choose, field, judge, press_button

USERS = {
    "AuthenticationEnabled": True,
    "RegisteredUsers": dict.fromkeys(("admin", "reader", "heart", "keeper"), "secret"),
    "Users": {
        "keeper": {"Permissions": ["administrate"]},
        "reader": {"ReadOnly": True},
        "heart": {"Permissions": ["browse", "modify"], "Labels": ["cardio"]},
    },
}
ADMIN = ("admin", "secret")


@pytest.fixture(scope="module")
def server(needs_browser: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    with OurServer(tmp_path_factory.mktemp("server"), {"Name": "Ward 8", **USERS}) as running:
        yield running


@pytest.fixture(scope="module")
def stored(server: OurServer) -> str:
    """A study with a label, and one without."""
    for patient in (1, 2):
        data = generated.small().number(patient, 1, 1, 1)
        answer = httpx.post(f"{server.url}/instances", content=data, auth=ADMIN).json()
    study: str = answer["ParentStudy"]
    httpx.put(f"{server.url}/studies/{study}/labels/cardio", auth=ADMIN).raise_for_status()
    return study


@pytest.fixture(autouse=True)
def nobody(browser: Browser) -> None:
    browser.call("Network.clearBrowserCookies")


def logged_in(browser: Browser, url: str, name: str, hash: str = "") -> None:
    """By the page to which the server leads."""
    browser.open_led(f"{url}/app/explorer.html{hash}")
    browser.wait_for("document.querySelector('input[type=password]')")
    _give(browser, name, "secret")
    browser.wait_for("location.pathname.endsWith('/app/explorer.html')")
    browser.wait_for("document.querySelector('header.head .user')")


def _give(browser: Browser, name: str, password: str) -> None:
    browser.value("document.querySelector('input:not([type=hidden])').select()")
    browser.write(name)
    browser.value("document.querySelector('input[type=password]').select()")
    browser.write(password)
    browser.press("Enter")


def log_out(browser: Browser) -> None:
    browser.click_on("button[aria-label=Settings]")
    browser.click("Log out")
    browser.wait_for("document.querySelector('main.login input[type=password]')")


def test_the_page_that_was_asked_for(browser: Browser, server: OurServer, stored: str) -> None:
    logged_in(browser, server.url, "admin", f"#study?uuid={stored}")
    browser.wait_for("document.querySelector('.series-card')")
    assert browser.value("document.querySelector('.head .user').innerText.trim()") == "admin"


def test_out_and_in_again(browser: Browser, server: OurServer, stored: str) -> None:
    """The form takes the place of the page, which comes back as it was."""
    logged_in(browser, server.url, "admin", f"#study?uuid={stored}")
    browser.wait_for("document.querySelector('.series-card')")
    log_out(browser)
    judge(browser, "log-in")
    _give(browser, "admin", "wrong")
    browser.wait_for_text("Name or password is wrong.")
    _give(browser, "admin", "secret")
    browser.wait_for("document.querySelector('.series-card')")


def test_a_session_that_has_ended(browser: Browser, server: OurServer, stored: str) -> None:
    """The next thing that is asked for shows the form."""
    logged_in(browser, server.url, "admin")
    browser.wait_for("document.querySelector('tbody tr')")
    browser.call("Network.clearBrowserCookies")
    browser.click_on("tbody tr .column-StudyDate")
    browser.wait_for("document.querySelector('main.login input[type=password]')")
    _give(browser, "reader", "secret")
    browser.wait_for("document.querySelector('.series-card')")
    assert browser.value("document.querySelector('.head .user').innerText.trim()") == "reader"


def test_a_link_that_is_shared(browser: Browser, server: OurServer, stored: str) -> None:
    """It opens the study for who has not logged in, until it is ended."""
    logged_in(browser, server.url, "admin", f"#study?uuid={stored}")
    browser.wait_for("document.querySelector('.series-card')")
    browser.click("Share")
    choose(browser, "The link holds for", "1")
    press_button(browser, "Make a link")
    browser.wait_for(f"{field('Link')}?.value")
    browser.wait_for("document.querySelectorAll('.share li').length === 1")
    judge(browser, "share")
    link = browser.value(f"{field('Link')}.value")
    (known,) = httpx.get(f"{server.url}/studies/{stored}/share", auth=ADMIN).json()
    assert known["User"] == "admin"
    browser.call("Network.clearBrowserCookies")
    browser.open_led(link)
    browser.wait_for(f"location.hash === '#viewer?study={stored}'")
    browser.wait_for("document.querySelector('.viewer-corner')?.innerText")
    browser.call("Network.clearBrowserCookies")
    logged_in(browser, server.url, "admin", f"#study?uuid={stored}")
    browser.wait_for("document.querySelector('.series-card')")
    browser.click("Share")
    browser.click_on(".share li button")
    browser.wait_for("!document.querySelector('.share li')")
    browser.press("Escape")
    assert httpx.get(link).status_code == 404


@pytest.mark.parametrize(("name", "studies"), [("reader", 2), ("heart", 1)])
def test_what_may_not_be_done_is_not_offered(
    browser: Browser, server: OurServer, stored: str, name: str, studies: int
) -> None:
    """Nobody of the two may change labels: who sees some studies only by them does not choose."""
    logged_in(browser, server.url, name)
    browser.wait_for(f"document.querySelectorAll('tbody tr').length === {studies}")
    browser.open(f"{server.url}/app/explorer.html#study?uuid={stored}")
    browser.wait_for("document.querySelector('.label-editor .label')")
    assert not browser.value("document.querySelector('.label-editor :is(input, button)')")
    actions = "[...document.querySelectorAll('.resource-head .row > *')]"
    assert browser.value(f"{actions}.map((e) => e.innerText.trim())") == ["View", "Download"]
    browser.click("Studies")
    browser.wait_for("document.querySelector('tbody tr')")
    assert not browser.value("document.querySelector('.upload-files')")
    browser.open(f"{server.url}/app/explorer.html#study?uuid={stored}")
    browser.wait_for("document.querySelector('.label-editor .label')")
    judge(browser, f"study-{name}")


def test_who_only_administrates(browser: Browser, server: OurServer, stored: str) -> None:
    """Begins with the page for him, which works; studies are nothing that he sees."""
    known = {"AET": "GONE", "Host": "127.0.0.1", "Port": 9}
    httpx.put(f"{server.url}/modalities/gone", json=known, auth=ADMIN).raise_for_status()
    logged_in(browser, server.url, "keeper")
    browser.wait_for("document.querySelector('h1')?.innerText === 'Administration'")
    browser.wait_for_text("AE title")
    browser.wait_for("document.querySelector('button[aria-label=\"Test: gone\"]')")
    assert browser.value("[...document.querySelectorAll('nav a')].map((e) => e.innerText)") == [
        "Administration"
    ]
    assert browser.value("document.querySelector('nav a[aria-current]').innerText")
    assert not browser.value("document.querySelector('main .bad')")
    judge(browser, "administration-only")
    browser.value("document.querySelector('button[aria-label=\"Test: gone\"]').click()")
    browser.wait_for("document.querySelector('.toast.bad')?.innerText.includes('GONE')")
    browser.open(f"{server.url}/app/explorer.html#study?uuid={stored}")
    browser.wait_for_text("You may not see this page.")
    browser.click("Ward 8")
    browser.wait_for("document.querySelector('h1')?.innerText === 'Administration'")


@pytest.mark.parametrize(
    ("accepted", "language", "text"),
    [
        ("en-GB", "en", "Log in"),
        ("fr-CH,fr", "fr", "Se connecter"),
        ("ja,de", "de", "Anmelden"),
        ("es", "es", "Iniciar sesión"),
    ],
)
def test_the_form_speaks_the_language_of_the_browser(
    browser: Browser, server: OurServer, accepted: str, language: str, text: str
) -> None:
    agent = browser.value("navigator.userAgent")
    browser.call("Emulation.setUserAgentOverride", userAgent=agent, acceptLanguage=accepted)
    browser.open_led(f"{server.url}/app/explorer.html")
    browser.wait_for("document.querySelector('input[type=password]')")
    assert browser.value("document.querySelector('button').innerText") == text
    assert browser.value("document.documentElement.lang") == language
    _give(browser, "admin", "wrong")
    browser.wait_for("location.search.startsWith('?failed') && document.querySelector('form')")
    judge(browser, f"log-in-form-{language}")
    browser.call("Emulation.setUserAgentOverride", userAgent=agent, acceptLanguage="en")


def test_below_a_prefix(
    browser: Browser, server: OurServer, stored: str, needs_nginx: None, tmp_path: Path
) -> None:
    with nginx(tmp_path / "nginx", BELOW_A_PREFIX.format(server=server.url)) as url:
        logged_in(browser, f"{url}/orthanc", "admin", f"#study?uuid={stored}")
        browser.wait_for(
            "[...document.querySelectorAll('.series-card img')].some((image) => image.naturalWidth)"
        )
        browser.click("Studies")
        browser.wait_for("document.querySelector('tbody tr')")
