"""Streaming to engines, with real processes from the camera to the datagram."""

import json
import re
from contextlib import closing
from itertools import groupby, pairwise
from pathlib import Path

import pytest
from msgspec.structs import replace
from pythonosc.osc_bundle import OscBundle
from websockets.sync.client import connect

from pose_rig.config import CameraConfig, Config, StreamConfig
from pose_rig.humanoid.bones import INDEX
from pose_rig.streaming.axes import UNITY
from pose_rig.tools.arguments.camera_list import config_of
from pose_rig.tools.terminal.run_display import status_line
from pose_rig.tools.terminal.status import RunStatus
from pose_rig.tools.terminal.summary import summary
from pose_rig.tools.workers.plan import plan
from tests.fusion.people.scenes import two_people, write_people
from tests.ports import free_port
from tests.streaming.captured.datagrams import DatagramReceiver
from tests.streaming.people import person
from tests.streaming.vrm_files import model_of, write_vrm
from tests.tools.cli.test_app import pose_rig_process
from tests.tools.sessions import moving_pose, sample, write_session
from tests.tools.terminal.test_run_loop import FakeDisplay, kill, run

LONGEST_S = 60.0  # of a run that ends as soon as what is waited for has been seen
CAMERAS = tuple(CameraConfig(source="sim", name=f"sim{i}", member=i, members=3) for i in range(3))


def told(receiver: DatagramReceiver) -> list[tuple[int, float]]:
    """Returns tracking and time of every received frame."""
    frames = []
    for one in receiver.datagrams:
        said = {message.address: message.params for message in OscBundle(one.data)}
        if "/VMC/Ext/T" in said:
            frames.append((said["/VMC/Ext/OK"][3], said["/VMC/Ext/T"][0]))
    return frames


def test_a_run_streams_to_an_avatar_and_a_browser() -> None:
    port = free_port()
    with closing(DatagramReceiver()) as receiver:
        stream = StreamConfig(vmc=(f"127.0.0.1:{receiver.port}/unreal",), websocket=str(port), foot_lock=True)
        frames: list[dict[str, object]] = []

        def look(status: RunStatus) -> None:
            with connect(f"ws://127.0.0.1:{port}/?axes=blender&refined=1", close_timeout=0.2) as client:
                frames.extend(json.loads(client.recv(timeout=5)) for _ in range(20))

        config = Config(camera=CAMERAS, port=0, duration_s=5.0, stream=stream)
        display = FakeDisplay(lambda status: status.telemetry.poses > 60, look)
        status = run(plan(config, ""), display)
    tracked = [tracking for tracking, _ in told(receiver)]
    assert sum(tracked) > 60
    assert f"vmc 127.0.0.1:{receiver.port}, websocket 127.0.0.1:{port}" in status_line(status)
    sent = [text for text in summary(status, None) if text.startswith("Sent ")]
    assert re.fullmatch(r"Sent \d+ frames to vmc 127\.0\.0\.1:\d+ \(UDP: receipt is not confirmed\)\.", sent[0])
    assert re.fullmatch(rf"Sent \d+ frames to websocket 127\.0\.0\.1:{port} \(clients: 1 ever, 0 now\)\.", sent[1])
    assert frames[0]["axes"] == "blender"
    assert set(frames[0]["cameras"]) == {"sim0", "sim1", "sim2"}  # type: ignore[call-overload]
    assert any(frame.get("refined") for frame in frames)


def test_two_people_move_two_avatars(tmp_path: Path) -> None:
    write_people(tmp_path / "two.npz", two_people(12.0, views=3))
    with (
        closing(DatagramReceiver()) as first,
        closing(DatagramReceiver()) as second,
        closing(DatagramReceiver()) as both,
    ):
        targets = (f"127.0.0.1:{first.port}", f"127.0.0.1:{second.port}@2")
        stream = StreamConfig(vmc=targets, json=(f"127.0.0.1:{both.port}",))
        config = replace(config_of(str(tmp_path / "two.npz")), port=0, duration_s=LONGEST_S, stream=stream, people=2)

        def followed(status: RunStatus) -> bool:
            return min((status.telemetry.people.poses.get(person, 0) for person in (0, 1)), default=0) > 30

        status = run(plan(config, ""), FakeDisplay(), followed)
    assert followed(status)
    assert status.telemetry.people.most == 2
    assert any(text.startswith("People: at most 2 at once: person 1 in ") for text in summary(status, None))
    for receiver in (first, second):
        assert sum(tracking for tracking, _ in told(receiver)) > 10
    frames = [frame for one in both.datagrams if (frame := json.loads(one.data))["type"] == "frame"]
    assert {each["person"] for frame in frames for each in frame["people"] if each["tracking"]} == {0, 1}


