"""The Godot script is parsed and linted, no more: Godot comes from no package registry, so it was not run here."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pose_rig.humanoid.bones import BONES

EXAMPLE = Path(__file__).parents[2] / "examples" / "godot" / "pose_rig_receiver.gd"
# of SkeletonProfileHumanoid, Godot 4
PROFILE = {
    "Root", "Hips", "Spine", "Chest", "UpperChest", "Neck", "Head", "LeftShoulder", "LeftUpperArm", "LeftLowerArm",
    "LeftHand", "RightShoulder", "RightUpperArm", "RightLowerArm", "RightHand", "LeftUpperLeg", "LeftLowerLeg",
    "LeftFoot", "LeftToes", "RightUpperLeg", "RightLowerLeg", "RightFoot", "RightToes",
}  # fmt: skip


@pytest.mark.parametrize("name", ["gdparse", "gdlint"])
def test_it_is_gdscript(name: str) -> None:
    beside = Path(sys.executable).with_name(name)
    tool = str(beside) if beside.exists() else shutil.which(name)
    if tool is None:
        pytest.skip("needs gdtoolkit: pip install gdtoolkit")
    done = subprocess.run([tool, str(EXAMPLE)], capture_output=True, text=True, timeout=60, cwd=EXAMPLE.parent)
    assert done.returncode == 0, done.stdout + done.stderr


def test_bones_have_the_names_of_its_humanoid() -> None:
    assert set(BONES) <= PROFILE
