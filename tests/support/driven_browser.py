"""A real browser that is used: keys, clicks, chosen files.

It is driven by the Chrome DevTools Protocol through two pipes (--remote-debugging-pipe), messages
of JSON that end with a zero.
"""

import base64
import fcntl
import json
import os
import select
import signal
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from support.browser import COMMAND

# Far more than a busy machine needs.
PATIENCE = 60.0
ARGUMENTS = [
    argument
    for argument in COMMAND
    if not argument.startswith(("--dump-dom", "--virtual-time-budget"))
]
# Windows' code of the key, and the text that it makes.
MODIFIERS = {"Alt": 1, "Control": 2, "Meta": 4, "Shift": 8}
KEYS = {
    "Tab": (9, ""),
    "Enter": (13, "\r"),
    "Escape": (27, ""),
    " ": (32, " "),
    "PageUp": (33, ""),
    "PageDown": (34, ""),
    "End": (35, ""),
    "Home": (36, ""),
    "ArrowLeft": (37, ""),
    "ArrowUp": (38, ""),
    "ArrowRight": (39, ""),
    "ArrowDown": (40, ""),
    "Delete": (46, ""),
    "a": (65, "a"),
    "/": (191, "/"),
}


class NoAnswer(AssertionError):
    """The browser or the page did not do what was waited for."""


