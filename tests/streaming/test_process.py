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
from pose_rig.streaming.inspect.vmc_receiver import VmcReceiver
from pose_rig.streaming.process import main
from pose_rig.wire.bus import Receiver
from pose_rig.wire.jobs import StreamJob
from pose_rig.wire.messages import CameraState, Health, Message, Refined2D, RigState, Streams
from tests.ports import free_port
from tests.streaming.captured.datagrams import DatagramReceiver, running
from tests.streaming.live import pose3d
from tests.streaming.people import person


def streams(messages: list[Message]) -> Streams:
    return [message for message in messages if isinstance(message, Streams)][-1]


def kinds(receiver: DatagramReceiver) -> list[str]:
    return [json.loads(one.data)["type"] for one in receiver.datagrams]


def test_poses_become_datagrams_and_are_counted() -> None:
    subject = person(1, seconds=3.0)
    with (
        closing(DatagramReceiver()) as receiver,
        running(StreamConfig(json=(f"127.0.0.1:{receiver.port}/unity",), lead=20.0)) as rig,
    ):
        rig.play(subject, 80)
        received = rig.reports()
    report = streams(received)
    (target,) = report.targets
    assert report.lead_ms == 20.0
    assert (target.kind, target.address, target.profile) == ("json", f"127.0.0.1:{receiver.port}", "unity")
    assert 30 < target.rate_hz < 66
    assert target.datagrams >= target.frames > 60
    assert json.loads(target.last[-1])["type"] == "frame"
    health = [message for message in received if isinstance(message, Health)][-1]
    assert (health.worker, health.state, set(health.stages_ms)) == ("streams", "running", {"wait", "solve", "send"})
    frames = [json.loads(one.data) for one in receiver.datagrams]
    shown = [frame for frame in frames if frame["type"] == "frame" and frame["index"] >= 0]
    played = [frame for frame in shown if frame["index"] < 79]  # the last one is sent again until it is too old
    assert len({frame["index"] for frame in played}) >= 60
    assert all(frame["tracking"] == 1 for frame in played)
    assert 20 <= median(frame["age_ms"] for frame in played) < 40
    assert kinds(receiver)[0] == "schema"


def test_the_last_frame_has_tracking_0() -> None:
    with closing(DatagramReceiver()) as receiver:
        with running(StreamConfig(json=(f"127.0.0.1:{receiver.port}",))) as rig:
            rig.play(person(1, seconds=1.0), 30)
        time.sleep(0.1)
    frames = [frame for frame in map(json.loads, (one.data for one in receiver.datagrams)) if frame["type"] == "frame"]
    assert [frame["tracking"] for frame in frames[-2:]] == [1, 0]
    assert frames[-1]["rotations"] == frames[-2]["rotations"]


def test_frames_are_sent_without_poses() -> None:
    with closing(DatagramReceiver()) as receiver, running(StreamConfig(vmc=(f"127.0.0.1:{receiver.port}",))):
        time.sleep(0.5)
    assert len(receiver.datagrams) > 3 * 0.4 * 60 * 0.5


def test_an_unreachable_target_does_not_delay_the_others() -> None:
    subject = person(1, seconds=3.0)
    with closing(DatagramReceiver()) as receiver:
        dead = ("127.0.0.1:1", "192.0.2.1:39539")  # closed port; unreachable host
        with running(StreamConfig(vmc=(*dead, f"127.0.0.1:{receiver.port}"))) as rig:
            rig.play(subject, 80)
            report = streams(rig.reports())
    assert len(receiver.datagrams) > 3 * 60
    errors = {target.address: target.error for target in report.targets}
    assert errors["127.0.0.1:1"] == "Nothing listens on 127.0.0.1:1."
    assert errors[f"127.0.0.1:{receiver.port}"] == ""


