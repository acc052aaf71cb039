"""Headless Chromium, driven by the DevTools protocol."""

import base64
import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

START_S = 120.0  # on a busy machine Chromium needs 40 s until it listens
WAIT_S = 120.0
STEP_S = 0.05
DRIVER = "GL Driver Message"
FLAGS = (
    "--headless=new", "--no-sandbox", "--remote-debugging-port=0", "--no-first-run", "--disable-extensions",
    "--disable-background-networking", "--disable-component-update", "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist", "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream", "--ignore-certificate-errors", "--mute-audio", "--hide-scrollbars",
    "--enable-precise-memory-info", "--disable-dev-shm-usage", "--disable-renderer-backgrounding",
    "--disable-background-timer-throttling", "--disable-backgrounding-occluded-windows",
)  # fmt: skip


class DevToolsError(Exception):
    """Chromium could not do what it was asked for."""


class Tab:
    """A page in Chromium.

    Attributes:
        requests: Addresses that it requested.
        complaints: Errors and warnings on its console, and uncaught exceptions; not those of the graphics driver, which
            names what is slow.
    """

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._ids = socket, itertools.count(1)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Calls a method of the DevTools protocol and returns its result; raises a DevToolsError."""
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv(timeout=START_S))
            if message.get("id") == number:
                if "error" in message:
                    raise DevToolsError(message["error"]["message"])
                return dict(message["result"])
            self._note(message)

    def open(self, address: str) -> None:
        """Opens an address."""
        self.call("Page.navigate", url=address)

    def resize(self, width: int, height: int, *, scale: float = 1.0, dark: bool = False) -> None:
        """Sets the size of the page (px), its pixel ratio and the colour scheme of the system."""
        mobile = width < 600
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=mobile
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def run(self, script: str) -> Any:
        """Returns the value of an expression; promises are awaited."""
        done = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def wait(self, script: str, within_s: float = WAIT_S) -> Any:
        """Returns the value of an expression once it is true; errors, as of a page that loads, count as false."""
        script = f"(() => {{ try {{ return {script}; }} catch {{ return false; }} }})()"
        deadline = time.monotonic() + within_s
        while not (value := self._value(script)):
            assert time.monotonic() < deadline, f"{script} is still {value!r}; the console: {self.complaints}"
            time.sleep(STEP_S)
        return value

    def _value(self, script: str) -> Any:
        """Returns the value of an expression, None while the page is being replaced."""
        try:
            return self.run(script)
        except DevToolsError:
            return None

    def screenshot(self, path: Path | None = None, *, whole: bool = False) -> bytes:
        """Returns a PNG of the page, and writes it."""
        image = base64.b64decode(self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"])
        if path is not None:
            path.write_bytes(image)
        return image

    def _note(self, message: dict[str, Any]) -> None:
        if DRIVER in json.dumps(message):
            return
        params = message.get("params", {})
        if message.get("method") == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif message.get("method") == "Network.webSocketCreated":
            self.requests.append(params["url"])
        elif message.get("method") == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description") or details["text"])
        elif message.get("method") == "Runtime.consoleAPICalled" and params["type"] in {"error", "warning", "assert"}:
            self.complaints.append(" ".join(str(arg.get("value", arg.get("description"))) for arg in params["args"]))
        elif message.get("method") == "Log.entryAdded" and params["entry"]["level"] in {"error", "warning"}:
            self.complaints.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")


@contextmanager
def chromium(folder: Path, *flags: str) -> Iterator[Callable[[], Tab]]:
    """Starts Chromium with a profile in a folder; yields a function that returns a new tab. Skips if there is none."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("needs Chromium")
    command = [browser, *FLAGS, *flags, f"--user-data-dir={folder}", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        root = _endpoint(folder / "DevToolsActivePort", process)
        with ExitStack() as sockets:
            main = sockets.enter_context(connect(root, max_size=None, open_timeout=START_S, close_timeout=0.1))

            def tab() -> Tab:
                main.send(json.dumps({"id": 1, "method": "Target.createTarget", "params": {"url": "about:blank"}}))
                target = json.loads(main.recv(timeout=START_S))["result"]["targetId"]
                address = f"{root.rsplit('/devtools/', 1)[0]}/devtools/page/{target}"
                return Tab(
                    sockets.enter_context(connect(address, max_size=None, open_timeout=START_S, close_timeout=0.1))
                )

            yield tab
            main.send(json.dumps({"id": 2, "method": "Browser.close"}))
            with suppress(subprocess.TimeoutExpired):  # then it is killed
                process.wait(10)
    finally:
        process.kill()
        process.wait()


def until(condition: Callable[[], bool], within_s: float = WAIT_S) -> None:
    """Waits until something is so."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(STEP_S)


def _endpoint(file: Path, process: subprocess.Popen[bytes]) -> str:
    """Returns the address of the browser's DevTools socket as soon as it listens."""
    deadline = time.monotonic() + START_S
    while not file.exists() or len(lines := file.read_text().splitlines()) < 2:
        assert process.poll() is None, "Chromium ended at its start"
        assert time.monotonic() < deadline, "Chromium does not listen"
        time.sleep(STEP_S)
    return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
