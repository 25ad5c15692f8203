"""The viewer in Chromium, measured through the DevTools protocol: how soon it shows
a CT, and what a step of scrolling costs the page."""

from pathlib import Path
from statistics import median

import httpx
from support import generated
from support.driven_browser import Browser
from support.server import OurServer

SLICES = 200
WINDOW = (1440, 900)
OPENS = 500  # milliseconds that the click may take, and the main thread a step
STEP = 16

# From the click to the picture after which the middle of the canvas is not black any more.
WATCH = """addEventListener('click', () => {
  const clicked = performance.now();
  const probe = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
  window.shown = window.complete = 0;
  const look = () => {
    const canvas = document.querySelector('.viewer-stage canvas');
    if (!window.shown && canvas && canvas.width > 1) {
      probe.drawImage(canvas, canvas.width / 2, canvas.height / 2, 1, 1, 0, 0, 1, 1);
      if (probe.getImageData(0, 0, 1, 1).data[0] > 0) window.shown = performance.now() - clicked;
    }
    const annotations = document.querySelector('.viewer-corner.bottom.left')?.innerText ?? '';
    const isComplete = window.shown && !annotations.includes('loaded');
    if (isComplete) window.complete = performance.now() - clicked;
    else requestAnimationFrame(look);
  };
  look();
}, true);"""

SCROLL = """(async () => {
  for (let step = 0; step < %d; step++) {
    dispatchEvent(new KeyboardEvent('keydown', {key: step %% 100 < 50 ? 'ArrowDown' : 'ArrowUp'}));
    await new Promise(requestAnimationFrame);
  }
})()"""


def viewer(folder: Path, quick: bool) -> list[str]:
    """Lines about a CT of 200 slices of 512 x 512."""
    with OurServer(folder / "server") as server:
        study = _store(server)
        cold = [
            _opened(server, folder / f"cold-{number}", study, 1)[0]
            for number in range(1 if quick else 3)
        ]
        warm = _opened(server, folder / "warm", study, 2 if quick else 6)[1:]
        cost = _scrolled(server, folder / "scrolled", study, 50 if quick else 200)
    lines = []
    for name, found in (("with an empty cache", cold), ("again", warm)):
        shown, complete = (median(column) for column in zip(*found, strict=True))
        lines.append(
            f"viewer, {SLICES} slices of 512 x 512, {name}: first pixels {shown:.0f} ms after the "
            f"click (goal: {OPENS}), all slices {complete:.0f} ms"
        )
    lines.append(f"scrolling by a slice: {cost:.1f} ms of the main thread (goal: {STEP})")
    return lines


def _store(server: OurServer) -> str:
    template = generated.ct_slice()
    with httpx.Client(base_url=server.url, timeout=60) as http:
        for number in range(SLICES):
            stored = http.post("/instances", content=template.number(1, 1, 1, number)).json()
    study: str = stored["ParentStudy"]
    return study


def _page(browser: Browser, server: OurServer, study: str) -> None:
    browser.open(f"{server.url}/app/explorer.html#study?uuid={study}")
    browser.wait_for_text("View")


def _opened(server: OurServer, profile: Path, study: str, times: int) -> list[tuple[float, float]]:
    """Milliseconds from the click to the first pixels, and to the last slice."""
    found = []
    with Browser(profile) as browser:
        browser.resize(*WINDOW)
        browser.before_each_page(WATCH)
        _page(browser, server, study)
        for _ in range(times):
            browser.click("View")
            browser.wait_for("window.complete")
            shown, complete = browser.value("[window.shown, window.complete]")
            found.append((shown, complete))
            browser.value("history.back()")
            browser.wait_for("!document.querySelector('.viewer')")
            browser.wait_for_text("View")
    return found


def _scrolled(server: OurServer, profile: Path, study: str, steps: int) -> float:
    """Milliseconds of CPU time of the page's main thread for each step."""
    with Browser(profile) as browser:
        browser.resize(*WINDOW)
        browser.before_each_page(WATCH)
        _page(browser, server, study)
        browser.click("View")
        browser.wait_for("window.complete")
        browser.call("Performance.enable", timeDomain="threadTicks")
        before = _task_seconds(browser)
        browser.value(SCROLL % steps)
        return (_task_seconds(browser) - before) * 1e3 / steps


def _task_seconds(browser: Browser) -> float:
    metrics = browser.call("Performance.getMetrics")["metrics"]
    found: float = next(each["value"] for each in metrics if each["name"] == "TaskDuration")
    return found
