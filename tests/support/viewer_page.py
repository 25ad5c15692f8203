"""The viewer in a browser, as its tests use it: where the picture is, and what it shows."""

import base64
import io
import json
import re

import httpx
import numpy as np
from PIL import Image
from support.driven_browser import Browser
from support.server import OurServer

STAGE = ".viewer-stage"
# Violations of the policy and errors of scripts are kept in `faults`.
WATCH = """window.faults = [];
document.addEventListener('securitypolicyviolation',
  (e) => faults.push(e.violatedDirective + ' ' + e.blockedURI));
addEventListener('error', (e) => faults.push(String(e.message)));
addEventListener('unhandledrejection', (e) => faults.push(String(e.reason)));"""


def upload(server: OurServer, files: list[bytes]) -> str:
    """Stores the files; the identifier of the series of the last one."""
    series = ""
    for each in files:
        answer = httpx.post(f"{server.url}/instances", content=each).raise_for_status()
        series = answer.json()["ParentSeries"]
    return series


def open_series(server: OurServer, browser: Browser, series: str) -> None:
    """Until its first picture can be seen."""
    browser.open(f"{server.url}/app/explorer.html#viewer?series={series}")
    browser.wait_for("document.querySelector('.viewer-corner')?.innerText !== undefined")
    wait_for_annotation(browser, "Zoom ")


def annotations(browser: Browser) -> str:
    shown: str = browser.value(
        "[...document.querySelectorAll('.viewer-corner')].map((e) => e.innerText).join('\\n')"
    )
    return shown


def wait_for_annotation(browser: Browser, text: str) -> None:
    browser.wait_for(
        "[...document.querySelectorAll('.viewer-corner')]"
        f".some((e) => e.innerText.includes({json.dumps(text)}))"
    )


def letters(browser: Browser) -> str:
    """At the top, at the right, at the bottom and at the left."""
    shown: str = browser.value(
        "[...document.querySelectorAll('.viewer-letters span')].map((e) => e.innerText).join(' ')"
    )
    return shown


def zoom(browser: Browser) -> float:
    found = re.search(r"Zoom ([\d,]+)", annotations(browser))
    assert found is not None
    return float(found[1].replace(",", "")) / 100


def place_of(
    browser: Browser, columns: int, rows: int, aspect: float, column: float, row: float
) -> tuple[float, float]:
    """Where a point of an image, seen whole and upright, lies in the window."""
    left, top, width, height = box(browser)
    scale = min(width / columns, height / (rows * aspect))
    x = left + width / 2 + (column - columns / 2) * scale
    y = top + height / 2 + (row - rows / 2) * scale * aspect
    return x, y


def box(browser: Browser, selector: str = STAGE) -> tuple[float, float, float, float]:
    """Left, top, width and height of an element."""
    found: list[float] = browser.value(
        f"(() => {{ const box = document.querySelector('{selector}').getBoundingClientRect();"
        "return [box.x, box.y, box.width, box.height]; })()"
    )
    return found[0], found[1], found[2], found[3]


def canvas(browser: Browser) -> "np.ndarray":
    """What is on the canvas when the browser has shown it: rows, columns, red green blue."""
    url: str = browser.value(
        "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() =>"
        f"done(document.querySelector('{STAGE} canvas').toDataURL()))))"
    )
    data = base64.b64decode(url.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def shown_image(browser: Browser, columns: int, rows: int) -> "np.ndarray":
    """The image itself, where one pixel of it is one of the screen, and the stage larger."""
    whole = canvas(browser)
    height, width = whole.shape[:2]
    # As the viewer rounds: half a pixel goes up.
    left, top = int((width - columns) / 2 + 0.5), int((height - rows) / 2 + 0.5)
    return whole[top : top + rows, left : left + columns]


def rendered(server: OurServer, path: str) -> "np.ndarray":
    """A picture of the server: rows, columns, red green blue."""
    answer = httpx.get(f"{server.url}/{path}").raise_for_status()
    return np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB"))
