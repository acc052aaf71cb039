from dataclasses import replace

import numpy as np
import pytest

from pose_rig.errors import PoseRigError, UsageError
from pose_rig.session.formats.markers import Markers, marker_names, scale
from pose_rig.skeleton import JOINTS, extra_landmarks, landmarks
from tests.session.posed import NAMES, made, with_gaps

# Markers_BlazePose.xml and Markers_Halpe26.xml of Pose2Sim 0.10.49
BLAZEPOSE = (
    "Nose LEye REye LShoulder RShoulder LElbow RElbow LWrist RWrist LHip RHip LKnee RKnee LAnkle RAnkle LBigToe LHeel "
    "RBigToe RHeel RThumb RPinky RIndex LThumb LPinky LIndex"
)
HALPE_26 = (
    "Nose Head Neck LShoulder RShoulder LElbow RElbow LWrist RWrist Hip LHip RHip LKnee RKnee LAnkle RAnkle LBigToe "
    "LSmallToe LHeel RBigToe RSmallToe RHeel"
)


def test_every_marker_of_pose2sims_models_is_there_under_its_name() -> None:
    assert set(marker_names(NAMES, "opensim")) >= set(BLAZEPOSE.split())
    halpe = (*JOINTS, *extra_landmarks(landmarks("halpe26")))
    assert set(marker_names(halpe, "opensim")) >= set(HALPE_26.split())


def test_markers_at_other_positions_have_other_names() -> None:
    names = dict(zip(NAMES, marker_names(NAMES, "opensim"), strict=True))
    assert (names["thorax"], names["head"]) == ("MidShoulder", "MidEar")
    assert not {"Neck", "Head"} & set(names.values())


def test_our_names_can_be_kept_and_others_too() -> None:
    assert marker_names(NAMES, "rig") == NAMES
    assert marker_names(("r_hip", "LHeel", "my stick"), "opensim") == ("RHip", "LHeel", "my_stick")


def test_no_two_markers_have_the_same_name() -> None:
    twice = ("left_foot_index", "left_big_toe")
    assert marker_names(twice, "opensim") == twice


def test_missing_and_guessed_joints_are_gaps() -> None:
    gap = np.asarray(np.isnan(Markers.from_poses(with_gaps()).xyz).any(-1))
    assert gap[1].all()
    assert gap[2].tolist() == [False] * (len(NAMES) - 1) + [True]
    assert not gap[[0, 3, 4, 5]].any()


def test_another_rate_resamples_the_markers() -> None:
    markers = Markers.from_poses(made(61), 25.0)
    assert markers.rate_hz == 25.0
    np.testing.assert_allclose(markers.xyz[:, 0, 0], np.arange(26) / 25, atol=1e-6)


def test_an_assumed_height_is_reported() -> None:
    assert scale(made()) == "height 1.82 m as given"
    assumed = replace(made(), height_m=1.7, height_assumed=True)
    assert scale(assumed) == "height of 1.70 m ASSUMED, lengths are not true metres"


def test_a_single_pose_has_no_rate() -> None:
    with pytest.raises(PoseRigError, match=r"needs at least two poses; there are 1\. Choose a longer part"):
        Markers.from_poses(made(1))


@pytest.mark.parametrize("rate_hz", [0.0, -30.0, float("nan"), float("inf")])
def test_a_rate_that_is_invalid_is_refused(rate_hz: float) -> None:
    with pytest.raises(UsageError, match=r"must be a positive number; got .*\. Give frames per second: --rate 60\."):
        Markers.from_poses(made(), rate_hz)


def test_parts_are_separated_by_frames_without_markers() -> None:
    poses = with_gaps(8)
    poses.xyz[-1] = np.nan
    assert Markers.from_poses(poses).parts_s == ((0.0, 0.0), (2 / 60, 6 / 60))
    poses.xyz[:] = np.nan
    assert Markers.from_poses(poses).parts_s == ()
