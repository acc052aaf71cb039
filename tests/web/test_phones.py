import asyncio
import time
from contextlib import suppress
from itertools import count
from pathlib import Path

import aiohttp
import pytest

from pose_rig.capture.phone import PhoneInput, PhoneSource
from pose_rig.capture.source import Frame
from pose_rig.wire.messages import Health
from tests.web.pages.chromium import until
from tests.web.phone import Phone, phone
from tests.web.rig import DEADLINE_S, WebRig, opened, run_async, running


def source(rig: WebRig, name: str = "phone1") -> PhoneSource:
    camera = next(camera for camera in rig.job.config.camera if camera.name == name)
    return PhoneSource(camera, PhoneInput(rig.job.phones, rig.job.keys))


async def join(cameras: PhoneSource, one: Phone) -> None:
    """Sends black images until one arrives: a subscriber is slow to join."""
    async with asyncio.timeout(DEADLINE_S):
        for index in count():
            await one.send_image(index, 0)
            await one.until("credit")
            if cameras.poll(0.0):
                return


async def frame_of(cameras: PhoneSource) -> Frame:
    async with asyncio.timeout(DEADLINE_S):
        while not cameras.poll(0.0):
            await asyncio.sleep(0.01)
    frame = cameras.read()
    assert frame is not None
    return frame


def test_images_arrive_as_frames_with_the_time_of_the_rig(tmp_path: Path) -> None:
    async def check(rig: WebRig, camera: PhoneSource) -> None:
        async with phone(rig, ahead_ms=123_456.0) as one:
            accepted = await one.hello()
            assert accepted == accepted | {"camera": "phone1", "fps": 30.0, "credit": 2, "codec": "jpeg"}
            await one.send_image(0)  # before the clocks are known: dropped, and paid back
            await one.until("credit")
            await one.set_clock()
            await join(camera, one)
            for index in range(1, 4):
                captured_ns = await one.send_image(index, 50 * index)
                await one.until("credit")
                frame = await frame_of(camera)
                while frame.image is not None and frame.image.mean() < 25:  # of those until it had joined
                    frame = await frame_of(camera)
                assert frame.size_px == (64, 48)
                assert frame.image is not None
                assert frame.image.shape == (48, 64, 3)
                assert abs(int(frame.image.mean()) - 50 * index) <= 2
                assert abs(frame.t_ns - captured_ns) < 1e9  # of 123 s between the clocks; the machine may be busy
            assert camera.info.identity == "a-phone-0001"
            assert camera.info.detail == "Pixel 8, 64×48 JPEG at 30/s"
            state = await one.until("state")
            assert state == state | {"mode": "cold", "detected": False, "sentence": "The rig is starting."}

    with running(tmp_path, phones=2) as rig:
        camera = source(rig)
        assert camera.info.detail == "waiting for a phone"
        assert not camera.poll(0.0)
        assert camera.fault == ""
        run_async(check(rig, camera))
        camera.close()
        rig.health(lambda health: health.dropped == 1)


