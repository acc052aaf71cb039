"""glTF as Khronos' own validator sees it."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from pose_rig.session.formats.bone_names import CONVENTIONS, BoneNaming
from pose_rig.session.formats.gltf import MovingPerson, write_people_gltf
from tests.session.formats.test_gltf import two_people
from tests.session.motions import motion

pytestmark = pytest.mark.foreign


@pytest.fixture
def node() -> str:
    """Returns the path of a Node.js that has the validator."""
    node = shutil.which("node")
    folders = [
        Path(folder) / "gltf-validator" for folder in os.environ.get("NODE_PATH", "").split(os.pathsep) if folder
    ]
    if node is None or not any(folder.exists() for folder in folders):
        pytest.skip("needs Node.js and gltf-validator: make test-foreign")
    return node


@pytest.mark.parametrize("count", [1, 600])
@pytest.mark.parametrize("suffix", ["glb", "gltf"])
@pytest.mark.parametrize("names", CONVENTIONS)
def test_it_has_nothing_to_say(tmp_path: Path, node: str, names: BoneNaming, suffix: str, count: int) -> None:
    path = tmp_path / f"walk.{suffix}"
    write_people_gltf(path, [MovingPerson(motion(np.random.default_rng(7), count), 1.75, True)], names=names)
    script = Path(__file__).with_name("validate_gltf.js")
    done = subprocess.run([node, str(script), str(path)], capture_output=True, text=True, check=True)
    report = json.loads(done.stdout)
    assert report["issues"]["messages"] == []
    assert report["info"]["animationCount"] == 1
    assert report["info"]["hasSkins"]


def test_it_would_find_fault(tmp_path: Path, node: str) -> None:
    path = tmp_path / "walk.gltf"
    moved = motion(np.random.default_rng(7), 3)
    moved.t_ns[2] = moved.t_ns[1]
    write_people_gltf(path, [MovingPerson(moved, 1.75, True)])
    script = Path(__file__).with_name("validate_gltf.js")
    done = subprocess.run([node, str(script), str(path)], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["issues"]["numErrors"] > 0


@pytest.mark.parametrize("suffix", ["glb", "gltf"])
def test_it_has_nothing_to_say_of_two_figures(tmp_path: Path, node: str, suffix: str) -> None:
    path = tmp_path / f"two.{suffix}"
    two_people(path)
    script = Path(__file__).with_name("validate_gltf.js")
    done = subprocess.run([node, str(script), str(path)], capture_output=True, text=True, check=True)
    report = json.loads(done.stdout)
    assert report["issues"]["messages"] == []
    assert report["info"]["animationCount"] == 1
    assert report["info"]["hasSkins"]
