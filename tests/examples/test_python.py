"""The Python examples, run as they are against the real sender and the real server."""

import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs

from pose_rig.skeleton import INDEX
from pose_rig.streaming.address import Address
from pose_rig.streaming.websocket import WebSocketServer
from pose_rig.wire.bus import Sender
from pose_rig.wire.messages import Refined2D
from tests.streaming.live import live, pose3d
from tests.streaming.people import ALL, Person, person

EXAMPLES = Path(__file__).parents[2] / "examples"
SUBJECT = person(seed=11, seconds=0.5)


def lines(name: str, address: str, send: Callable[[], object], count: int) -> list[str]:
    """Returns the first lines that an example prints while something is sent."""
    command = [sys.executable, "-u", str(EXAMPLES / name), address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as example:
        assert example.stdout is not None
        with ThreadPoolExecutor(1) as pool:
            printed = pool.submit(lambda stdout: [stdout.readline() for _ in range(count)], example.stdout)
            deadline = time.monotonic() + 20.0
            while not printed.done() and time.monotonic() < deadline:
                send()
                time.sleep(0.01)
            example.kill()
            return printed.result()


def height_m(subject: Person, joint: str) -> str:
    """Returns the height of a joint in the first frame."""
    return f"{subject.xyz[0, INDEX[joint], 1]:.2f}"


@pytest.mark.parametrize("name", ["subscribe.py", "websocket_client.py"])
def test_it_is_short(name: str) -> None:
    assert len((EXAMPLES / name).read_text("utf-8").splitlines()) <= 30


def test_the_subscriber() -> None:
    first = pose3d(SUBJECT, 0, t_ns=77)
    second = structs.replace(first, person=1, tracking=0)
    with Sender("tcp://127.0.0.1:0", bind=True) as sender:

        def send() -> None:
            sender.send(first)
            sender.send(second)

        printed = lines("subscribe.py", sender.endpoint, send, 8)
    head, left, right = (height_m(SUBJECT, joint) for joint in ("head", "l_wrist", "r_wrist"))
    assert set(printed) == {
        f"77 solved, person 1: head {head} m, hands {left} and {right} m high\n",
        "77 solved, person 2: not detected\n",
    }


def test_the_websocket_client() -> None:
    xy = np.full((len(ALL), 2), 320.0, np.float32)
    seen = Refined2D(camera="left", index=0, t_ns=0, xy=xy, inlier=np.ones(len(ALL), np.float32))
    pose = live(SUBJECT, cameras={"left": (640, 480)}, refined={"left": seen})
    both = replace(pose, people=(pose, replace(pose, person=2, tracking=0, refined={})))
    server = WebSocketServer(Address("127.0.0.1", 0))
    try:
        address = f"ws://127.0.0.1:{server.port}/?axes=rig&refined=1"
        printed = lines("websocket_client.py", address, lambda: server.send(both, time.monotonic_ns()), 3)
    finally:
        server.close()
    head = (np.round(SUBJECT.xyz[0, INDEX["head"]], 4) + 0.0).tolist()
    assert printed[0].endswith(f": {len(ALL)} joints, axes rig, up +y\n")
    assert printed[1] == f"0 solved, person 1: head {head}, pelvis in images: left [320.0, 320.0]\n"
    assert printed[2] == f"0 solved, person 3: head {head}, pelvis in images: , not detected\n"
