"""Commands of the live page in a real run."""

import asyncio
import json
import os
import re
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from pose_rig.session.reader import Session
from pose_rig.wire.messages import Command, Pose3D
from pose_rig.wire.records import Marker
from tests.web.https_client import https_client

DEADLINE_S = 60


class Page:
    """The live page of a run, with buttons."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, run: asyncio.subprocess.Process) -> None:
        self._socket, self._run, self._number = socket, run, 0
        self.printed: list[str] = []

    async def ask(self, name: str, value: object = None) -> dict[str, Any]:
        """Sends a command, and returns the answer."""
        self._number += 1
        await self._socket.send_json({"type": "command", "id": self._number, "name": name, "value": value})
        return await self.until("answer", bool)

    async def until(self, kind: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Returns the next wanted message of a type."""
        while True:
            message = await self._socket.receive()
            assert message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY), message
            if message.type is aiohttp.WSMsgType.TEXT:
                content: dict[str, Any] = json.loads(message.data)
                if content["type"] == kind and wanted(content):
                    return content

    async def until_printed(self, pattern: str) -> str:
        """Returns the next line of the run's output that matches."""
        assert self._run.stdout is not None
        while line := (await self._run.stdout.readline()).decode():
            self.printed.append(line)
            if re.search(pattern, line):
                return line
        raise AssertionError("".join(self.printed))


@asynccontextmanager
async def live_page(folder: Path) -> AsyncIterator[Page]:
    """Starts a run of three simulated cameras, and opens its page."""
    run = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pose_rig", "run", "--cams", "sim:3", "--view", "--web-port", "0", "--port", "0",
        "--headless", cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(Path(__file__).parents[3]), "COLUMNS": "250"},
    )  # fmt: skip
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    try:
        async with https_client(trusting) as client:
            page = Page(None, run)  # type: ignore[arg-type]  # until its address is printed
            address = (await page.until_printed("with buttons: https")).split()[-1]
            await page.until_printed("Mode solved")
            origin = "/".join(address.split("/")[:3])
            page._socket = await client.ws_connect(address + "socket", origin=origin)
            yield page
            await page._socket.close()
    finally:
        if run.returncode is None:
            run.terminate()
        await run.wait()


def test_a_take_is_recorded_marked_and_ended_from_the_page(tmp_path: Path) -> None:
    async def run() -> list[str]:
        async with asyncio.timeout(DEADLINE_S), live_page(tmp_path) as page:
            assert (await page.ask("marker"))["ok"]
            await page.until_printed("Nothing is recorded")
            await page.ask("record")
            await page.until_printed("Recording to .*take-.*mcap")
            await page.ask("record")
            await page.until_printed("A recording is running already")
            await page.until("status", lambda status: "take-" in str(status["recording"]))
            await page.ask("height", 1.9)
            await page.until_printed("height is set to 1.9 m")
            await page.until("rig", lambda rig: rig["height_m"] == 1.9)
            await page.ask("marker")
            await page.until_printed("Marker 1 at")
            await page.ask("stop-recording")
            await page.until_printed("The recording ends")
            await page.until("status", lambda status: not status["recording"]["on"])
            await page.ask("stop")
            await page.until_printed("height 1.90 m")  # in the summary
            return page.printed

    asyncio.run(run())
    (take,) = tmp_path.glob("take-*.mcap")
    with Session(take) as session:
        messages = list(session.messages())
    poses = [message for message in messages if isinstance(message, Pose3D)]
    assert {pose.mode for pose in poses} == {"solved"}
    assert (poses[0].height_assumed, poses[-1].height_m) == (True, 1.9)
    assert sum(isinstance(message, Marker) for message in messages) == 1
    commands = [message.name for message in messages if isinstance(message, Command)]
    assert commands == ["height", "stop-recording"]
