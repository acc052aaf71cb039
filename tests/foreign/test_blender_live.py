"""The Blender add-on in Blender itself, with real datagrams."""

import json
import re
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.humanoid.bones import BONES, INDEX, PARENTS, RestPose, forward_kinematics
from pose_rig.streaming.axes import BLENDER
from pose_rig.streaming.json_frames import frame, schema
from tests.foreign.conftest import Judge
from tests.ports import free_port
from tests.streaming.live import live
from tests.streaming.people import Person, angles_deg, person

pytestmark = pytest.mark.foreign

ADDON = Path(__file__).parents[2] / "examples" / "blender" / "pose_rig_live.py"
CLOSE_M, CLOSE_DEG = 1e-3, 0.2
EVERY_S = 0.03
SUBJECT = person(seed=3, seconds=10.0, rate_hz=2.0, tumbling=True)
SCHEMA = schema(live(SUBJECT), BLENDER)
GARBAGE = (
    b"", b"\xff\xfe", b"[1, 2]", b"null", b'"frame"', b"{}", b"[" * 60000, b'{"type": "frame"}',
    b'{"type": "schema", "axes": "blender", "bones": ["Hips"], "bone_parents": [0], "rest": [[0, 0, 1]]}',
    b'{"type": "schema", "axes": "blender", "bones": ["\\ud800"], "bone_parents": [-1], "rest": [[0, 0, 1]]}',
    frame(live(SUBJECT), BLENDER).replace(b'"root":[', b'"root":[1e999,'),
    re.sub(rb'"rotations":\[\[[^]]*', b'"rotations":[[0,0,0,0', frame(live(SUBJECT), BLENDER)),
    frame(live(SUBJECT), BLENDER)[:-40],
)  # fmt: skip


@contextmanager
def sent(port: int, datagrams: Sequence[Sequence[bytes]]) -> Iterator[None]:
    """Sends groups of datagrams, one group after the other and over again."""
    ended = threading.Event()

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            while not ended.is_set():
                for group in datagrams:
                    for datagram in group:
                        sender.sendto(datagram, ("127.0.0.1", port))
                    ended.wait(EVERY_S)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def groups(subject: Person, first: int = 0) -> list[list[bytes]]:
    """Returns the datagrams of each instant, garbage before and after them."""
    report = schema(live(subject), BLENDER)
    poses = [live(subject, i, index=first + i) for i in range(len(subject.t_ns))]
    return [[*GARBAGE, report, frame(pose, BLENDER), *GARBAGE] for pose in poses]


def in_blender(subject: Person, indices: list[int]) -> tuple[Floats, Floats]:
    """Returns (T,B,3) m where the bones begin, and (T,B,4) how they are rotations."""
    positions, rotations = forward_kinematics(subject.rest, subject.root[indices], subject.rotation[indices])
    return BLENDER.points(positions), BLENDER.rotations(rotations)


def of_blender(path: Path, report: Any) -> tuple[Floats, Floats]:
    """Returns (T,B,3) m where Blender has the heads of our bones, and (T,B,4) how it has them rotations from rest."""
    columns, found = [report["names"].index(bone) for bone in BONES], np.load(path)
    return found["heads"][:, columns], found["turns"][:, columns]


def agree(found: tuple[Floats, Floats], expected: tuple[Floats, Floats], size: float = 1.0) -> bool:
    """Returns whether positions and turns are the same, on a character of a size."""
    apart_m = np.linalg.norm(found[0] - size * expected[0], axis=-1).max()
    return bool(apart_m < size * CLOSE_M and angles_deg(found[1], expected[1]).max() < CLOSE_DEG)


def character(rest: RestPose, size: float) -> list[list[Any]]:
    """Returns the bones of a character of another size; they have axes of their own, and there are more than ours."""
    positions = size * BLENDER.points(forward_kinematics(rest, rest.offset[0], np.eye(4)[[3] * len(BONES)])[0])
    rng = np.random.default_rng(1)
    bones: list[list[Any]] = [["Root", "", [0, 0, 0], [0, 1, 0], 0.3]]
    for bone, (name, parent) in enumerate(zip(BONES, PARENTS, strict=True)):
        if name == "Neck":
            bones.append(["UpperChest", "Chest", list(positions[bone] - [0, 0, 0.1]), list(positions[bone]), 1.0])
        above = "Root" if parent < 0 else "UpperChest" if name == "Neck" else BONES[parent]
        tail = positions[bone] + 0.1 * rng.normal(size=3)
        bones.append([name, above, list(positions[bone]), list(tail), float(rng.uniform(-3, 3))])
    return bones


def test_it_creates_an_armature_that_moves_like_the_person(tmp_path: Path, judge: Judge) -> None:
    port, out = free_port(socket.SOCK_DGRAM), tmp_path / "a.npz"
    with sent(port, groups(SUBJECT)):
        report = judge("live_in_blender.py", ADDON, str(port), out, "15", "[]")
    assert report["started"] == report["again"] == ["FINISHED"]
    assert report["ticking"]
    assert report["closed"]
    assert report["ended"]
    assert report["objects"] == 1
    assert report["bad"] > 10 * len(GARBAGE)
    assert sorted(report["names"]) == sorted(BONES)
    assert min(report["lengths"]) > 0.01
    assert report["panel"][:4] == ["address: 127.0.0.1", f"port: {port}", report["panel"][2], "pose_rig.stop"]
    assert report["panel"][4].endswith(" bad")
    assert report["panel"][5:] == ["solved", ""]
    assert len(report["indices"]) >= 15
    assert agree(of_blender(out, report), in_blender(SUBJECT, report["indices"]))


def test_it_moves_an_existing_character(tmp_path: Path, judge: Judge) -> None:
    port, out, size = free_port(socket.SOCK_DGRAM), tmp_path / "a.npz", 1.3
    bones = json.dumps(character(SUBJECT.rest, size))
    with sent(port, groups(SUBJECT)):
        report = judge("live_in_blender.py", ADDON, str(port), out, "15", bones)
    assert report["objects"] == 1
    assert len(report["names"]) == len(BONES) + 2
    assert agree(of_blender(out, report), in_blender(SUBJECT, report["indices"]), size)


def test_its_armature_follows_changes_of_bone_lengths(tmp_path: Path, judge: Judge) -> None:
    port, out = free_port(socket.SOCK_DGRAM), tmp_path / "a.npz"
    other = person(seed=4, seconds=5.0, rate_hz=2.0)
    count = len(SUBJECT.t_ns)
    with sent(port, [*groups(SUBJECT), *groups(other, first=count)]):
        report = judge("live_in_blender.py", ADDON, str(port), out, str(count + len(other.t_ns) - 2), "[]")
    assert report["objects"] == 1
    positions, rotations = of_blender(out, report)
    for subject, first in ((SUBJECT, 0), (other, count)):
        rows = [row for row, index in enumerate(report["indices"]) if 0 <= index - first < len(subject.t_ns)]
        expected = in_blender(subject, [report["indices"][row] - first for row in rows])
        assert len(rows) >= 8
        assert agree((positions[rows], rotations[rows]), expected)


def test_people_differ_enough_to_tell() -> None:
    other = person(seed=4, seconds=5.0, rate_hz=2.0)
    shank = INDEX["LeftFoot"]
    assert abs(SUBJECT.rest.offset[shank, 1] - other.rest.offset[shank, 1]) > 10 * CLOSE_M
