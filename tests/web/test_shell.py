"""What every page of the web interface stands in: addresses, languages, colours, keys."""

import httpx
import pytest
from support import generated
from support.driven_browser import Browser
from support.server import OurServer
from support.web_ui import judge

FILES = generated.small()
BACKGROUND = "getComputedStyle(document.documentElement).backgroundColor"


@pytest.fixture(scope="module", autouse=True)
def stored(server: OurServer) -> None:
    httpx.post(f"{server.url}/instances", content=FILES.number(1, 1, 1, 1)).raise_for_status()


@pytest.fixture(autouse=True)
def shown(server: OurServer, browser: Browser) -> None:
    """The front page of somebody who comes for the first time."""
    browser.open(f"{server.url}/")
    browser.value("localStorage.clear()")
    browser.open(f"{server.url}/")
    browser.wait_for_text("Ward 7")
    browser.wait_for("document.querySelector('tbody tr')")


def choose(browser: Browser, item: str) -> None:
    browser.click_on("button[aria-label=Settings]")
    browser.click(item)


def test_nothing_to_complain_of(browser: Browser) -> None:
    browser.click_on("button[aria-label=Settings]")
    browser.wait_for("document.querySelector('[role=menu]')")
    judge(browser, "settings")


@pytest.mark.parametrize(
    ("language", "tag", "studies"),
    [("Français", "fr", "Études"), ("Deutsch", "de", "Studien"), ("Español", "es", "Estudios")],
)
def test_languages_are_chosen_and_remembered(
    server: OurServer, browser: Browser, language: str, tag: str, studies: str
) -> None:
    choose(browser, language)
    browser.wait_for_text(studies)
    assert browser.value("document.documentElement.lang") == tag
    browser.open(f"{server.url}/app/explorer.html")
    browser.wait_for_text(studies)


def test_the_language_is_that_of_the_browser(server: OurServer, browser: Browser) -> None:
    agent = browser.value("navigator.userAgent")
    try:
        browser.call(
            "Emulation.setUserAgentOverride", userAgent=agent, acceptLanguage="it,de-AT,en"
        )
        browser.open(f"{server.url}/app/explorer.html")
        browser.wait_for_text("Studien")
    finally:
        browser.call("Emulation.setUserAgentOverride", userAgent=agent, acceptLanguage="en-US,en")


def test_colours_follow_the_system_until_they_are_chosen(
    server: OurServer, browser: Browser
) -> None:
    browser.prefer("light")
    light = browser.value(BACKGROUND)
    browser.prefer("dark")
    dark = browser.value(BACKGROUND)
    assert dark != light
    choose(browser, "Light")
    assert browser.value(BACKGROUND) == light
    browser.open(f"{server.url}/app/explorer.html")
    browser.wait_for_text("Ward 7")
    assert browser.value(BACKGROUND) == light
    browser.prefer("light")
    choose(browser, "Dark")
    assert browser.value(BACKGROUND) == dark


def test_a_menu_is_used_by_keys(browser: Browser) -> None:
    browser.value("document.querySelector('button[aria-label=Settings]').focus()")
    browser.press("ArrowDown")
    browser.wait_for("document.activeElement.innerText === 'As the system'")
    browser.press("ArrowDown", "ArrowDown")
    assert browser.focus == "Dark"
    browser.press("Home", "ArrowUp")
    assert browser.focus == "REST API"
    browser.press("Escape")
    browser.wait_for("!document.querySelector('[role=menu]')")
    assert browser.value("document.activeElement.ariaLabel") == "Settings"


def test_an_unknown_address(server: OurServer, browser: Browser) -> None:
    browser.open(f"{server.url}/app/explorer.html#nowhere?x=1")
    browser.wait_for_text("There is no such page.")
    judge(browser, "unknown-page")
    browser.click("To the studies")
    browser.wait_for("document.querySelector('tbody tr')")
    assert browser.focus != "To the studies"


def test_the_skip_link_keeps_the_page(server: OurServer, browser: Browser) -> None:
    browser.open(f"{server.url}/app/explorer.html#studies?x=1")
    browser.wait_for("document.querySelector('tbody tr')")
    browser.press("Tab")
    assert browser.focus == "Skip to the content"
    browser.press("Enter")
    browser.wait_for("document.activeElement.id === 'main'")
    assert browser.value("location.hash") == "#studies?x=1"
