"""The web interface in a real browser: what its tests share."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
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


def field(label: str) -> str:
    """The expression of the field that has a label."""
    return (
        "[...document.querySelectorAll('label')]"
        f".find((label) => label.innerText.trim() === {json.dumps(label)})?.control"
    )


def fill(browser: Browser, label: str, text: str) -> None:
    """Writes into a field, over what is in it."""
    browser.wait_for(field(label))
    browser.value(f"(() => {{ const found = {field(label)}; found.focus(); found.select?.(); }})()")
    browser.write(text)


def choose(browser: Browser, label: str, value: str) -> None:
    """One of the values of a list."""
    browser.wait_for(field(label))
    browser.value(
        f"(() => {{ const found = {field(label)}; found.value = {json.dumps(value)};"
        " found.dispatchEvent(new Event('change', {bubbles: true})); })()"
    )


def tick(browser: Browser, label: str) -> None:
    """The check box of a label."""
    browser.wait_for(field(label))
    browser.value(f"{field(label)}.click()")


def press_button(browser: Browser, text: str) -> None:
    """The button of the dialog that is open, by the mouse."""
    name = json.dumps(text)
    browser.value(
        "[...document.querySelectorAll('[data-pressed]')]"
        ".forEach((each) => each.removeAttribute('data-pressed'))"
    )
    browser.wait_for(
        "[...document.querySelectorAll('dialog button:not(:disabled)')]"
        f".find((each) => each.innerText.trim() === {name})?.toggleAttribute('data-pressed', true)"
    )
    browser.click_on("[data-pressed]")


@contextmanager
def allowed(browser: Browser, *permissions: str, labels: list[str] | None = None) -> Iterator[None]:
    """Pages that are opened meanwhile are told that their user may do this and no more, where
    `labels` are named with the studies that have one of them."""
    session = {"Name": "reader", "Permissions": permissions, "Labels": labels}
    answer = json.dumps({**session, "Authenticated": True, "LoginAvailable": False})
    script = browser.call(
        "Page.addScriptToEvaluateOnNewDocument",
        source="const real = fetch; window.fetch = (address, ...more) => String(address)"
        f".endsWith('app/session') ? Promise.resolve(new Response({json.dumps(answer)}))"
        " : real(address, ...more);",
    )["identifier"]
    try:
        yield
    finally:
        browser.call("Page.removeScriptToEvaluateOnNewDocument", identifier=script)