def test_the_streams_worker_is_restarted_and_poses_continue() -> None:
    with closing(DatagramReceiver()) as receiver:
        stream = StreamConfig(vmc=(f"127.0.0.1:{receiver.port}",))
        config = Config(camera=CAMERAS, port=0, duration_s=LONGEST_S, stream=stream)
        display = FakeDisplay(lambda status: len(receiver.datagrams) > 100, lambda status: kill(status, "streams"))
        status = run(
            plan(config, ""),
            display,
            lambda status: status.telemetry.poses > 120 and len({one.source for one in receiver.datagrams}) == 2,
        )
    assert "streams: It was killed by signal 9 (SIGKILL). Restarting in 0.5 s (restart 1)." in display.printed
    assert len({one.source for one in receiver.datagrams}) == 2, "one socket for each life"
    assert status.telemetry.poses > 120


def found_again(tracked: list[int]) -> bool:
    """Whether a person was tracked, then none, then one again."""
    return [seen for seen, _ in groupby(tracked[tracked.index(1) :] if 1 in tracked else [])][:3] == [1, 0, 1]


def test_the_avatar_is_not_tracking_while_fusion_restarts() -> None:
    with closing(DatagramReceiver()) as receiver:
        stream = StreamConfig(vmc=(f"127.0.0.1:{receiver.port}",))
        config = Config(camera=CAMERAS, port=0, duration_s=LONGEST_S, stream=stream)
        run(
            plan(config, ""),
            FakeDisplay(lambda status: status.telemetry.poses > 60, lambda status: kill(status, "fusion")),
            lambda status: found_again([tracking for tracking, _ in told(receiver)]),
        )
    tracked = [tracking for tracking, _ in told(receiver)]
    first, last = tracked.index(1), len(tracked) - tracked[::-1].index(1)
    assert 0 in tracked[first:last], "lost in between, and found again"
    gaps = [b.at_s - a.at_s for a, b in pairwise(receiver.datagrams)]
    assert max(gaps) < 3.0, "never silence"


def test_a_session_is_replayed_into_an_engine(tmp_path: Path) -> None:
    session = write_session(tmp_path / "take.mcap", [*sample(), *(moving_pose(i) for i in range(30))])
    with closing(DatagramReceiver()) as receiver:
        address = f"127.0.0.1:{receiver.port}"
        code, said = pose_rig_process("replay", str(session), "--vmc", address, "--port", "0", "--headless")
    assert code == 0, said
    assert f"frames to vmc {address} (UDP: receipt is not confirmed)." in said
    assert told(receiver)


def test_an_avatar_of_the_user_is_sent_with_its_own_bones(tmp_path: Path) -> None:
    somebody = person(3, seconds=0.2)
    path = tmp_path / "me.vrm"
    write_vrm(path, model_of(somebody.rest, 1))
    with closing(DatagramReceiver()) as receiver:
        stream = StreamConfig(vmc=(f"127.0.0.1:{receiver.port}",), avatar=str(path))
        run(plan(Config(camera=CAMERAS[:2], port=0, duration_s=3.0, stream=stream), ""), FakeDisplay())
    said = [message for one in receiver.datagrams[-20:] for message in OscBundle(one.data)]
    bones = {message.params[0]: message.params[1:4] for message in said if message.address == "/VMC/Ext/Bone/Pos"}
    thigh = somebody.rest.offset[INDEX["LeftLowerLeg"]]
    assert bones["LeftLowerLeg"] == pytest.approx(UNITY.points(thigh).tolist(), abs=1e-4)
    assert "LeftIndexDistal" in bones


def test_an_unavailable_target_ends_the_run_with_its_error() -> None:
    options = ["--headless", "--port", "0", "--duration", "5", "--vmc", "no.such.host.invalid"]
    code, said = pose_rig_process("run", "--cams", "sim:2", *options)
    assert code == 2
    assert "streams: Unknown host 'no.such.host.invalid'.\nCheck the name, or give its IP address.\n" in said
    assert "Traceback" not in said
