"""The web interface in a real browser: what its tests share."""

import os
from pathlib import Path
from typing import Any

from support import npm
from support.driven_browser import Browser

# A folder for pictures of the pages, to be looked at.
SCREENSHOTS = os.environ.get("WEB_SCREENSHOTS")
THEMES = ("light", "dark")
DESK = (1440, 900)
TELEPHONE = (390, 844)


def picture(browser: Browser, name: str) -> None:
    """Into the folder of WEB_SCREENSHOTS, where there is one."""
    if SCREENSHOTS is not None:
        folder = Path(SCREENSHOTS)
        folder.mkdir(parents=True, exist_ok=True)
        browser.screenshot(folder / f"{name}.png")


def faults(browser: Browser) -> list[str]:
    """What axe-core has to say against the page as it is shown now."""
    if not browser.value("'axe' in window"):
        browser.value((npm.package(npm.AXE) / "axe.min.js").read_text() + "; 0")
    found: list[dict[str, Any]] = browser.value(
        "axe.run({resultTypes: ['violations']}).then((found) => found.violations.flatMap("
        "({id, help, nodes}) => nodes.map(({target, any, all, none}) => ({id, help, target,"
        " why: [...any, ...all, ...none].map(({message}) => message)}))))"
    )
    return [f"{each['id']}: {each['help']}: {each['target']} {each['why']}" for each in found]


def _no_faults(browser: Browser) -> None:
    found = faults(browser)
    assert not found, "\n".join(found)


def judge(browser: Browser, name: str) -> None:
    """In both themes and on a telephone: nothing to complain of, nothing wider than the screen."""
    try:
        for theme in THEMES:
            browser.prefer(theme)
            _no_faults(browser)
            picture(browser, f"{name}-{theme}")
        browser.prefer("light")
        browser.resize(*TELEPHONE, is_phone=True)
        assert browser.value("document.documentElement.scrollWidth") <= TELEPHONE[0]
        _no_faults(browser)
        picture(browser, f"{name}-telephone")
    finally:
        browser.resize(*DESK)
