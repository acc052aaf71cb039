import os
import re
import select
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pose_rig.config import Config
from pose_rig.session.reader import Session
from pose_rig.tools.terminal.markers import MarkerSender
from pose_rig.wire.bus import Receiver
from pose_rig.wire.jobs import RecordJob
from pose_rig.wire.records import Marker
from tests.ports import free_endpoint


@pytest.fixture
def ends() -> Iterator[tuple[MarkerSender, Receiver]]:
    endpoint = free_endpoint()
    with (
        Receiver(endpoint, "lossless", bind=True) as receiver,
        MarkerSender(RecordJob(Config(), "", endpoint, "")) as sender,
    ):
        yield sender, receiver


def test_markers_are_numbered_and_reach_the_recorder(ends: tuple[MarkerSender, Receiver]) -> None:
    sender, receiver = ends
    assert sender.send(5_000, 12.34) == "Marker 1 at 12.3 s."
    assert sender.send(6_000, 15.0) == "Marker 2 at 15.0 s."
    got: list[Marker] = []
    while len(got) < 2:
        got += [message for message in receiver.receive(5000) if isinstance(message, Marker)]
    assert [(marker.t_ns, marker.number, marker.text) for marker in got] == [
        (5_000, 1, "marker 1"), (6_000, 2, "marker 2"),
    ]  # fmt: skip


def test_without_a_recording_the_user_is_informed() -> None:
    with MarkerSender(None) as sender:
        assert sender.send(1, 1.0) == "Nothing is recorded: markers need --record take.mcap."


def test_a_missing_recorder_does_not_block() -> None:
    began = time.monotonic()
    with MarkerSender(RecordJob(Config(), "", free_endpoint(), "")) as sender:
        messages = [sender.send(i, 0.0) for i in range(2000)]
    assert messages[0] == "Marker 1 at 0.0 s."
    assert messages[-1] == "The recorder did not accept the marker."
    assert time.monotonic() - began < 5


@pytest.mark.skipif(sys.platform == "win32", reason="terminals are different there")
def test_m_marks_and_q_stops_a_recording_in_a_terminal(tmp_path: Path) -> None:
    import pty

    path = tmp_path / "take.mcap"
    command = ["run", "--cams", "sim:1", "--port", "0", "--record", str(path)]
    process, terminal = pty.fork()
    if not process:
        os.execv(sys.executable, [sys.executable, "-m", "pose_rig.tools.cli.app", *command])  # noqa: S606
    shown = wait_for(terminal, b"Mode cold")
    for key, answer in ((b"m", b"Marker 1 at"), (b"M", b"Marker 2 at"), (b"q", b"Scale: ")):
        os.write(terminal, key)
        shown += wait_for(terminal, answer)
    _, status = os.waitpid(process, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0
    assert re.search(rb"Marker 2 at \d+\.\d s\.", shown)
    with Session(path) as session:
        markers = session.markers()
        assert [(marker.number, marker.text) for marker in markers] == [(1, "marker 1"), (2, "marker 2")]
        poses = session.poses()
        assert poses.t_ns[0] - 2e9 < markers[0].t_ns <= markers[1].t_ns < poses.t_ns[-1] + 2e9


def wait_for(terminal: int, text: bytes) -> bytes:
    """Returns what a terminal shows up to a text."""
    shown, deadline_s = b"", time.monotonic() + 30
    while text not in shown:
        assert time.monotonic() < deadline_s, shown[-500:]
        if select.select([terminal], [], [], 0.5)[0]:
            shown += os.read(terminal, 65536)
    return shown