class Browser:
    """One page, or several of which one is in front. Everything blocks until the browser has done
    it."""

    def __init__(self, profile: Path) -> None:
        self._profile = profile
        self._rest = b""
        self._last = 0
        self._session: str | None = None
        # Dialogs that pages have opened, all agreed to: the kind ("beforeunload") and the text.
        self.asked: list[tuple[str, str]] = []

    def __enter__(self) -> Self:
        theirs_in, self._to = os.pipe()
        self._from, theirs_out = os.pipe()
        # The browser reads from 3 and writes to 4, so the originals must lie above.
        source, target = (
            fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in (theirs_in, theirs_out)
        )
        log = os.open(f"{self._profile}.log", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._pid = os.posix_spawnp(
            ARGUMENTS[0],
            [*ARGUMENTS, "--remote-debugging-pipe", f"--user-data-dir={self._profile}"],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, log, 1),
                (os.POSIX_SPAWN_DUP2, log, 2),
                (os.POSIX_SPAWN_DUP2, source, 3),
                (os.POSIX_SPAWN_DUP2, target, 4),
            ],
            setpgroup=0,
        )
        for fd in (theirs_in, theirs_out, source, target, log):
            os.close(fd)
        try:
            self.new_tab()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._session = None
        try:
            self.call("Browser.close")
            while True:
                self._receive()
        except (NoAnswer, BrokenPipeError):  # it has ended, or does not answer
            os.killpg(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._to)
        os.close(self._from)

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """One command of the protocol and its result. Raises NoAnswer for an error."""
        number = self._send(method, parameters)
        while True:
            answer = self._receive()
            if answer.get("id") == number:
                if "error" in answer:
                    raise NoAnswer(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result
            # A page that is left while something goes on asks first, and waits for the answer.
            if answer.get("method") == "Page.javascriptDialogOpening":
                self.asked.append((answer["params"]["type"], answer["params"]["message"]))
                self._send("Page.handleJavaScriptDialog", {"accept": True})

    def _send(self, method: str, parameters: dict[str, object]) -> int:
        """Gives the number that the answer will have."""
        self._last += 1
        message: dict[str, Any] = {"id": self._last, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._to, data) :]
        return self._last

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            if not select.select([self._from], [], [], PATIENCE)[0]:
                raise NoAnswer("the browser says nothing")
            part = os.read(self._from, 1 << 16)
            if not part:
                raise NoAnswer(f"the browser has ended: see {self._profile}.log")
            self._rest += part
        message, self._rest = self._rest.split(b"\0", 1)
        found: dict[str, Any] = json.loads(message)
        return found

    def new_tab(self) -> str:
        """An empty page in front of the others, which are hidden then. What this gives,
        `show_tab` takes."""
        self._session = None
        page = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=page, flatten=True)
        tab: str = attached["sessionId"]
        self._session = tab
        self.call("Page.enable")  # tells of dialogs
        return tab

    @property
    def tab(self) -> str:
        """The one that is driven."""
        assert self._session is not None
        return self._session

    def show_tab(self, tab: str) -> None:
        """Brings it to the front; it is driven from now on."""
        self.drive_tab(tab)
        self.call("Page.bringToFront")

    def drive_tab(self, tab: str) -> None:
        """As `show_tab`, but it stays where it is."""
        self._session = tab

    def close_tab(self, tab: str) -> None:
        """`show_tab` another one then."""
        self.drive_tab(tab)
        self.call("Page.close")

    def value(self, expression: str) -> Any:
        """What a JavaScript expression is, as JSON."""
        found = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in found:
            raise NoAnswer(f"{expression}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def wait_for(self, expression: str) -> None:
        """Until the expression is true."""
        end = time.monotonic() + PATIENCE
        while not self.value(f"Boolean({expression})"):
            if time.monotonic() > end:
                shown = self.value("document.body.innerText + '\\n' + location.href")
                raise NoAnswer(f"{expression} did not become true; the page shows:\n{shown}")
            time.sleep(0.02)

    def wait_for_text(self, text: str) -> None:
        """Until the page shows it."""
        self.wait_for(f"document.body.innerText.includes({json.dumps(text)})")

    def open(self, url: str) -> None:
        """The page at `url`, loaded and its scripts run."""
        self._leave()
        self.call("Page.navigate", url=url)
        self.wait_for(f"location.href.startsWith({json.dumps(url)})")
        self.wait_for("document.readyState === 'complete'")

    def open_led(self, url: str) -> None:
        """As `open`, for an address from which the server leads on to another page."""
        self._leave()
        self.call("Page.navigate", url=url)
        self.wait_for("location.href !== 'about:blank' && document.readyState === 'complete'")

    def _leave(self) -> None:
        """To an empty page: where only the fragment differs nothing would be loaded.

        The way to the next page must begin behind this one: where the page that is left has a say
        in it, the browser would never come to its end.
        """
        self.call("Page.navigate", url="about:blank")
        self.wait_for("location.href === 'about:blank'")

    def press(self, *keys: str) -> None:
        """Keys one after the other, on what has the focus; `Shift+Tab` is one with another held."""
        for combined in keys:
            *held, key = combined.split("+")
            code, text = KEYS.get(key) or (ord(key.upper()), key)
            modifiers = sum(MODIFIERS[name] for name in held)
            text = "" if modifiers & ~MODIFIERS["Shift"] else text
            event = {"key": key, "code": key, "windowsVirtualKeyCode": code}
            event["modifiers"] = modifiers
            self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **event)
            self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def write(self, text: str) -> None:
        """Text into the field that has the focus."""
        self.call("Input.insertText", text=text)

    def click(self, text: str) -> None:
        """On the middle of the button or link that shows `text`."""
        self._click(
            "[...document.querySelectorAll('a, button')]"
            f".find((e) => e.innerText.trim() === {json.dumps(text)} && e.checkVisibility())"
        )

    def click_on(self, selector: str) -> None:
        """On the middle of the first element of a selector."""
        self._click(f"document.querySelector({json.dumps(selector)})")

    def _click(self, element: str) -> None:
        """Once it is there, and stays where it is from one frame to the next."""
        self.wait_for(element)
        x, y = self.value(
            "(async () => {"
            f"const found = {element};"
            "found.scrollIntoView({block: 'center'});"
            "const place = () => { const box = found.getBoundingClientRect();"
            " return [box.x + box.width / 2, box.y + box.height / 2]; };"
            "const frame = () => new Promise((go) => setTimeout(go, 20));"
            "let [before, now] = [null, place()];"
            "for (let n = 0; n < 50 && String(before) !== String(now); n++) {"
            " await frame(); [before, now] = [now, place()]; }"
            "return now; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def turn_wheel(self, selector: str, down: float) -> None:
        """On the middle of an element, by so many pixels."""
        x, y = self.value(
            f"(() => {{ const box = document.querySelector({json.dumps(selector)})"
            ".getBoundingClientRect();"
            "return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        self.call("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=down)

    def move(self, x: float, y: float) -> None:
        """The mouse to a place of the window, no button held."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def drag(
        self, start: tuple[float, float], end: tuple[float, float], button: str = "left"
    ) -> None:
        """From one place of the window to another, with a button of the mouse held."""
        held: dict[str, object] = {"button": button, "clickCount": 1}
        bits = {"left": 1, "right": 2, "middle": 4}[button]
        self.call("Input.dispatchMouseEvent", type="mousePressed", x=start[0], y=start[1], **held)
        for x, y in (((start[0] + end[0]) / 2, (start[1] + end[1]) / 2), end):
            self.call(
                "Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y, button=button, buttons=bits
            )
        self.call("Input.dispatchMouseEvent", type="mouseReleased", x=end[0], y=end[1], **held)

    def before_each_page(self, script: str) -> str:
        """A script that runs before those of every page. What this gives, `forget_script` takes."""
        added = self.call("Page.addScriptToEvaluateOnNewDocument", source=script)
        identifier: str = added["identifier"]
        return identifier

    def forget_script(self, identifier: str) -> None:
        self.call("Page.removeScriptToEvaluateOnNewDocument", identifier=identifier)

    def resize(self, width: int, height: int, is_phone: bool = False) -> None:
        """The window, or the screen of a telephone."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if is_phone else 1,
            mobile=is_phone,
        )

    def prefer(self, scheme: str) -> None:
        """`dark` or `light`, as the system of the person would say."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def screenshot(self, path: Path) -> None:
        """What is seen, as PNG."""
        shown = self.call("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(shown))

    def hold_over(self, *paths: Path) -> None:
        """Files and folders dragged over the middle of the page, still held."""
        self._drag("dragEnter", *paths)
        self._drag("dragOver", *paths)

    def drop(self, *paths: Path) -> None:
        """Files and folders let go over the middle of the page."""
        self.hold_over(*paths)
        self._drag("drop", *paths)

    def _drag(self, kind: str, *paths: Path) -> None:
        x, y = self.value("[innerWidth / 2, innerHeight / 2]")
        data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
        self.call("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)

    def block(self, *patterns: str) -> None:
        """Requests to these addresses fail as without a network; none allows all again."""
        self.call("Network.enable")
        self.call("Network.setBlockedURLs", urls=list(patterns))

    def save_into(self, folder: Path) -> None:
        """Where downloads go from now on."""
        folder.mkdir(exist_ok=True)
        self._downloads = folder
        self.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(folder))

    def saved(self, name: str) -> Path:
        """The download of that name, once it is complete."""
        end = time.monotonic() + PATIENCE
        while not (self._downloads / name).exists():
            if time.monotonic() > end:
                raise NoAnswer(f"no {name} among {list(self._downloads.iterdir())}")
            time.sleep(0.02)
        return self._downloads / name

    def choose_files(self, selector: str, *paths: Path) -> None:
        """What a person does in the dialog of a file input."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", files=[str(path) for path in paths], nodeId=node)

    @property
    def focus(self) -> str:
        """Text, label or identifier of the element with the focus."""
        found: str = self.value(
            "((e) => (e.tagName !== 'SELECT' && e.innerText?.trim())"
            " || e.labels?.[0]?.innerText.trim() || e.id || e.tagName)"
            "(document.activeElement)"
        )
        return found

    def tab_to(self, name: str) -> None:
        """The Tab key until the focus is there. Raises NoAnswer where it never gets."""
        passed = []
        while self.focus != name:
            passed.append(self.focus)
            if len(passed) > 60:
                raise NoAnswer(f"Tab does not lead to {name!r} but to {passed}")
            self.press("Tab")
