import json
import threading
import time
from contextlib import closing
from statistics import median

import numpy as np
import pytest
from websockets.sync.client import connect

from pose_rig.config import StreamConfig
from pose_rig.errors import UsageError
from pose_rig.streaming.process import main
from pose_rig.wire.bus import Receiver
from pose_rig.wire.jobs import StreamJob
from pose_rig.wire.messages import CameraState, Health, Message, Refined2D, RigState, Streams
from tests.ports import free_port
from tests.streaming.captured.datagrams import Catcher, running
from tests.streaming.live import pose3d
from tests.streaming.people import person


def streams(messages: list[Message]) -> Streams:
    return [message for message in messages if isinstance(message, Streams)][-1]


def kinds(catcher: Catcher) -> list[str]:
    return [json.loads(one.data)["type"] for one in catcher.caught]


def test_poses_of_the_rig_become_datagrams_and_it_says_so() -> None:
    somebody = person(1, seconds=3.0)
    with (
        closing(Catcher()) as catcher,
        running(StreamConfig(json=(f"127.0.0.1:{catcher.port}/unity",), lead=20.0)) as rig,
    ):
        rig.play(somebody, 80)
        said = rig.heard()
    report = streams(said)
    (target,) = report.targets
    assert report.lead_ms == 20.0
    assert (target.kind, target.address, target.profile) == ("json", f"127.0.0.1:{catcher.port}", "unity")
    assert 30 < target.rate_hz < 66
    assert target.datagrams >= target.frames > 60
    assert json.loads(target.last[-1])["type"] == "frame"
    health = [message for message in said if isinstance(message, Health)][-1]
    assert (health.worker, health.state, set(health.stages_ms)) == ("streams", "running", {"wait", "solve", "send"})
    frames = [json.loads(one.data) for one in catcher.caught]
    shown = [frame for frame in frames if frame["type"] == "frame" and frame["index"] >= 0]
    played = [frame for frame in shown if frame["index"] < 79]  # the last one is sent again until it is too old
    assert len({frame["index"] for frame in played}) >= 60
    assert all(frame["tracking"] == 1 for frame in played)
    assert 20 <= median(frame["age_ms"] for frame in played) < 40
    assert kinds(catcher)[0] == "schema"


def test_at_the_end_receivers_are_told_that_nobody_is_seen() -> None:
    with closing(Catcher()) as catcher:
        with running(StreamConfig(json=(f"127.0.0.1:{catcher.port}",))) as rig:
            rig.play(person(1, seconds=1.0), 30)
        time.sleep(0.1)
    frames = [frame for frame in map(json.loads, (one.data for one in catcher.caught)) if frame["type"] == "frame"]
    assert [frame["tracking"] for frame in frames[-2:]] == [1, 0]
    assert frames[-1]["rotations"] == frames[-2]["rotations"]


def test_a_rig_that_says_nothing_is_no_silence() -> None:
    with closing(Catcher()) as catcher, running(StreamConfig(vmc=(f"127.0.0.1:{catcher.port}",))):
        time.sleep(0.5)
    assert len(catcher.caught) > 3 * 0.4 * 60 * 0.5


def test_a_dead_target_costs_the_others_nothing() -> None:
    somebody = person(1, seconds=3.0)
    with closing(Catcher()) as catcher:
        dead = ("127.0.0.1:1", "192.0.2.1:39539")  # nobody; nowhere
        with running(StreamConfig(vmc=(*dead, f"127.0.0.1:{catcher.port}"))) as rig:
            rig.play(somebody, 80)
            report = streams(rig.heard())
    assert len(catcher.caught) > 3 * 60
    errors = {target.address: target.error for target in report.targets}
    assert errors["127.0.0.1:1"] == "Nothing listens on 127.0.0.1:1."
    assert errors[f"127.0.0.1:{catcher.port}"] == ""


def test_web_clients_get_what_the_cameras_see() -> None:
    somebody = person(1, seconds=3.0)
    port = free_port()
    with running(StreamConfig(websocket=str(port))) as rig:
        with connect(f"ws://127.0.0.1:{port}/?refined=1", close_timeout=0.2) as client:
            time.sleep(0.1)
            camera = CameraState(name="left", focal_px=900.0, size_px=(1280, 720))
            rig.say(RigState(t_ns=1, mode="cold", cameras=(camera,)))
            for i in range(20):
                pose = pose3d(somebody, i, t_ns=time.monotonic_ns())
                xy, inlier = np.full((17, 2), float(i), np.float32), np.ones(17, np.float32)
                rig.say(pose)
                rig.say(Refined2D(camera="left", index=i, t_ns=pose.t_ns, xy=xy, inlier=inlier))
                time.sleep(0.02)
            said = [json.loads(client.recv(timeout=2)) for _ in range(15)]
        assert streams(rig.heard()).targets[0].kind == "websocket"
    assert any(message["type"] == "schema" and message["cameras"] == {"left": [1280, 720]} for message in said)
    views = [message["refined"]["left"] for message in said if message.get("refined")]
    assert len(views) > 4
    assert len(views[-1]["xy"]) == 17


def test_what_a_camera_saw_long_ago_is_not_sent() -> None:
    somebody = person(1, seconds=3.0)
    port = free_port()
    with (
        running(StreamConfig(websocket=str(port))) as rig,
        connect(f"ws://127.0.0.1:{port}/?refined=1", close_timeout=0.2) as client,
    ):
        time.sleep(0.1)
        now = time.monotonic_ns()
        xy, inlier = np.zeros((17, 2), np.float32), np.ones(17, np.float32)
        rig.say(Refined2D(camera="left", index=0, t_ns=now - 600_000_000, xy=xy, inlier=inlier))
        rig.say(pose3d(somebody, 1, t_ns=now))
        said = [json.loads(client.recv(timeout=2)) for _ in range(4)]
    assert [message["refined"] for message in said if message["type"] == "frame"][-1] == {}


@pytest.mark.parametrize(
    ("stream", "cause"),
    [
        (StreamConfig(vmc=("127.0.0.1/maya",)), "Unknown choice 'maya' after the slash in '127.0.0.1/maya'."),
        (StreamConfig(vmc=("127.0.0.1:0",)), "'0' in '127.0.0.1:0' is not a port number."),
        (StreamConfig(vrchat=("127.0.0.1",), trackers=("tail",)), "Unknown VRChat tracker 'tail'."),
        (StreamConfig(json=("no.such.host.invalid",)), "Unknown host 'no.such.host.invalid'."),
        (StreamConfig(vmc=("127.0.0.1",), avatar="none.vrm"), "The avatar none.vrm does not exist."),
        (
            StreamConfig(vmc=("127.0.0.1",), scale="avatar"),
            "--scale avatar needs an avatar.",
        ),
    ],
)
def test_what_cannot_be_is_one_sentence(stream: StreamConfig, cause: str) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(UsageError) as error:
        main(StreamJob(stream, "tcp://127.0.0.1:9", "tcp://127.0.0.1:0"), stop)
    assert error.value.cause == cause


def test_when_one_target_cannot_be_had_the_others_are_let_go() -> None:
    """The port of the WebSocket is free again after another target failed."""
    port = free_port()
    for _ in range(2):
        with Receiver("tcp://127.0.0.1:0", bind=True) as taken:
            job = StreamJob(StreamConfig(websocket=str(port)), "tcp://127.0.0.1:9", taken.endpoint)
            with pytest.raises(UsageError):
                main(job, threading.Event())
