"""What the web worker costs: without a page, with pages, and with phones; and what reaches a page meanwhile.

    python -m benchmarks.live.web_load

The cameras are simulated, poses are computed 60 times a second. Cost is processor time of the web worker per second.
Phones are clients in this process that send a JPEG of 640×480, 60 kB, as fast as they are asked to.
"""

import argparse
import asyncio
import threading
import time
from pathlib import Path

import aiohttp
import cv2
import msgspec
import numpy as np

from benchmarks.contract import Report, parser, rss_mb
from benchmarks.live_run import StatusDisplay, simulated_cameras
from pose_rig.config import PHONE, CameraConfig, Config
from pose_rig.tools.terminal.run_loop import Run
from pose_rig.tools.terminal.status import RunStatus
from pose_rig.tools.workers.plan import Plan, plan
from pose_rig.web.network import url
from pose_rig.web.phone_messages import HEADER
from pose_rig.wire.services import WEB

SIZE = (640, 480)
SETTLE_S = 3.0


def cpu_s(pid: int) -> float:
    """Returns the processor time of a process so far; Linux."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


class Page:
    """A page that is open: counts what it receives.

    Attributes:
        received_s: When each frame was received.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self.received_s: list[float] = []

    async def run(self) -> None:
        """Receives until it is cancelled."""
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{self._address}socket", ssl=False) as socket,
        ):
            await socket.send_str('{"type":"watch","cameras":true}')
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT and message.data.startswith('{"type":"frame"'):
                    self.received_s.append(time.monotonic())


async def run_phone(address: str, name: str, counts: list[int]) -> None:
    """Sends images until it is cancelled."""
    noise = np.random.default_rng(0).integers(0, 90, (SIZE[1] // 4, SIZE[0] // 4, 3), np.uint8)
    jpeg = cv2.imencode(".jpg", cv2.resize(noise, SIZE), [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{address}socket", ssl=False) as socket:
        hello = {"type": "hello", "id": name, "name": name, "size": SIZE, "fps": 30, "codec": "jpeg"}
        await socket.send_str(msgspec.json.encode(hello).decode())
        for _ in range(5):
            await socket.send_str(msgspec.json.encode({"type": "clock", "sent": time.monotonic() * 1e3}).decode())
        async for message in socket:
            fields = msgspec.json.decode(message.data)
            if fields["type"] == "clock":
                result = {**fields, "type": "clock-result", "received": time.monotonic() * 1e3}
                await socket.send_str(msgspec.json.encode(result).decode())
            elif fields["type"] in ("accepted", "credit"):
                for _ in range(fields.get("credit", fields.get("n", 0))):
                    await socket.send_bytes(HEADER.pack(1, 0, 0, *SIZE, 0, time.monotonic() * 1e3) + jpeg)
                    counts[0] += 1


class Measurement:
    """Measures a running rig, in a thread.

    Args:
        ready: The run.
        seconds: Duration of each part.
        phones: How many phones there are.
    """

    def __init__(self, ready: Plan, seconds: float, phones: int) -> None:
        self._job, self._seconds, self._phones = ready.web, seconds, phones
        self.ended = threading.Event()
        self.figures: list[tuple[str, str, list[float], str]] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._status: RunStatus

    def on_status(self, _: int, status: RunStatus) -> None:
        """Starts at the start of the run."""
        self._status = status
        if self._thread.ident is None:
            self._thread.start()

    def _run(self) -> None:
        try:
            asyncio.run(self._measure())
        finally:
            self.ended.set()

    async def _measure(self) -> None:
        running = self._status.states[WEB].running
        if running is None or running.process.pid is None or self._job is None:
            return
        pid = running.process.pid
        address = {
            kind: url("127.0.0.1", self._job.port, getattr(self._job.tokens, kind)) for kind in ("watch", "camera")
        }
        await self._part(pid, "without a page", "≤ 3")
        page = Page(address["watch"])
        watching = asyncio.create_task(page.run())
        await self._part(pid, "one page", "")
        gaps_ms = np.diff(page.received_s) * 1e3
        self.figures.append(("interval of frames, one page", "ms", gaps_ms.tolist(), "16.7"))
        self.figures.append(("longest interval, one page", "ms", [float(gaps_ms.max())], "≤ 50"))
        counts = [0]
        sending = [
            asyncio.create_task(run_phone(address["camera"], f"phone-{i}-load", counts)) for i in range(self._phones)
        ]
        await asyncio.sleep(SETTLE_S)
        before = counts[0]
        await self._part(pid, f"one page, {self._phones} phones", "")
        self.figures.append(("images of all phones", "1/s", [(counts[0] - before) / (self._seconds + SETTLE_S)], ""))
        for task in (watching, *sending):
            task.cancel()
        await asyncio.gather(watching, *sending, return_exceptions=True)
        self.figures.append(("memory of the web worker", "MB", [rss_mb(pid)], ""))

    async def _part(self, pid: int, name: str, target: str) -> None:
        await asyncio.sleep(SETTLE_S)
        before_s, start_s = cpu_s(pid), time.monotonic()
        await asyncio.sleep(self._seconds)
        share = (cpu_s(pid) - before_s) / (time.monotonic() - start_s)
        self.figures.append((f"cost, {name}", "% of a core", [100 * share], target))


def main() -> None:
    """Prints a table."""
    arguments = parser(__doc__)
    arguments.add_argument("--seconds", type=float, default=15.0, help="of each part")
    arguments.add_argument(
        "--phones", type=int, default=0, help="that send images; their detectors cost more than the rest"
    )
    args: argparse.Namespace = arguments.parse_args()
    if args.quick:
        args.seconds = 1.0
    report = Report.begin(args)
    cameras = (*simulated_cameras(4), *(CameraConfig(source=PHONE, name=f"phone{i + 1}") for i in range(args.phones)))
    model = ""
    if args.phones:
        from pose_rig.assets.catalog import detector_model

        model = str(detector_model("full", print))
    ready = plan(Config(camera=cameras, view=True, port=0, web_port=0), model)
    measurement = Measurement(ready, args.seconds, args.phones)
    run = Run(ready, StatusDisplay(measurement.on_status), stop_when=lambda _: measurement.ended.is_set())
    run.run()
    for figure in measurement.figures:
        report.add(*figure)
    report.finish(args.json)


if __name__ == "__main__":
    main()
