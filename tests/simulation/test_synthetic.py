"""Movement made from formulas is that of people, as far as it goes."""

import numpy as np
import pytest

from pose_rig.chirality import chirality
from pose_rig.simulation.bodies import heading, rotate
from pose_rig.simulation.clips import load_clips
from pose_rig.simulation.motion import MAX_SPEED_M_S, Clip, split
from pose_rig.simulation.synthetic import ANKLE_HEIGHT_M, MOVEMENTS, SYNTHETIC_MOTION, VARIATIONS, clips
from pose_rig.skeleton import INDEX, J


@pytest.fixture(scope="module")
def made() -> list[Clip]:
    return clips()


def test_it_is_deterministic_and_can_be_named_as_a_motion_file(made: list[Clip]) -> None:
    for one, other in zip(made, load_clips([SYNTHETIC_MOTION]), strict=True):
        np.testing.assert_array_equal(one.joints, other.joints)
        np.testing.assert_array_equal(one.root, other.root)
    assert len(made) == VARIATIONS * len(MOVEMENTS)
    assert len({clip.label for clip in split(made)[1]}) >= 4  # several kinds of movement are held back


def test_it_is_of_people_whose_bones_stay_and_whose_feet_do_not_sink(made: list[Clip]) -> None:
    for clip in made:
        joints = clip.joints.astype(float)
        assert joints.shape == (len(clip.root), J, 3)
        assert chirality(joints) > 0.4
        assert np.linalg.norm(np.diff(joints, axis=0), axis=-1).max() * clip.fps < MAX_SPEED_M_S / 2
        for a, b in (("r_hip", "r_knee"), ("l_knee", "l_ankle"), ("l_shoulder", "l_elbow"), ("r_elbow", "r_wrist")):
            length = np.linalg.norm(joints[:, INDEX[a]] - joints[:, INDEX[b]], axis=-1)
            assert np.ptp(length) < 1e-5
        ankles = joints[:, [INDEX["l_ankle"], INDEX["r_ankle"]], 1].min(1) + clip.root[:, 1]
        assert ankles.min() == pytest.approx(ANKLE_HEIGHT_M, abs=1e-5)


def test_trunks_bend_forward_and_walkers_move_forward(made: list[Clip]) -> None:
    for clip in made:
        body = rotate(heading(clip.joints.astype(float)), clip.joints.astype(float))
        if clip.label == "bending":
            assert body[:, INDEX["thorax"], 2].max() > 0.3  # the trunk leans forwards
        if clip.label in ("walking", "running"):
            step = np.diff(clip.root.astype(float), axis=0)[:, None]
            along = rotate(heading(clip.joints.astype(float))[1:], step)[:, 0]
            assert along[:, 2].mean() * clip.fps > 0.6  # m/s, forwards
            assert abs(along[:, 0]).mean() * clip.fps < 0.5
