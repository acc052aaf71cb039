"""Joints are found in the spellings of the field, and written in one."""

import pytest

from pose_rig.errors import UsageError
from pose_rig.joint_name import JointError, joint_index, joint_name
from pose_rig.session.formats.markers import marker_names
from pose_rig.skeleton import INDEX, JOINTS, SCHEMAS, extra_landmarks, landmarks

MEDIAPIPE = (*JOINTS, *extra_landmarks(landmarks("mediapipe33")))
HALPE = (*JOINTS, *extra_landmarks(landmarks("halpe26")))


@pytest.mark.parametrize(
    "spelling",
    ["r_hip", "right_hip", "RHip", "R_Hip", "rightHip", "RightHip", "hip_r", "hip_right", "RIGHT_HIP", "Right Hip",
     "right-hip", "rHip", "rhip", "righthip", "Hip_R", "RHIP", "R.Hip"],
)  # fmt: skip
def test_one_joint_has_many_spellings(spelling: str) -> None:
    assert joint_name(spelling) == "r_hip"


@pytest.mark.parametrize(
    ("spelling", "joint"),
    [
        ("Hip", "pelvis"), ("MidHip", "pelvis"), ("mid_hip", "pelvis"), ("root", "pelvis"), ("Pelvis", "pelvis"),
        ("MidShoulder", "thorax"), ("Thorax", "thorax"), ("Spine", "spine"), ("Nose", "nose"), ("Head", "head"),
        ("MidEar", "head"), ("LWrist", "l_wrist"), ("left_wrist", "l_wrist"), ("lwrist", "l_wrist"),
        ("wrist_l", "l_wrist"), ("LeftElbow", "l_elbow"), ("rShoulder", "r_shoulder"), ("RKnee", "r_knee"),
        ("LAnkle", "l_ankle"),
    ],
)  # fmt: skip
def test_names_of_coco_human36m_openpose_and_our_trc(spelling: str, joint: str) -> None:
    assert joint_index(spelling) == INDEX[joint]


def test_our_marker_names_are_found() -> None:
    for joint, marker in zip(MEDIAPIPE, marker_names(MEDIAPIPE, "opensim"), strict=True):
        assert joint_name(marker, MEDIAPIPE) == joint


@pytest.mark.parametrize("schema", ["mediapipe33", "coco17", "body25", "halpe26"])
def test_every_landmark_of_a_detector_is_found_by_the_detectors_own_name(schema: str) -> None:
    names = (*JOINTS, *extra_landmarks(landmarks(schema)))
    found = [joint_index(name, names) for name in SCHEMAS[schema]]
    assert len(set(found)) == len(found)


def test_further_landmarks_are_found_too() -> None:
    for spelling in ("left_foot_index", "LBigToe", "LEFT_FOOT_INDEX", "leftFootIndex", "big_toe_l"):
        assert joint_name(spelling, MEDIAPIPE) == "left_foot_index"
    for spelling in ("mouth_left", "LMouth", "left mouth"):
        assert joint_name(spelling, MEDIAPIPE) == "mouth_left"
    assert joint_name("MidHip", HALPE) == "mid_hip"  # a landmark of that very name comes first


@pytest.mark.parametrize("name", ["neck", "tail", "", "l", "l_pelvis", "left_root", "wrist", "hip_x_r", "head_top"])
def test_unknown_joints_are_refused(name: str) -> None:
    with pytest.raises(
        JointError, match=rf"^Unknown joint '{name}'\. (Did you mean .*\? )?The joints are pelvis, r_hip, "
    ):
        joint_index(name)


def test_names_in_other_scripts_are_distinguished() -> None:
    names = (*JOINTS, "手_l", "脚_l", "!")
    assert joint_index("l_手", names) == 17
    assert joint_index("left 脚", names) == 18
    for name in ("头", "头_l", "?"):
        with pytest.raises(JointError):
            joint_index(name, names)


def test_the_error_lists_similar_names_and_has_both_types() -> None:
    with pytest.raises(UsageError, match=r"Did you mean l_wrist or r_wrist\? The joints are") as caught:
        joint_index("left_writs")
    assert isinstance(caught.value, KeyError)
    assert caught.value.exit_code == 2
    with pytest.raises(JointError, match="Did you mean r_shoulder or l_shoulder"):
        joint_index("RShoulderr")


def test_of_whole_body_landmarks_not_all_are_listed() -> None:
    names = (*JOINTS, *extra_landmarks(landmarks("wholebody133")))
    with pytest.raises(JointError) as caught:
        joint_name("r_wirst", names)
    assert caught.value.remedy.startswith("Did you mean r_wrist or l_wrist? The joints are pelvis, r_hip, ")
    assert caught.value.remedy.endswith(f" and {len(names) - 40} more.")
    assert len(caught.value.remedy) < 600