def test_a_phone_that_left_is_named_and_comes_back_as_the_same_camera(tmp_path: Path) -> None:
    async def first(rig: WebRig, camera: PhoneSource) -> None:
        async with phone(rig) as one, phone(rig) as other, opened(rig, rig.job.tokens.watch) as page:
            assert (await one.hello("phone-number-1"))["camera"] == "phone1"
            assert (await other.hello("phone-number-2"))["camera"] == "phone2"
            await one.set_clock()
            await join(camera, one)
            await frame_of(camera)
            await one.socket.close()
            left = await page.until("event", lambda fields: "left" in fields["text"])
            assert left["text"] == "phone1: Pixel 8 has left."
            async with phone(rig) as third:  # takes the place of the one that left
                assert (await third.hello("phone-number-3"))["camera"] == "phone1"
                status = await page.until("status", lambda fields: len(fields["phones"]) == 2)
                assert status["phones"]["phone2"]["connected"] is True
                async with phone(rig) as fourth:
                    refused = await fourth.hello("phone-number-4", refused=True)
                    assert refused["cause"] == "All 2 places are taken by other phones."
                    assert refused["remedy"].startswith("Start the rig with --phones 3")

    async def second(rig: WebRig, camera: PhoneSource) -> None:
        async with phone(rig) as other, phone(rig) as again:
            assert (await other.hello("phone-number-2"))["camera"] == "phone2"
            assert (await again.hello("phone-number-2"))["camera"] == "phone2"  # its first connection hangs
            assert (await other.until("bye"))["text"] == "This phone has connected again."
            await again.set_clock()
            await again.send_image(0)

    with running(tmp_path, phones=2) as rig:
        camera = source(rig)
        run_async(first(rig, camera))
        until(lambda: "unlock its screen" in camera.fault)
        camera.close()
    with running(tmp_path, phones=2) as rig:  # another run
        camera = source(rig, "phone2")
        run_async(second(rig, camera))
        camera.close()


def test_what_is_no_phone_is_refused(tmp_path: Path) -> None:
    async def check(rig: WebRig) -> None:
        async with phone(rig) as one:
            await one.send(type="hello", id="short")
            assert (await one.socket.receive(timeout=DEADLINE_S)).type is aiohttp.WSMsgType.CLOSE
        async with phone(rig) as one:
            await one.hello()
            await one.set_clock(1)
            for wrong in (b"", b"\x01", b"\x07" + bytes(40), b"\x01\x00\x11\x00" + bytes(40)):
                await one.socket.send_bytes(wrong)
            await one.socket.send_str('{"type":"status","battery":7}')
            await one.socket.send_str('{"type":"clock-result","sent":1,"rig_ms":1,"received":2}')
            await one.socket.send_str("[" * 2000)
            await one.until("state")
        async with opened(rig, rig.job.tokens.watch) as page:  # a page is no phone
            await page.until("hello")

    with running(tmp_path, phones=1) as rig:
        run_async(check(rig))
        rig.health(lambda health: health.refused == 8)


def test_a_flood_of_images_and_a_huge_one_end_the_connection(tmp_path: Path) -> None:
    async def check(rig: WebRig) -> None:
        for number, size in ((500, 100), (1, 5 << 20)):
            async with phone(rig) as one:
                await one.hello()
                with suppress(ConnectionError):
                    for _ in range(number):
                        await one.socket.send_bytes(b"\x01" + bytes(size))
                with pytest.raises(AssertionError, match="closed"):
                    await one.until("bye")

    with running(tmp_path, phones=1) as rig:
        run_async(check(rig))
        rig.health(lambda health: health.refused >= 60)


def test_phones_are_asked_for_no_more_images_than_their_rate(tmp_path: Path) -> None:
    async def check(rig: WebRig) -> None:
        async with phone(rig) as one:
            await one.hello(fps=20)
            await one.set_clock()
            start_s, sent = time.monotonic(), 0
            while time.monotonic() - start_s < 1.0:
                await one.send_image(sent)
                await one.until("credit")
                sent += 1
            assert sent <= 28 * (time.monotonic() - start_s)

    with running(tmp_path, phones=1) as rig:
        run_async(check(rig))


def test_a_phone_sees_its_rate_and_the_end_of_the_run(tmp_path: Path) -> None:
    async def check(rig: WebRig) -> None:
        async with phone(rig) as one:
            await one.hello()
            rig.fusion.send(Health(worker="phone1", t_ns=1, state="running", rate_hz=12.3))
            assert (await one.until("state", lambda fields: fields["fps"] > 0))["fps"] == 12.3
            rig.stop.set()
            assert (await one.until("bye"))["text"] == "The run has ended."

    with running(tmp_path, phones=1) as rig:
        run_async(check(rig))
