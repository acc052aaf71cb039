import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from itertools import count
from pathlib import Path

import aiohttp
import numpy as np
from msgspec.structs import replace

from pose_rig.capture.source import Detections
from pose_rig.capture.thumbnails import ThumbnailSender
from pose_rig.web.client import ENDED
from pose_rig.web.watchers import MAX_WATCHERS
from pose_rig.wire.messages import CameraState, Command, Health, Refined2D, RigState
from tests.streaming.live import pose3d
from tests.streaming.people import person
from tests.web.https_client import https_client
from tests.web.phone import until_true
from tests.web.rig import DEADLINE_S, WebRig, opened, run_async, running


@asynccontextmanager
async def published(rig: WebRig, people: int = 1) -> AsyncIterator[None]:
    """Publishes the reports and the poses of a rig meanwhile."""
    publishing = asyncio.create_task(_publish(rig, people))
    try:
        yield
    finally:
        publishing.cancel()


async def _publish(rig: WebRig, people: int) -> None:
    subject = person(1, seconds=3.0)
    camera = CameraState(
        name="cam0", focal_px=600.0, size_px=(640, 480), rotation=tuple(np.eye(3).ravel().tolist()), health=1.0
    )
    for index in count():
        rig.fusion.send(RigState(t_ns=index, mode="settled", cameras=(camera,), note="Walk about."))
        rig.fusion.send(Health(worker="cam0", t_ns=index, state="running", rate_hz=30.0))
        for identity in range(people):
            rig.fusion.send(replace(pose3d(subject, index % len(subject.t_ns), person=identity), index=index))
            xy, inlier = np.full((17, 2), 100.0 * identity, np.float32), np.ones(17, np.float32)
            refined = Refined2D(camera="cam0", index=index, t_ns=index, xy=xy, inlier=inlier, person=identity)
            rig.fusion.send(refined)
        await asyncio.sleep(0.02)


def test_a_page_gets_the_state_of_the_rig_and_poses(tmp_path: Path) -> None:
    async def check(rig: WebRig) -> None:
        async with opened(rig, rig.job.tokens.watch) as page:
            hello = await page.until("hello")
            assert hello["control"] is False
            assert (hello["cameras"], hello["live"], hello["recorded"], hello["no_images"]) == (
                ["cam0"],
                True,
                False,
                {},
            )
            async with published(rig):
                schema = await page.until("schema")
                frame = await page.until("frame", lambda fields: fields["index"] > 5)
                assert len(frame["joints"]) == len(schema["joints"])
                assert len(frame["rotations"]) == len(schema["bones"])
                state = await page.until("rig")
                assert (state["mode"], state["cameras"][0]["rotation"][0]) == ("settled", 1.0)
                status = await page.until("status", lambda fields: bool(fields["workers"]))
            assert status["sentence"] == "Walk about."
            assert status["workers"][0] == status["workers"][0] | {"worker": "cam0", "rate_hz": 30.0, "silent": False}
            assert [fields["text"] for fields in page.texts if fields["type"] == "event"] == ["Mode settled."]

    with running(tmp_path) as rig:
        run_async(check(rig))


def test_a_page_gets_every_person(tmp_path: Path) -> None:
    async def check(rig: WebRig) -> None:
        async with opened(rig, rig.job.tokens.watch) as page:
            assert (await page.until("hello"))["people"] == 2
            await page.send(type="watch", cameras=True)
            async with published(rig, people=2):
                frame = await page.until("frame", lambda fields: len(fields["people"]) == 2)
                assert [one["person"] for one in frame["people"]] == [0, 1]
                keypoints = await page.until("keypoints", lambda fields: len(fields["people"]) == 2)
                assert [one["refined"][0][0] for one in keypoints["people"]] == [0.0, 100.0]
                assert keypoints["refined"][0][0] == 0.0

    with running(tmp_path, people=2) as rig:
        run_async(check(rig))


