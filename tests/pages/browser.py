"""A headless Chromium that opens pages from disk, driven through its DevTools protocol.

What it writes to its console and every address that it asks for is kept, so that a test can say
that a page makes no error and lets nothing leave the machine.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)
PATIENCE_S = 30.0
ABSENT = "Chromium is not installed (Debian: apt-get install chromium), so no page was opened"


def chromium() -> str | None:
    """Where Chromium is."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@dataclass
class Page:
    """One tab; what went wrong in it, and what it asked for."""

    socket: ClientConnection
    faults: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    _number: int = 0

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """What the browser answers."""
        self._number += 1
        number = self._number
        self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv(timeout=PATIENCE_S))
            self._heard(message)
            if message.get("id") == number:
                assert "error" not in message, (method, message["error"])
                return message["result"]

    def open(
        self, path: Path, fragment: str = "", *, width: int = 1200, dark: bool = False
    ) -> None:
        """Opens a page in a window of that width and waits until it is loaded."""
        self.size(width, 900)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        for url in ("about:blank", path.resolve().as_uri() + fragment):
            self.call("Page.navigate", url=url)
            self.until(f"document.readyState === 'complete' && location.href === {json.dumps(url)}")

    def size(self, width: int, height: int) -> None:
        """The size of the window, as that of a telephone where it is narrow."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    def run(self, script: str) -> Any:
        """The value of an expression in the page; a promise is waited for."""
        told = self.call(
            "Runtime.evaluate",
            expression=script,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def until(self, script: str, what: str = "") -> Any:
        """Waits until an expression in the page is true, and returns it."""
        end = time.monotonic() + PATIENCE_S
        while not (value := self.run(script)):
            assert time.monotonic() < end, f"never came true: {what or script}; {self.faults}"
            time.sleep(0.03)
        return value

    def press(self, key: str, code: str = "", text: str = "") -> None:
        """Presses a key and lets it go."""
        numbers = {"Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39}
        numbers |= {"ArrowDown": 40, " ": 32, "Tab": 9, "/": 191}
        told = {"key": key, "code": code or key, "windowsVirtualKeyCode": numbers.get(key, 0)}
        words = text or {"Enter": "\r", " ": " ", "/": "/"}.get(key, "")
        kind = {"type": "keyDown", "text": words} if words else {"type": "rawKeyDown"}
        self.call("Input.dispatchKeyEvent", **kind, **told)
        self.call("Input.dispatchKeyEvent", type="keyUp", **told)

    def picture(self, path: Path, *, whole: bool = True) -> None:
        """Writes a screenshot of the page as PNG."""
        told = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(told["data"]))

    def _heard(self, message: dict[str, Any]) -> None:
        method, params = message.get("method"), message.get("params", {})
        if method == "Network.requestWillBeSent":
            self.asked.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.faults.append(json.dumps(params["exceptionDetails"])[:500])
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.faults.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
            self.faults.append(json.dumps(params["args"])[:500])

    @property
    def elsewhere(self) -> list[str]:
        """Addresses that are no files of this machine and no data."""
        own = ("file:", "data:", "blob:", "about:")
        return [url for url in self.asked if not url.startswith(own)]


@contextmanager
def browser() -> Iterator[Page]:
    """A tab of a browser of its own, which ends with the block."""
    program = chromium()
    assert program is not None, ABSENT
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        arguments = [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            with connect(_address(Path(profile)), max_size=None, compression=None) as socket:
                page = Page(socket)
                for domain in ("Page", "Runtime", "Network", "Log"):
                    page.call(f"{domain}.enable")
                yield page
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _address(profile: Path) -> str:
    """The address of the first tab, once the browser has said its port."""
    from urllib.request import urlopen

    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            port = (profile / "DevToolsActivePort").read_text().splitlines()[0]
            with urlopen(f"http://127.0.0.1:{port}/json/list", timeout=5) as answer:
                tabs = json.load(answer)
            return next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
        except (OSError, IndexError, StopIteration):
            time.sleep(0.05)
    raise AssertionError("Chromium did not start")
