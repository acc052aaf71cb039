"""The Unity script, compiled against a stub of UnityEngine and run by Mono; not run in Unity."""

import base64
import re
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.humanoid.bones import BONES, PARENTS, RestPose, forward_kinematics, inverse, multiply, rotate
from pose_rig.streaming.axes import UNITY
from pose_rig.streaming.json_frames import frame, schema
from tests.streaming.live import live
from tests.streaming.people import angles_deg, person

EXAMPLE = Path(__file__).parents[2] / "examples" / "unity" / "PoseRigReceiver.cs"
BESIDE = Path(__file__).parent
CLOSE_M, CLOSE_DEG = 1e-3, 0.2
SUBJECT = person(seed=5, seconds=10.0, rate_hz=2.0, tumbling=True)
SCHEMA, FRAME = schema(live(SUBJECT), UNITY), frame(live(SUBJECT), UNITY)
# the avatar is larger than the person and has more bones; its GameObject is translated, rotated and scaled
SIZE, SCALE, PLACE, TURN = 1.4, 0.5, np.array([3.0, 0.2, -1.0]), np.array([0.1, 0.7, -0.1, 0.7])
GARBAGE = (
    b" ", b"\xff\xfe", b"[1, 2]", b"null", b"{}", b"[" * 5000, b'{"type":"frame"}', b'{"type":"frame","root":[1,2,3]',
    b'{"type":"frame","root":[[1,2,3}', FRAME.replace(b'"root":[', b'"root":[1e39,'), FRAME[: len(FRAME) // 3],
    re.sub(rb'"rotations":\[\[[^]]*', b'"rotations":[[0,0,0,0', FRAME), FRAME.replace(b'"root":[', b'"root":["a",'),
    SCHEMA.replace(b'"bone_parents":[-1,0', b'"bone_parents":[-1,7'), SCHEMA.replace(b'"bones"', b'"bone"'),
)  # fmt: skip


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Returns the command that plays Unity."""
    compiler, runtime = shutil.which("mcs"), shutil.which("mono")
    if compiler is None or runtime is None:
        pytest.skip("needs Mono's compiler and runtime: apt-get install mono-mcs mono-runtime")
    made = tmp_path_factory.mktemp("unity") / "program.exe"
    files = [EXAMPLE, BESIDE / "unity_stub.cs", BESIDE / "unity_program.cs"]
    command = [compiler, "-warnaserror", "-warn:4", f"-out:{made}", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return [runtime, str(made)]


def places_at_rest(rest: RestPose) -> Floats:
    """Returns (B,3) m the starts of the bones in Unity's axes."""
    return UNITY.points(forward_kinematics(rest, rest.offset[0], np.eye(4)[[3] * len(BONES)])[0])


def avatar(rest: RestPose) -> str:
    """Returns an avatar with random rest rotations."""
    rng = np.random.default_rng(2)
    turn = TURN / np.linalg.norm(TURN)
    lines = [" ".join(map(str, ["Avatar", "-", *PLACE, *turn, SCALE]))]
    places = SIZE * places_at_rest(rest)
    at = {"Avatar": (np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]))}
    for bone, (name, parent) in enumerate(zip(BONES, PARENTS, strict=True)):
        above = BONES[parent] if parent >= 0 else "Avatar"
        if name in ("Neck", "LeftLowerArm"):
            between = 0.5 * (places[bone] + at[above][0])
            lines.append(hung(f"Between{name}", above, between, rng, at))
            above = f"Between{name}"
        lines.append(hung(name, above, places[bone], rng, at))
    return "\n".join(lines)


def hung(name: str, above: str, place: Floats, rng: np.random.Generator, at: dict[str, tuple[Floats, Floats]]) -> str:
    """Returns the line of a randomly rotated child transform, and stores its position."""
    turned = rng.normal(size=4)
    turned /= np.linalg.norm(turned)
    at[name] = place, turned
    parent_place, parent_turned = at[above]
    back = inverse(parent_turned)
    local = rotate(back, place - parent_place)
    return " ".join(map(str, [name, above, *local, *multiply(back, turned), 1.0]))


def played(program: list[str], folder: Path, steps: Sequence[Sequence[bytes]]) -> tuple[Floats, Floats, list[str]]:
    """Returns (T,B,3) m positions and (T,B,4) rotations after each step, and the final state of the receiver."""
    path, sent = folder / "avatar.txt", folder / "datagrams.txt"
    path.write_text(avatar(SUBJECT.rest))
    sent.write_text("\n".join("\n".join([*(base64.b64encode(one).decode() for one in step), "-"]) for step in steps))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    done = subprocess.run([*program, str(path), str(sent), port], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
    *printed, state = done.stdout.splitlines()
    names = [line.split()[0] for line in path.read_text().splitlines()]
    found = np.array([[float(number) for number in line.split()] for line in printed]).reshape(-1, len(names), 7)
    found = found[:, [names.index(bone) for bone in BONES]]
    return found[..., :3], found[..., 3:], state.split("|")


def in_the_scene(points: Floats) -> Floats:
    """Returns points of the avatar's own space where its GameObject puts them."""
    return np.asarray(PLACE + rotate(TURN / np.linalg.norm(TURN), SCALE * points))


def test_the_avatar_moves_like_the_person(program: list[str], tmp_path: Path) -> None:
    frames = [frame(live(SUBJECT, i), UNITY) for i in range(len(SUBJECT.t_ns))]
    old = frames[3]
    steps = [[], *([SCHEMA, old, *GARBAGE, new, *GARBAGE] for new in frames)]
    found, turned, state = played(program, tmp_path, steps)
    places, turns = forward_kinematics(SUBJECT.rest, SUBJECT.root, SUBJECT.rotation)
    assert len(found) == 21
    assert np.linalg.norm(found[1:] - in_the_scene(SIZE * UNITY.points(places)), axis=-1).max() < CLOSE_M
    at_rest = multiply(inverse(TURN / np.linalg.norm(TURN)), turned[0])
    expected = multiply(TURN / np.linalg.norm(TURN), multiply(UNITY.rotations(turns), at_rest))
    assert angles_deg(turned[1:], expected).max() < CLOSE_DEG
    assert state == [str(2 * len(frames)), str(2 * len(GARBAGE) * len(frames)), "solved", "True", ""]


def test_invalid_data_is_ignored(program: list[str], tmp_path: Path) -> None:
    found, _, state = played(program, tmp_path, [[FRAME], [SCHEMA, *GARBAGE], [FRAME], GARBAGE, []])
    at_rest = in_the_scene(SIZE * places_at_rest(SUBJECT.rest))
    np.testing.assert_allclose(found[:2], np.stack([at_rest] * 2), atol=1e-5)
    assert np.abs(found[2] - at_rest).max() > 0.05
    np.testing.assert_allclose(found[3:], np.stack([found[2]] * 2), atol=1e-6)
    assert state[:2] == ["1", str(2 * len(GARBAGE))]


def test_wrong_axes_are_reported(program: list[str], tmp_path: Path) -> None:
    state = played(program, tmp_path, [[SCHEMA.replace(b'"axes":"unity"', b'"axes":"unreal"'), FRAME]])[2]
    assert state == ["0", "0", "", "False", "Sent in axes unreal: use --json HOST:PORT/unity"]
