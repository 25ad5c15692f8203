"""The web interface in a browser, before a store of a million studies.

Times are those of the page itself, from the moment at which it was asked for, or a key or the mouse
was pressed, to the frame after which the result is seen.
"""

import json
from pathlib import Path
from statistics import median

from support.driven_browser import Browser
from support.server import OurServer

from bench import million, population
from orthanc_fast.services.store.opening import INDEX_FOLDER

STUDIES = 1_000_000
FIRST_LIST_GOAL = 300  # milliseconds

# Says when an expression became true and was painted, on the clock of the page.
WATCH = """
window.seen = (isThere) => new Promise((resolve) => {
  const look = () => isThere()
    ? requestAnimationFrame(() => setTimeout(() => resolve(performance.now())))
    : requestAnimationFrame(look);
  look();
});
window.firstList = seen(() => document.querySelector("tbody tr"));
"""
ROWS = "document.querySelector('[aria-busy=false] tbody').innerText"


def run(folder: Path, rounds: int, quick: bool) -> list[str]:
    """Lines for the report."""
    amount = STUDIES // 50 if quick else STUDIES
    million.fill(folder / "ours" / "storage" / INDEX_FOLDER, amount, population.PER_STUDY)
    options = {"IndexMapSizeGB": 64, "IndexJournalSizeMB": 64, "StableAge": 1_000_000_000}
    server = OurServer(folder / "ours", options)
    with server, Browser(folder / "profile") as browser:
        browser.resize(1440, 900)
        browser.call("Page.enable")
        browser.call("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
        page = f"{server.url}/app/explorer.html"
        cold = [_first_list(browser, page, is_cold=True) for _ in range(rounds)]
        warm = [_first_list(browser, page, is_cold=False) for _ in range(rounds)]
        order = [_changed(browser, _pressed(".column-PatientName button")) for _ in range(rounds)]
        typed = [_changed(browser, _written(name)) for name in ("tanaka", "okafor1", "zo", "smith")]
    return [
        f"{amount:,} studies, medians in ms:",
        f"first list {median(cold):.0f} with nothing kept by the browser, {median(warm):.0f} when "
        f"it comes again (goal: {FIRST_LIST_GOAL})",
        f"sorted by another column {median(order):.0f}",
        f"a part of a name, from the last key on {median(typed):.0f}, of which the page waits 180 "
        "for another key",
    ]


def _first_list(browser: Browser, page: str, is_cold: bool) -> float:
    browser.call("Network.enable")
    if is_cold:
        browser.call("Network.clearBrowserCache")
    browser.open(page)
    return float(browser.value("firstList"))


def _changed(browser: Browser, act: str) -> float:
    """Milliseconds from doing something until the list is another one."""
    return float(
        browser.value(
            f"(async () => {{ const rows = () => {ROWS}; const before = rows();"
            f"const start = performance.now(); {act};"
            "await seen(() => { const list = document.querySelector('[aria-busy=false] tbody');"
            " return list && list.innerText !== before; });"
            "return performance.now() - start; })()"
        )
    )


def _pressed(selector: str) -> str:
    return f"document.querySelector({json.dumps(selector)}).click()"


def _written(text: str) -> str:
    return (
        "{ const field = document.querySelector('input[type=search]');"
        f"field.value = {json.dumps(text)};"
        "field.dispatchEvent(new Event('input', {bubbles: true})); }"
    )
