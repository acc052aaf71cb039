"""pose-rig monitor, and what it makes of a rig that an avatar does not follow."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO

import pytest
from msgspec.structs import replace
from rich.console import Console

from pose_rig.errors import UsageError
from pose_rig.streaming.axes import UNITY
from pose_rig.streaming.json_frames import frame as json_frame
from pose_rig.streaming.vrchat import TrackerEncoder
from pose_rig.tools.cli.monitor import RigMonitor, fusion_line, people_lines, target_line
from pose_rig.tools.terminal.decoded_stream import decoded_frame
from pose_rig.tools.terminal.remote_rig import ALL_SENT, MAX_WORKERS, RemoteRig
from pose_rig.wire.bus import Receiver, Sender
from pose_rig.wire.messages import CameraState, Health, Message, Pose3D, RigState, State, Streams, Target
from tests.streaming.live import live, pose3d
from tests.streaming.people import person
from tests.streaming.vmc_messages import bone, bundle, frame, ok
from tests.streaming.vmc_messages import time as vmc_time
from tests.tools.cli.test_app import pose_rig

S = 1_000_000_000
SOMEBODY = person(3, seconds=0.2)
VMC = Target(
    kind="vmc", address="127.0.0.1:39539", profile="unity", rate_hz=59.8, frames=600, datagrams=1800,
    last=tuple(frame(0)),
)  # fmt: skip


def health(worker: str, state: State = "running", error: str = "") -> Health:
    return Health(worker=worker, t_ns=0, state=state, rate_hz=29.7, age_ms=21.0, error=error)


def pose(tracking: int = 1) -> Pose3D:
    return pose3d(SOMEBODY, 0, tracking=tracking)


def streams(*targets: Target) -> Streams:
    return Streams(t_ns=0, targets=targets or (VMC,), lead_ms=40.0)


GOOD: tuple[Message, ...] = (health("cam1"), health("cam0"), health("fusion"), pose(), health("streams"), streams())


def verdict(*messages: Message, after_s: float = 1.0) -> list[str]:
    """Returns the verdict so long after a rig said all this at once."""
    rig = RemoteRig(5571, 0)
    for message in messages:
        rig.update(message, S)
    return rig.diagnosis(S + round(after_s * S))


def target(**more: object) -> Streams:
    return streams(replace(VMC, **more))


FAULTY = (bundle(bone("Hips"), bone("Spine", (0.0, 0.0, 0.0)), ok(), vmc_time(0.0)).dgram,)


@pytest.mark.parametrize(
    ("messages", "after_s", "text"),
    [
        ((), 1.0, "Listening to port 5571."),
        ((), 3.0, "No rig is running on port 5571: start one with `pose-rig run --cams 0,1,2 --vmc 127.0.0.1`."),
        (GOOD, 1.0, ALL_SENT),
        (GOOD, 5.0, "No message from the rig on port 5571 for 5 s: it ended or hangs."),
        ((streams(), health("streams")), 4.0, "No rig is running on port 5571"),
        ((health("cam0", "failed", "It is gone."), *GOOD[3:]), 1.0, "No camera is running. cam0: It is gone."),
        ((health("cam0"), health("fusion", "starting"), streams()), 1.0, "The rig has published no pose yet"),
        ((*GOOD[:3], pose(0), streams()), 1.0, "No person is detected: the avatar keeps its rest pose"),
        (GOOD[:4], 1.0, "Waiting for a report on what is sent to engines."),
        ((*GOOD[:4], target(rate_hz=0.0)), 1.0, "Nothing is sent to vmc 127.0.0.1:39539 at present."),
        (
            (*GOOD[:4], target(error="Nothing listens on 127.0.0.1:39539.")), 1.0,
            "Sent to vmc 127.0.0.1:39539, but: Nothing listens on 127.0.0.1:39539. Is the receiver running there,",
        ),
        (
            (*GOOD[:4], target(kind="websocket", clients=0, address="127.0.0.1:39571")), 1.0,
            "No client is connected to ws://127.0.0.1:39571.",
        ),
        ((*GOOD[:4], target(kind="websocket", clients=1, last=())), 1.0, ALL_SENT),
        ((*GOOD[:4], target(last=FAULTY)), 1.0, "vmc 127.0.0.1:39539: zero positions ×1: Bones at 0, 0, 0 of"),
    ],
)  # fmt: skip
def test_the_verdict_is_in_plain_words(messages: tuple[Message, ...], after_s: float, text: str) -> None:
    (found,) = verdict(*messages, after_s=after_s - (not messages))
    assert found.startswith(text)


def test_a_rig_without_some_workers() -> None:
    rig = RemoteRig(5571, 0)
    for message in GOOD:
        rig.update(message, S)
    rig.update(health("fusion"), 6 * S)
    stuck, silent = rig.diagnosis(6 * S)
    assert stuck == "The rig has published no pose for 5 s."
    assert silent.startswith("No report from the streams worker for 5 s: it is being restarted")


def test_without_streams_the_option_is_suggested() -> None:
    rig = RemoteRig(5571, 0)
    for second in (1, 2, 3, 4):
        for message in GOOD[:4]:
            rig.update(message, second * S)
    assert rig.diagnosis(4 * S + 1) == ["Nothing is sent to engines: add --vmc 127.0.0.1 to `pose-rig run`."]


def test_several_people_and_targets_of_their_own() -> None:
    rig = RemoteRig(5571, 0)
    second = replace(VMC, address="127.0.0.1:39540", profile="unity@2")
    both = (pose(), replace(pose(), person=1, height_m=1.62))
    for message in (*GOOD[:3], *both, health("streams"), streams(VMC, second)):
        rig.update(message, S)
    assert rig.diagnosis(S) == [ALL_SENT]
    assert "solved   tracking 2 people   running" in fusion_line(rig)
    assert target_line(second).startswith("vmc 127.0.0.1:39540/unity@2")
    lines = people_lines(rig)
    assert [line.split("   ")[0] for line in lines] == ["person 1: tracked", "person 2: tracked"]
    assert "height 1.62 m   17 of 17 joints   at " in lines[1]
    for message in (replace(pose(), index=1, tracking=0), replace(pose(), index=1, person=1, tracking=0)):
        rig.update(message, S)
    assert rig.diagnosis(S)[0].startswith("No person is detected")
    rig.update(replace(pose(), index=2), S)
    rig.update(replace(pose(), index=3), S)
    assert rig.diagnosis(S) == ["Person 2 is not tracked: vmc 127.0.0.1:39540 gets the rest pose until then."]
    assert people_lines(rig)[0].startswith("person 1: tracked")
    vrchat = replace(second, kind="vrchat", profile="@2")
    assert target_line(vrchat).startswith("vrchat 127.0.0.1:39540@2")


def test_every_target_has_its_own_verdict() -> None:
    bad = replace(VMC, address="192.0.2.7:39539", error="The system did not send to 192.0.2.7:39539: No route.")
    (found,) = verdict(*GOOD[:4], streams(VMC, bad))
    assert found.startswith("Sent to vmc 192.0.2.7:39539, but: The system did not send")
    assert len(verdict(*GOOD[:3], pose(0), streams(bad))) == 2


def test_the_number_of_workers_is_bounded() -> None:
    rig = RemoteRig(5571, 0)
    for i in range(2 * MAX_WORKERS):
        rig.update(health(f"cam{i}"), S)
    assert len(rig.workers) == MAX_WORKERS


def test_the_last_frame_is_decoded_from_its_bytes() -> None:
    somebody = live(SOMEBODY)
    (line,) = decoded_frame(VMC)
    assert line == "OK 1 3 0 1 (loaded, calibrated, tracking)   root 0.00 0.00 0.00 m   hips 0.00 1.00 0.00 m   8 bones"
    datagrams = tuple(map(bytes, TrackerEncoder(("hip",)).encode(somebody, 0)))
    (line,) = decoded_frame(replace(VMC, kind="vrchat", last=datagrams))
    x, y, z = UNITY.points(SOMEBODY.root[0])
    assert line.startswith("head: ")
    assert line.endswith(f"1: {x:.2f} {y:.2f} {z:.2f} m")
    (line,) = decoded_frame(replace(VMC, kind="json", last=(json_frame(somebody, UNITY),)))
    assert line.startswith("frame, mode solved: type, index, t_ns")


@pytest.mark.parametrize(
    ("kind", "data", "text"),
    [
        ("vmc", b"noise", "no OK   0 bones"),
        ("vrchat", b"noise", "A datagram of 5 bytes that starts with 'noise' is not OSC"),
        ("json", b"noise", "no JSON: "),
        ("json", b"[1]", "no JSON: "),
        ("websocket", b'{"a\\u001b": 1}', "None, mode None: a·"),
    ],
)  # fmt: skip
def test_an_invalid_last_frame(kind: str, data: bytes, text: str) -> None:
    (line,) = decoded_frame(replace(VMC, kind=kind, last=(data,)))
    assert line.startswith(text)
    assert decoded_frame(replace(VMC, kind=kind, last=())) == []


@contextmanager
def rig_on_air(*messages: Message, sent: tuple[Message, ...] = ()) -> Iterator[int]:
    """Says messages ten times a second on a port, others on the next one; yields the port."""
    over = threading.Event()
    with port_pair() as (port, rig, feeder):

        def speak() -> None:
            while not over.wait(0.1):
                for message in messages:
                    rig.send(message)
                for message in sent:
                    feeder.send(message)

        thread = threading.Thread(target=speak)
        thread.start()
        try:
            yield port
        finally:
            over.set()
            thread.join()


@contextmanager
def port_pair() -> Iterator[tuple[int, Sender, Sender]]:
    """Yields a free port, and senders on it and on the next."""
    for _ in range(50):
        with Sender("tcp://127.0.0.1:0", bind=True) as rig:
            port = int(rig.endpoint.rsplit(":", 1)[1])
            try:
                feeder = Sender(f"tcp://127.0.0.1:{port + 1}", bind=True)
            except UsageError:
                continue
            with feeder:
                yield port, rig, feeder
            return
    raise AssertionError("no two free ports beside each other")


def said(*arguments: object) -> tuple[int, str]:
    """Returns exit code and output in one line."""
    code, output = pose_rig("monitor", *map(str, arguments))
    assert "Traceback" not in output
    return code, " ".join(output.split())


def test_a_running_rig_is_printed_in_lines() -> None:
    with rig_on_air(*GOOD[:4], sent=GOOD[4:]) as port:
        code, output = said("--port", port, "--duration", 2.7, "--headless")
    assert code == 0
    assert "2 s | cam0 running 30 fps | cam1 running 30 fps | fusion: solved tracking running" in output
    assert "2 s | vmc 127.0.0.1:39539/unity 60 frames/s, 1800 datagrams | OK 1 3 0 1 (loaded," in output
    assert output.count(ALL_SENT) == 2  # when it became so, and in the end
    assert output.endswith(ALL_SENT)


def test_without_a_rig_that_is_reported() -> None:
    with port_pair() as (port, _, _):
        pass
    code, output = said("--port", port, "--duration", 4.4, "--headless")
    assert code == 0
    assert output.startswith(f"Listening to port {port}. No rig is running on port {port}: start one with")


def test_the_table_shows_cameras_fusion_and_targets() -> None:
    web = Target(kind="websocket", address="127.0.0.1:39571", rate_hz=30.0, clients=2, failures=3)
    rig = RigState(t_ns=0, mode="solved", cameras=(CameraState(name="cam0", focal_px=900.0),), note="Walk about.")
    messages = (health("cam0", "failed", "Camera 0 was unplugged."), GOOD[0], *GOOD[2:4], rig)
    with (
        rig_on_air(*messages, sent=(streams(VMC, web),)) as port,
        Receiver(f"tcp://127.0.0.1:{port}") as receiver,
    ):
        receiver.connect(f"tcp://127.0.0.1:{port + 1}")
        rig_monitor = RigMonitor(receiver, port)
        until_s = time.monotonic() + 10
        while (rig_monitor.rig.rig is None or rig_monitor.rig.streams is None) and time.monotonic() < until_s:
            rig_monitor.receive(0.05)
        console = Console(file=StringIO(), width=120, record=True)
        console.print(rig_monitor.render())
        rows = [line.split() for line in console.export_text().splitlines()]
    assert ["cam0", "failed", "30", "21", "Camera", "0", "was", "unplugged."] in rows
    assert ["vmc", "127.0.0.1:39539", "unity", "59.8", "1800", "–", "0"] in rows
    assert ["websocket", "127.0.0.1:39571", "30.0", "0", "2", "3"] in rows
    assert ["sent", "to", "engines,", "predicted", "40", "ms", "ahead:"] in rows
    assert any(row[:2] == ["fusion:", "solved"] and row[-2:] == ["Walk", "about."] for row in rows)
    assert ALL_SENT.split() in rows


def test_invalid_messages_are_counted() -> None:
    with port_pair() as (port, rig, _), Receiver(f"tcp://127.0.0.1:{port}") as receiver:
        rig_monitor = RigMonitor(receiver, port)
        until_s = time.monotonic() + 10
        while not receiver.bad and time.monotonic() < until_s:
            rig.send_bytes(b"pose\0noise")
            rig_monitor.receive(0.02)
        assert " messages were invalid: Message on topic" in rig_monitor.summary()[-1]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--port", 65535), "There is no rig on port 65535. Ports go from 1 to 65534."),
        (("--port", 0), "There is no rig on port 0."),
        (("--duration", -3), "The duration must be positive; got -3 s."),
    ],
)
def test_wrong_use_ends_in_one_sentence(arguments: tuple[object, ...], text: str) -> None:
    code, output = said(*arguments)
    assert text in output
    assert code == 2


def test_help_teaches_by_example() -> None:
    code, output = said("--help")
    assert code == 0
    for example in ("pose-rig monitor --port 5600", "--duration 10 --headless", "pose-rig listen"):
        assert example in output