def test_commands_need_the_control_token(tmp_path: Path) -> None:
    async def check(rig: WebRig) -> None:
        async with opened(rig, rig.job.tokens.watch) as page:
            await page.send(type="command", id=3, name="stop", value=None)
            answer = await page.until("answer")
            assert (answer["to"], answer["ok"]) == (3, False)
        async with opened(rig, rig.job.tokens.control) as page:
            assert (await page.until("hello"))["control"] is True
            await page.send(type="command", id=4, name="height", value=1.82, person=1)
            assert await page.until("answer") == {"type": "answer", "to": 4, "ok": True, "text": "sent"}
            await page.send(type="command", id=5, name="format-disk", value=None)
            assert (await page.until("answer"))["ok"] is False

    with running(tmp_path) as rig:
        run_async(check(rig))
        command = rig.until(lambda message: isinstance(message, Command))
        assert isinstance(command, Command)
        assert (command.name, command.value, command.number, command.person) == ("height", "1.82", 4, 1)
        assert not any(isinstance(message, Command) and message.name == "stop" for message in rig.received)


def test_a_page_is_sent_the_end_of_the_run(tmp_path: Path) -> None:
    async def check(rig: WebRig) -> None:
        async with opened(rig, rig.job.tokens.watch) as page:
            await page.until("hello")
            rig.stop.set()
            assert (await page.until("bye"))["text"] == ENDED

    with running(tmp_path) as rig:
        run_async(check(rig))


def test_too_many_pages_and_too_many_messages_are_refused(tmp_path: Path) -> None:
    async def check(rig: WebRig) -> None:
        async with (
            https_client(rig.tls()) as session,
            session.ws_connect(rig.url(path="socket")) as chatty,
        ):
            rest = [await session.ws_connect(rig.url(path="socket")) for _ in range(MAX_WATCHERS - 1)]
            refused = await session.ws_connect(rig.url(path="socket"))
            closing = await refused.receive(timeout=DEADLINE_S)
            assert closing.type is aiohttp.WSMsgType.CLOSE
            assert closing.data == aiohttp.WSCloseCode.TRY_AGAIN_LATER
            for _ in range(200):
                await chatty.send_str('{"type":"watch","cameras":false}')
            while (message := await chatty.receive(timeout=DEADLINE_S)).type is aiohttp.WSMsgType.TEXT:
                pass
            assert message.data == aiohttp.WSCloseCode.POLICY_VIOLATION
            for page in rest:
                await page.send_str("not JSON")
                await page.close()

    with running(tmp_path) as rig:
        run_async(check(rig))
        rig.health(lambda health: health.refused == 2 + MAX_WATCHERS - 1)


def test_images_and_2d_are_received_only_while_a_page_shows_them(tmp_path: Path) -> None:
    async def check(rig: WebRig, camera: ThumbnailSender) -> None:
        people = Detections.from_arrays(np.full((1, 17, 2), 30.0), np.full((1, 17), 0.5))

        async def film() -> None:
            while True:
                camera.offer(np.zeros((48, 64, 3), np.uint8), people, t_ns=5, size_px=(64, 48), landmarks="coco17")
                await asyncio.sleep(0.02)

        filming = asyncio.create_task(film())
        async with opened(rig, rig.job.tokens.watch) as page:
            await page.send(type="watch", cameras=True)
            assert (await page.until_binary()).startswith(b"\x01\x04cam0\xff\xd8")
            keypoints = await page.until("keypoints")
            assert keypoints["raw"][0] == [30.0, 30.0, 0.5]
            await page.send(type="watch", cameras=False)
            await until_true(lambda: not camera._sender.wanted)
            await page.send(type="watch", cameras=True)
            await until_true(lambda: camera._sender.wanted)
        await until_true(lambda: not camera._sender.wanted)  # forgotten with the connection
        filming.cancel()

    with running(tmp_path) as rig, closing(ThumbnailSender("cam0", rig.job.thumbnails, rig.job.keys)) as camera:
        run_async(check(rig, camera))
