"""A real skeleton, moved by our datagrams: three.js and @pixiv/three-vrm load it, osc-min decodes them."""

import json
import os
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.humanoid.bones import JOINT_OF
from pose_rig.humanoid.retarget import retarget
from pose_rig.humanoid.vrm import load_vrm
from pose_rig.skeleton import JOINTS
from pose_rig.streaming.vmc import Root, VmcEncoder
from tests.streaming.captured.datagrams import captured
from tests.streaming.live import live
from tests.streaming.people import ALL, Person, person
from tests.streaming.vrm_files import model_of, write_vrm

pytestmark = pytest.mark.foreign
SCRIPT = Path(__file__).with_name("vmc_into_three_vrm.mjs")
MODULES = ("osc-min", "three", "@pixiv/three-vrm")
FACING = {0: (-1.0, 1.0, -1.0), 1: (1.0, 1.0, 1.0)}  # a VRM 0 looks along −z in three.js
COLUMNS = [JOINTS.index(joint) for joint in JOINT_OF.values()]
Receiver = Callable[[Path, Iterable[bytes | bytearray]], Floats]


@pytest.fixture
def receiver(tmp_path: Path) -> Receiver:
    """Returns ``receiver(avatar, datagrams)``: (T,13,3) m, where the bones of `JOINT_OF` are after every frame."""
    node = shutil.which("node")
    folders = [Path(folder) for folder in os.environ.get("NODE_PATH", "").split(os.pathsep) if folder]
    folder = next((f for f in folders if all((f / module).exists() for module in MODULES)), None)
    if node is None or folder is None:
        pytest.skip("needs Node.js, three, @pixiv/three-vrm and osc-min: make test-foreign")
    (tmp_path / "node_modules").symlink_to(folder)  # modules of this kind are not looked for in NODE_PATH
    script = shutil.copy(SCRIPT, tmp_path)

    def play(avatar: Path, datagrams: Iterable[bytes | bytearray]) -> Floats:
        file = tmp_path / "datagrams"
        file.write_bytes(b"".join(struct.pack("<I", len(one)) + one for one in datagrams))
        done = subprocess.run([node, script, avatar, file], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr[-3000:]
        told: dict[str, Any] = json.loads(done.stdout)
        places = [[frame[bone] for bone in JOINT_OF] for frame in told["seen"]]
        return np.array(places) * FACING[int(told["version"])]

    return play


def off_mm(places: Floats, wanted: Floats) -> float:
    """Returns how far the worst bone is off, in any frame."""
    assert places.shape == wanted.shape
    return float(np.linalg.norm(places - wanted, axis=-1).max() * 1e3)


def sent(avatar: Path, subject: Person, count: int, root: Root = "hips") -> list[bytes]:
    encoder = VmcEncoder(load_vrm(avatar), root=root)
    return [bytes(one) for i in range(count) for one in encoder.encode(live(subject, i), int(subject.t_ns[i]) + 1)]


@pytest.mark.parametrize("root", ["hips", "root"])
@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize("version", [0, 1])
def test_an_avatar_with_the_bones_of_the_person_takes_their_pose(
    tmp_path: Path, receiver: Receiver, version: int, seed: int | None, root: Root
) -> None:
    subject = person(6, seconds=1.0)
    avatar = write_vrm(tmp_path / "me.vrm", model_of(subject.rest, version, seed=seed))
    places = receiver(avatar, sent(avatar, subject, 60, root))
    assert off_mm(places, subject.xyz[:, COLUMNS]) < 0.1


@pytest.mark.parametrize("version", [0, 1])
def test_it_takes_a_retargeted_pose(tmp_path: Path, receiver: Receiver, version: int) -> None:
    subject = person(7, seconds=4.0)
    motion = retarget(ALL, subject.t_ns, subject.xyz, np.ones(subject.xyz.shape[:2]))
    solved = replace(subject, rest=motion.rest, root=motion.root, rotation=motion.rotation)
    avatar = write_vrm(tmp_path / "me.vrm", model_of(solved.rest, version, seed=version or None))
    places = receiver(avatar, sent(avatar, solved, len(solved.t_ns)))
    assert off_mm(places, subject.xyz[:, COLUMNS]) < 20


def test_it_takes_the_pose_that_came_over_the_network(tmp_path: Path, receiver: Receiver) -> None:
    moving = person(8, seconds=4.0)
    motion = retarget(ALL, moving.t_ns, moving.xyz, np.ones(moving.xyz.shape[:2]))
    avatar = write_vrm(tmp_path / "me.vrm", model_of(motion.rest, 1, seed=2))
    stopped = np.minimum(np.arange(90), 59)  # what came last is then what is shown
    datagrams = captured(["unity"], replace(moving, xyz=moving.xyz[stopped]), 90, str(avatar))["unity"]
    places = receiver(avatar, (one.data for one in datagrams))
    assert off_mm(places[-1], moving.xyz[59, COLUMNS]) < 20


def test_it_would_be_seen_if_the_avatars_nodes_were_left_out_of_account(tmp_path: Path, receiver: Receiver) -> None:
    subject = person(6, seconds=0.1)
    tidy = write_vrm(tmp_path / "tidy.vrm", model_of(subject.rest, 1))
    turned = write_vrm(tmp_path / "turned.vrm", model_of(subject.rest, 1, seed=3))
    assert off_mm(receiver(turned, sent(tidy, subject, 6)), subject.xyz[:6, COLUMNS]) > 100
