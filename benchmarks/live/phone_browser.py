"""Headless Chromium as a phone: its camera plays a clip, and it opens the page for phones."""

import itertools
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from websockets.sync.client import ClientConnection, connect

START_S = 60.0
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-extensions", "--mute-audio",
    "--disable-background-networking", "--disable-component-update", "--remote-debugging-port=0",
    "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", "--ignore-certificate-errors",
)  # fmt: skip


class PhoneBrowser:
    """A browser with one tab; leaving its context ends it.

    Args:
        clip: What its camera plays, again and again: a Y4M file, at its own frame rate.
    """

    def __init__(self, clip: Path) -> None:
        browser = shutil.which("chromium") or shutil.which("google-chrome")
        if browser is None:
            raise SystemExit("This benchmark needs Chromium.")
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        profile = Path(self._folder.name)
        camera = f"--use-file-for-fake-video-capture={clip}"
        command = [browser, *FLAGS, camera, f"--user-data-dir={profile}", "about:blank"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._ids = itertools.count(1)
        self._socket = self._tab(profile / "DevToolsActivePort")
        self._call("Page.enable")

    def open(self, address: str, settings: dict[str, str]) -> None:
        """Opens the page for phones with its settings, ready to start."""
        self._call("Page.navigate", url=address)
        self.wait("document.getElementById('start') !== null && document.readyState === 'complete'")
        for name, value in settings.items():
            self.run(f"localStorage.setItem({f'phone-{name}'!r}, {value!r})")
        self.reload()

    def reload(self) -> None:
        """Loads the page again."""
        self.run("window.before = true")
        self._call("Page.reload")
        self.wait("!window.before && document.getElementById('start') && document.readyState === 'complete'")

    def start(self) -> None:
        """Presses the button that starts the camera."""
        self.run("document.getElementById('start').click()")

    def run(self, script: str) -> Any:
        """Returns the value of an expression."""
        done = self._call("Runtime.evaluate", expression=script, returnByValue=True, userGesture=True)
        return done["result"].get("value")

    def wait(self, script: str) -> None:
        """Waits until an expression is true."""
        deadline_s = time.monotonic() + START_S
        while not self.run(f"(() => {{ try {{ return !!({script}); }} catch {{ return false; }} }})()"):
            if time.monotonic() > deadline_s:
                raise SystemExit(f"In the browser, {script} is not true after {START_S:g} s.")
            time.sleep(0.1)

    def kill(self) -> None:
        """Ends it as a crash does."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self._folder.cleanup()

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv(timeout=START_S))
            if message.get("id") == number:
                return dict(message["result"])

    def _tab(self, file: Path) -> ClientConnection:
        """Returns the DevTools connection of the tab."""
        deadline_s = time.monotonic() + START_S
        while not file.exists() or len(lines := file.read_text().splitlines()) < 2:
            if time.monotonic() > deadline_s:
                raise SystemExit("Chromium does not start.")
            time.sleep(0.1)
        root = f"ws://127.0.0.1:{lines[0]}"
        with connect(f"{root}{lines[1]}", max_size=None) as main:
            main.send(json.dumps({"id": 1, "method": "Target.createTarget", "params": {"url": "about:blank"}}))
            target = json.loads(main.recv(timeout=START_S))["result"]["targetId"]
        return connect(f"{root}/devtools/page/{target}", max_size=None, close_timeout=0.1)
