"""The ports of a run are its own from when they are chosen."""

import gc
import socket
import subprocess
import sys

import pytest

from pose_rig.config import CameraConfig, Config
from pose_rig.errors import UsageError
from pose_rig.tools.workers.endpoints import FREE_PORTS, Endpoints, PortReservation, free_endpoints

CAMERAS = 8
CONFIG = Config(camera=tuple(CameraConfig(source="x.mp4", name=f"c{i}") for i in range(CAMERAS)), port=0, record="x")
RUNS = 100  # so many ports of 12,768 that chosen blindly some would be the same, with a probability of 1 - 1e-18


def ports(at: Endpoints) -> list[int]:
    assert at.recorder is not None
    return [int(place.rpartition(":")[2]) for place in (at.output, at.internal, *at.inputs, *at.recorder)]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ports are kept on Linux only")
def test_runs_that_start_in_parallel_have_different_ports() -> None:
    runs = [free_endpoints(CONFIG, CAMERAS) for _ in range(RUNS)]
    chosen = [port for run in runs for port in ports(run)]
    assert len(chosen) == RUNS * (CAMERAS + 4)
    assert len(set(chosen)) == len(chosen)


LISTEN = """
import sys
from pose_rig.wire.authentication import generate_keys
from pose_rig.wire.bus import Receiver

with Receiver(sys.argv[1], "lossless", bind=True, keys=generate_keys()) as receiver:
    print(receiver.endpoint)
"""


def test_a_worker_listens_on_a_chosen_port_and_again_after_a_restart() -> None:
    at = free_endpoints(CONFIG, CAMERAS)
    for _ in range(2):
        listening = subprocess.run(
            [sys.executable, "-c", LISTEN, at.inputs[0]], capture_output=True, text=True, check=True, timeout=60
        )
        assert listening.stdout.strip() == at.inputs[0]


def test_ports_are_free_again_after_the_run() -> None:
    at = free_endpoints(CONFIG, CAMERAS)
    port = ports(at)[0]
    del at
    gc.collect()
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))


def test_a_given_port_is_not_chosen_for_something_else_and_refused_where_a_program_listens() -> None:
    reservation = PortReservation()
    given = reservation.check(free_port())
    assert given not in {reservation.choose() for _ in range(20)}
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(UsageError, match=r"Cannot listen on tcp://127\.0\.0\.1:\d+: "):
            reservation.check(other.getsockname()[1])


def free_port() -> int:
    """Returns a port that was free a moment ago."""
    reservation = PortReservation()
    port = reservation.choose()
    reservation.release()
    assert port in FREE_PORTS
    return port