def test_every_person_has_a_target() -> None:
    one, other = person(1, seconds=1.0), person(2, seconds=1.0)
    with (
        closing(DatagramReceiver()) as first,
        closing(DatagramReceiver()) as second,
        closing(DatagramReceiver()) as vmc,
    ):
        own = f"127.0.0.1:{second.port}/unity@2"
        stream = StreamConfig(json=(f"127.0.0.1:{first.port}", own), vmc=(f"127.0.0.1:{vmc.port}@2",))
        with running(stream, people=2) as rig:
            for i in range(30):
                t_ns = time.monotonic_ns()
                rig.publish(pose3d(one, i, t_ns=t_ns))
                rig.publish(pose3d(other, i, t_ns=t_ns, person=1))
                time.sleep(0.02)
            report, newest = streams(rig.reports()), rig.reports()
    assert [target.profile for target in report.targets] == ["unity@2", "rig", "unity@2"]
    assert [message.dropped for message in newest if isinstance(message, Health)][-1] == 0
    of_all = [frame for one in first.datagrams if (frame := json.loads(one.data))["type"] == "frame"]
    of_one = [frame for one in second.datagrams if (frame := json.loads(one.data))["type"] == "frame"]
    both = [frame for frame in of_all if len(frame["people"]) == 2]
    assert len(both) > 10
    assert [each["person"] for each in both[0]["people"]] == [0, 1]
    assert both[-1]["joints"] == both[-1]["people"][0]["joints"] != both[-1]["people"][1]["joints"]
    assert all("people" not in frame and frame["person"] == 1 for frame in of_one)
    assert [frame["tracking"] for frame in of_one[:1] + of_one[-1:]] == [0, 0]
    assert sum(frame["tracking"] for frame in of_one) > 10
    received = VmcReceiver()
    for one_datagram in vmc.datagrams:
        received.add(one_datagram.data, 0)
    assert len(received.bones) == 21
    assert received.ok is not None
    assert received.ok.tracking == 0


def test_web_clients_get_the_refined_2d_poses() -> None:
    subject = person(1, seconds=3.0)
    port = free_port()
    with running(StreamConfig(websocket=str(port))) as rig:
        with connect(f"ws://127.0.0.1:{port}/?refined=1", close_timeout=0.2) as client:
            time.sleep(0.1)
            camera = CameraState(name="left", focal_px=900.0, size_px=(1280, 720))
            rig.publish(RigState(t_ns=1, mode="cold", cameras=(camera,)))
            for i in range(20):
                pose = pose3d(subject, i, t_ns=time.monotonic_ns())
                xy, inlier = np.full((17, 2), float(i), np.float32), np.ones(17, np.float32)
                rig.publish(pose)
                rig.publish(Refined2D(camera="left", index=i, t_ns=pose.t_ns, xy=xy, inlier=inlier))
                time.sleep(0.02)
            received = [json.loads(client.recv(timeout=2)) for _ in range(15)]
        assert streams(rig.reports()).targets[0].kind == "websocket"
    assert any(message["type"] == "schema" and message["cameras"] == {"left": [1280, 720]} for message in received)
    views = [message["refined"]["left"] for message in received if message.get("refined")]
    assert len(views) > 4
    assert len(views[-1]["xy"]) == 17


def test_old_2d_poses_are_not_sent() -> None:
    subject = person(1, seconds=3.0)
    port = free_port()
    with (
        running(StreamConfig(websocket=str(port))) as rig,
        connect(f"ws://127.0.0.1:{port}/?refined=1", close_timeout=0.2) as client,
    ):
        time.sleep(0.1)
        now = time.monotonic_ns()
        xy, inlier = np.zeros((17, 2), np.float32), np.ones(17, np.float32)
        rig.publish(Refined2D(camera="left", index=0, t_ns=now - 600_000_000, xy=xy, inlier=inlier))
        rig.publish(pose3d(subject, 1, t_ns=now))
        received = [json.loads(client.recv(timeout=2)) for _ in range(4)]
    assert [message["refined"] for message in received if message["type"] == "frame"][-1] == {}


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
def test_invalid_options_are_one_sentence(stream: StreamConfig, cause: str) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(UsageError) as error:
        main(StreamJob(stream, "tcp://127.0.0.1:9", "tcp://127.0.0.1:0"), stop)
    assert error.value.cause == cause


def test_when_one_target_fails_the_others_are_closed() -> None:
    """The port of the WebSocket is free again after another target failed."""
    port = free_port()
    for _ in range(2):
        with Receiver("tcp://127.0.0.1:0", bind=True) as taken:
            job = StreamJob(StreamConfig(websocket=str(port)), "tcp://127.0.0.1:9", taken.endpoint)
            with pytest.raises(UsageError):
                main(job, threading.Event())
