"""A rig with every output is attacked for some seconds: nothing changes but counters."""

import random
import signal
import sys
from pathlib import Path

import pytest

from benchmarks.live import attackers
from benchmarks.live.attack import options
from benchmarks.live.malformed import DIALOGUES, Dialogue, datagram, half_open
from benchmarks.live.pose_watch import PoseWatch
from benchmarks.live.rig_under_test import RigUnderTest
from pose_rig.session.reader import Session
from tests.ports import free_port

MESSAGES = 40  # to each port

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def test_malformed_messages_change_nothing_but_counters(tmp_path: Path) -> None:
    session = tmp_path / "attacked.mcap"
    receivers = [free_port() for _ in range(3)]
    with RigUnderTest(options(session, receivers, "sim:2")) as rig, PoseWatch(rig.poses) as watch:
        rig.wait_for(lambda: len(watch.arrivals) > 5, 60.0, "poses")
        workers, ports = rig.workers(), rig.ports()
        assert set(workers) >= {"sim0", "sim1", "fusion", "streams", "recorder", "web"}
        assert {port.pid for port in ports} == {workers[name] for name in ("fusion", "streams", "recorder", "web")}
        for number, port in enumerate(ports):
            if port.protocol == "udp":
                attackers.malformed_udp(port.number, MESSAGES, number)
                continue
            attackers.malformed_tcp(port.number, MESSAGES, number)
            attackers.endless_messages(port.number, number, count=4, held_s=0.05)
            attackers.half_open_connections(port.number, number, count=20, held_s=0.0)
        arrived = len(watch.arrivals)
        rig.wait_for(lambda: len(watch.arrivals) > arrived + 5 and watch.refused > 20, 20.0, "poses afterwards")
        assert rig.workers() == workers
        assert rig.stop() == 0
        assert not rig.pids()
    assert any(line.startswith("Refused ") for line in rig.printed)
    with Session(session) as recorded:
        assert not recorded.damaged
        assert recorded.topics["pose"] >= arrived


@pytest.mark.parametrize("dialogue", DIALOGUES)
def test_the_same_seed_sends_the_same_messages(dialogue: Dialogue) -> None:
    first, second = ([*dialogue(random.Random(3))] for _ in range(2))  # noqa: S311
    assert first == second
    assert first != [*dialogue(random.Random(4))]  # noqa: S311
    assert all(isinstance(message, bytes) for message in first)


def test_no_handshake_is_finished_and_no_datagram_is_too_long() -> None:
    draw = random.Random(0)  # noqa: S311
    assert all(b"\r\n\r\n" not in half_open(draw) for _ in range(100))
    assert all(len(datagram(draw)) <= 1500 for _ in range(100))


def test_a_rig_that_ends_is_an_error(tmp_path: Path) -> None:
    from pose_rig.errors import PoseRigError

    with pytest.raises(PoseRigError, match="did not reach: Poses on") as caught:
        RigUnderTest(["--cams", str(tmp_path / "missing.mp4")])
    assert "missing.mp4" in caught.value.remedy
    assert signal.getsignal(signal.SIGINT) is not None
