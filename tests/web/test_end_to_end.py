"""Whole runs in real processes, with a page and with phones."""

import asyncio
import os
import re
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import cv2
import numpy as np
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from pose_rig.assets.catalog import demo_clip, detector_model
from pose_rig.assets.private_file import config_folder
from pose_rig.errors import AssetError
from pose_rig.web.certificate import load_root
from tests.web.https_client import https_client
from tests.web.phone import Phone, image_bytes
from tests.web.rig import Page, run_async

COMMAND = [sys.executable, "-u", "-m", "pose_rig", "run", "--headless", "--port", "0", "--web-port", "0"]
START_S = 90.0
SIZE = (270, 480)


@contextmanager
def pose_rig(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """Runs a rig and yields its process and the addresses of its pages, by the words before them."""
    environment = {**os.environ, "XDG_CONFIG_HOME": str(folder)}
    process = subprocess.Popen(
        [*COMMAND, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd=folder
    )
    assert process.stdout is not None
    found: dict[str, str] = {}
    wanted = {"buttons", "watch only", *(["phone"] if "--phones" in options else [])}
    try:
        for line in process.stdout:
            if match := re.search(r"(buttons|watch only|phone).* (https://\S+)", line):
                found[match[1]] = match[2]
            if wanted <= found.keys():
                break
        yield process, found
    finally:
        process.kill()
        process.communicate()


def trusting(folder: Path) -> ssl.SSLContext:
    root = load_root(folder / config_folder().name).certificate.public_bytes(Encoding.PEM).decode()
    return ssl.create_default_context(cadata=root)


async def connected(session: aiohttp.ClientSession, address: str) -> aiohttp.ClientWebSocketResponse:
    """Returns a WebSocket of a page, as soon as the run serves it."""
    deadline_s = time.monotonic() + START_S
    while True:
        try:
            return await session.ws_connect(f"{address}socket")
        except aiohttp.ClientError:
            assert time.monotonic() < deadline_s
            await asyncio.sleep(0.2)


async def until_served(folder: Path) -> None:
    """Waits until the run has made its certificate."""
    deadline_s = time.monotonic() + START_S
    while not list(folder.rglob("web-root.pem")):
        assert time.monotonic() < deadline_s
        await asyncio.sleep(0.1)


@pytest.mark.skipif(sys.platform != "linux", reason="the folder of the certificate is given by XDG_CONFIG_HOME")
def test_a_page_sees_the_person_and_stops_the_run(tmp_path: Path) -> None:
    async def check(addresses: dict[str, str]) -> None:
        await until_served(tmp_path)
        async with https_client(trusting(tmp_path)) as session:
            page = Page(await connected(session, addresses["buttons"]))
            await page.send(type="watch", cameras=True)
            assert (await page.until("hello"))["cameras"] == ["sim0", "sim1", "sim2"]
            assert (await page.until("frame", lambda fields: bool(fields["tracking"])))["age_ms"] < 60_000
            shown = await page.until("keypoints", lambda fields: bool(fields["raw"]) and bool(fields["refined"]))
            assert len(shown["raw"]) == len(shown["refined"]) == 17
            status = await page.until("status", lambda fields: len(fields["workers"]) >= 4)
            assert {worker["worker"] for worker in status["workers"]} >= {"fusion", "sim0", "sim1", "sim2"}
            await page.send(type="command", id=1, name="stop", value=None)
            assert (await page.until("answer"))["ok"] is True

    with pose_rig(tmp_path, "--cams", "sim:3", "--view") as (process, addresses):
        assert addresses["buttons"].startswith("https://127.0.0.1:")
        run_async(check(addresses))
        output = process.communicate(timeout=START_S)[0]
    assert process.returncode == 0, output
    assert "Stopped on the live page." in output


def clip(video: Path) -> list[bytes]:
    """Returns some reduced images of a video as JPEG."""
    capture, images = cv2.VideoCapture(str(video)), []
    for _ in range(40):
        found, image = capture.read()
        if found:
            images.append(cv2.imencode(".jpg", cv2.resize(image, SIZE))[1].tobytes())
    return images


@pytest.mark.skipif(sys.platform != "linux", reason="the folder of the certificate is given by XDG_CONFIG_HOME")
def test_phones_are_cameras_whose_person_is_found(tmp_path: Path) -> None:
    try:
        detector_model("full", print)
        videos = demo_clip(print)[:2]
    except AssetError as error:
        pytest.skip(str(error))
    found = asyncio.Event()

    async def send(session: aiohttp.ClientSession, address: str, name: str, images: list[bytes]) -> None:
        """Plays a clip to and fro until the person is found."""
        phone = Phone(await connected(session, address))
        await phone.hello(name, size=list(SIZE))
        await phone.set_clock()
        index = 0
        while not found.is_set():
            image = images[abs(index % (2 * len(images) - 1) - len(images) + 1)]
            await phone.socket.send_bytes(image_bytes(index, phone.now_ms(), image, size=SIZE))
            await phone.until("credit")
            index += 1

    async def check(addresses: dict[str, str]) -> None:
        await until_served(tmp_path)
        async with https_client(trusting(tmp_path)) as session:
            sending = [
                asyncio.create_task(send(session, addresses["phone"], f"phone-{number}-of-test", clip(video)))
                for number, video in enumerate(videos)
            ]
            page = Page(await connected(session, addresses["watch only"]))
            await page.send(type="watch", cameras=True)
            async with asyncio.timeout(START_S):
                await page.until("frame", lambda fields: bool(fields["tracking"]))
                raw = await page.until("keypoints", lambda fields: bool(fields["raw"]))
            assert raw["size_px"] == list(SIZE)
            assert np.median(np.array(raw["raw"])[:, 2]) > 0.5
            found.set()
            await asyncio.gather(*sending)

    with pose_rig(tmp_path, "--phones", "2", "--view", "--host", "127.0.0.1") as (_, addresses):
        run_async(check(addresses))
