"""The solver on captured motion: positions, flips, and rotations found again on other people."""

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.humanoid.bones import BONES, INDEX, JOINT_OF, Motion, forward_kinematics
from pose_rig.humanoid.retarget import retarget
from pose_rig.skeleton import JOINTS, J
from tests.streaming.captured.motion import Clip, clips
from tests.streaming.people import ALL, angles_deg, joints_of, random_rest, steps_deg

LARGEST_FLIP_DEG = 60.0
LARGEST_MISS_MM = 15.0
HEIGHT_M = 1.75
# data set → every so many-th clip, and seconds of it, so that this stays quick
PARTS = {"cmu_subset": (12, 6.0), "opencap_subset": (5, 5.0), "reactidle": (4, 15.0)}
STRAIGHT_DEG = 15.0  # 17 joints do not determine the twist of a straighter limb
LIMBS = [INDEX[side + bone] for side in ("Left", "Right") for bone in ("UpperArm", "LowerArm", "UpperLeg", "LowerLeg")]
BEND_OF = [INDEX[BONES[i].replace("Upper", "Lower")] for i in LIMBS]
SEEN = {INDEX[bone]: JOINTS.index(joint) for bone, joint in JOINT_OF.items() if bone != "Hips"}


def solved(clip: Clip, *, extras: bool = True) -> Motion:
    score = np.ones(clip.xyz.shape[:2])
    score[:, J:] = float(extras)
    return retarget(clip.joints, clip.t_ns, clip.xyz, score)


def misses_mm(clip: Clip, motion: Motion) -> Floats:
    begin, _ = forward_kinematics(motion.rest, motion.root, motion.rotation)
    ways = begin[:, list(SEEN)] - clip.xyz[:, list(SEEN.values())]
    return np.asarray(np.linalg.norm(ways, axis=-1).ravel() * 1e3)


@pytest.mark.parametrize("extras", [True, False])
@pytest.mark.parametrize("name", PARTS)
def test_joints_are_reproduced_and_nothing_flips(name: str, extras: bool) -> None:
    misses = []
    for clip in clips(name, *PARTS[name]):
        motion = solved(clip, extras=extras)
        misses.append(misses_mm(clip, motion))
        assert steps_deg(motion.rotation).max() < LARGEST_FLIP_DEG, clip.name
    assert np.median(np.concatenate(misses)) < LARGEST_MISS_MM / 2
    assert np.percentile(np.concatenate(misses), 95) < 2 * LARGEST_MISS_MM


@pytest.mark.parametrize("sd_m", [0.0, 0.010, 0.015])
@pytest.mark.parametrize("name", PARTS)
def test_nothing_flips_at_30_hz_or_with_noise(name: str, sd_m: float) -> None:
    rng = np.random.default_rng(11)
    for clip in clips(name, *PARTS[name]):
        motion = solved(clip.slower(30).noisy(sd_m, rng))
        assert steps_deg(motion.rotation).max() < LARGEST_FLIP_DEG, clip.name


@pytest.mark.parametrize("extras", [True, False])
@pytest.mark.parametrize("name", PARTS)
def test_captured_rotations_are_recovered_on_another_subject(name: str, extras: bool) -> None:
    rng, errors = np.random.default_rng(2), []
    for clip in clips(name, *PARTS[name]):
        truth = solved(clip)
        rest = random_rest(HEIGHT_M, rng)
        xyz = joints_of(rest, truth.root, truth.rotation, HEIGHT_M, rng)
        score = np.ones(xyz.shape[:2])
        score[:, J:] = float(extras)
        again = retarget(ALL, clip.t_ns, xyz, score, height_m=HEIGHT_M)
        error = angles_deg(again.rotation, truth.rotation)[:, LIMBS]
        bend = angles_deg(truth.rotation[:, BEND_OF], np.array([0.0, 0.0, 0.0, 1.0]))
        errors.append(np.where(extras | (bend > STRAIGHT_DEG), error, np.nan))
    medians = np.nanmedian(np.concatenate(errors), 0)
    assert medians.max() < 5, dict(zip([BONES[i] for i in LIMBS], medians.round(1), strict=True))
