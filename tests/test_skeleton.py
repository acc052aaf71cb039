import numpy as np
import pytest
from numpy.typing import NDArray

from pose_rig.errors import UsageError
from pose_rig.skeleton import (
    BONES,
    INDEX,
    JOINT_SET,
    JOINTS,
    LIMBS,
    MIRROR,
    PARENTS,
    SCHEMAS,
    J,
    extra_landmarks,
    joint_names,
    joint_set,
    landmarks,
    other_side,
    parent_of,
    schema_name,
)

DETECTORS = ("mediapipe33", "coco17", "body25", "halpe26", "coco18", "wholebody133", "halpe136")


def coded(names: tuple[str, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns landmarks of which each stands at (its number, 100 × its number), all seen."""
    numbers = np.arange(len(names), dtype=float)
    return np.stack([numbers, 100 * numbers], -1), np.ones(len(names))


def test_the_joints_are_those_of_the_interchange_format() -> None:
    assert " ".join(JOINTS) == (
        "pelvis r_hip r_knee r_ankle l_hip l_knee l_ankle spine thorax nose head "
        "l_shoulder l_elbow l_wrist r_shoulder r_elbow r_wrist"
    )
    assert J == 17


def test_the_skeleton_is_one_tree() -> None:
    assert len(BONES) == J - 1
    for joint in range(J):
        seen = set()
        while PARENTS[joint] != joint:
            assert joint not in seen
            seen.add(joint)
            joint = PARENTS[joint]
        assert joint == INDEX["pelvis"]


def test_mirroring_swaps_left_and_right_and_twice_is_nothing() -> None:
    for joint, name in enumerate(JOINTS):
        other = JOINTS[MIRROR[joint]]
        swapped = {"l_": "r_", "r_": "l_"}.get(name[:2], name[:2]) + name[2:]
        assert other == swapped
        assert MIRROR[MIRROR[joint]] == joint
        assert JOINTS[PARENTS[MIRROR[joint]]] == JOINTS[MIRROR[PARENTS[joint]]]


def test_limbs_are_the_joints_with_a_side() -> None:
    assert {JOINTS[joint] for joint in LIMBS} == {name for name in JOINTS if name[1] == "_"}


@pytest.mark.parametrize(
    ("schema", "count"),
    [
        ("mediapipe33", 33), ("coco17", 17), ("body25", 25), ("halpe26", 26), ("coco18", 18), ("wholebody133", 133),
        ("halpe136", 136),
    ],
)  # fmt: skip
def test_every_set_has_its_landmarks_once(schema: str, count: int) -> None:
    assert len(SCHEMAS[schema]) == len(set(SCHEMAS[schema])) == count


# Numbers from each detector's own documentation.
@pytest.mark.parametrize(
    ("schema", "joint", "sources"),
    [
        ("mediapipe33", "nose", [0]),
        ("mediapipe33", "head", [7, 8]),
        ("mediapipe33", "l_shoulder", [11]),
        ("mediapipe33", "r_wrist", [16]),
        ("mediapipe33", "pelvis", [23, 24]),
        ("mediapipe33", "r_ankle", [28]),
        ("mediapipe33", "thorax", [11, 12]),
        ("mediapipe33", "spine", [11, 12, 23, 24]),
        ("coco17", "head", [3, 4]),
        ("coco17", "l_elbow", [7]),
        ("coco17", "pelvis", [11, 12]),
        ("coco17", "r_knee", [14]),
        ("body25", "r_elbow", [3]),
        ("body25", "l_wrist", [7]),
        ("body25", "pelvis", [9, 12]),
        ("body25", "thorax", [2, 5]),
        ("body25", "head", [17, 18]),
        ("body25", "l_ankle", [14]),
        ("halpe26", "l_hip", [11]),
        ("halpe26", "head", [3, 4]),
        ("halpe26", "pelvis", [11, 12]),
        ("coco18", "r_wrist", [4]),
        ("coco18", "head", [16, 17]),
        ("wholebody133", "nose", [0]),
        ("wholebody133", "l_wrist", [9]),
        ("wholebody133", "r_ankle", [16]),
        ("halpe136", "l_ankle", [15]),
    ],
)
def test_a_joint_is_the_mean_of_its_landmarks(schema: str, joint: str, sources: list[int]) -> None:
    mapping = landmarks(schema)
    xy, score = mapping.to_joints(*coded(mapping.names))
    mean = np.mean(sources)
    np.testing.assert_allclose(xy[INDEX[joint]], [mean, 100 * mean])
    assert score[INDEX[joint]] == 1


@pytest.mark.parametrize("schema", DETECTORS)
def test_every_detector_gives_every_joint(schema: str) -> None:
    mapping = landmarks(schema)
    _, score = mapping.to_joints(*coded(mapping.names))
    assert (score == 1).all()


def test_our_own_joints_map_to_themselves() -> None:
    mapping = landmarks(JOINT_SET)
    xy, _ = mapping.to_joints(*coded(JOINTS))
    expected = coded(JOINTS)[0]
    expected[INDEX["spine"]] = 7.5, 750  # the spine is by definition the middle of hips and shoulders
    np.testing.assert_allclose(xy, expected)


@pytest.mark.parametrize("schema", DETECTORS)
def test_a_joint_has_the_lowest_score_of_its_landmarks(schema: str) -> None:
    mapping = landmarks(schema)
    xy, score = coded(mapping.names)
    score[mapping.names.index("left_hip")] = 0.25
    _, joints_score = mapping.to_joints(xy, score)
    names = {JOINTS[j] for j in np.flatnonzero(joints_score == 0.25)}
    assert names == {"pelvis", "l_hip", "spine"}


@pytest.mark.parametrize("lost", [{"score": 0.0, "xy": 5.0}, {"score": 1.0, "xy": np.nan}])
def test_an_invisible_landmark_hides_its_joints(lost: dict[str, float]) -> None:
    mapping = landmarks("coco17")
    xy, score = coded(mapping.names)
    shoulder = mapping.names.index("left_shoulder")
    xy[shoulder], score[shoulder] = lost["xy"], lost["score"]
    joints, joints_score = mapping.to_joints(xy, score)
    assert {JOINTS[j] for j in np.flatnonzero(joints_score == 0)} == {"l_shoulder", "thorax", "spine"}
    assert (joints[joints_score == 0] == 0).all()
    assert np.isfinite(joints).all()


def test_one_ear_is_enough_for_the_head() -> None:
    mapping = landmarks("coco17")
    xy, score = coded(mapping.names)
    score[mapping.names.index("left_ear")], score[mapping.names.index("right_ear")] = 0, 0.5
    joints, joints_score = mapping.to_joints(xy, score)
    right_ear = mapping.names.index("right_ear")
    np.testing.assert_allclose(joints[INDEX["head"]], [right_ear, 100 * right_ear])
    assert joints_score[INDEX["head"]] == 0.5
    assert mapping.has_one_ear(score)
    score[mapping.names.index("right_ear")] = 0
    assert not mapping.has_one_ear(score)
    assert mapping.has_one_ear(np.ones((3, len(mapping.names)))).tolist() == [False] * 3


def test_any_number_of_people_and_frames() -> None:
    mapping = landmarks("coco17")
    xy, score = coded(mapping.names)
    many_xy, many_score = mapping.to_joints(np.tile(xy, (3, 0, 2, 1, 1)), np.tile(score, (3, 0, 2, 1)))
    assert many_xy.shape == (3, 0, 2, J, 2)
    assert many_score.shape == (3, 0, 2, J)


def test_named_landmarks_in_other_spellings() -> None:
    names = "Nose,LShoulder,RShoulder,l_hip,r_hip,LEFT_KNEE"
    mapping = landmarks(names)
    assert mapping.name == names
    xy, score = mapping.to_joints(*coded(mapping.names))
    found = {JOINTS[j]: xy[j, 0] for j in np.flatnonzero(score)}
    assert found == {
        "nose": 0,
        "l_shoulder": 1,
        "r_shoulder": 2,
        "l_hip": 3,
        "r_hip": 4,
        "l_knee": 5,
        "pelvis": 3.5,
        "thorax": 1.5,
        "spine": 2.5,
    }


@pytest.mark.parametrize("schema", ["nonsense", "", "nose,left_hip", "left_hip,left_hip,right_hip"])
def test_a_set_without_hips_and_shoulders_is_refused(schema: str) -> None:
    with pytest.raises(UsageError, match=r"^The landmark set .* is unknown or lacks hips and shoulders") as caught:
        landmarks(schema)
    assert "mediapipe33" in caught.value.remedy


def test_a_joint_set_is_one_word_in_messages() -> None:
    assert joint_set(JOINTS) == JOINT_SET
    names = (*JOINTS, "left_heel", "right_ear")
    assert joint_set(names) == "rig17,left_heel,right_ear"
    assert joint_names(joint_set(names)) == names
    assert joint_names(JOINT_SET) == JOINTS
    assert joint_names("left_hip,right_hip") == ("left_hip", "right_hip")


@pytest.mark.parametrize("schema", [*DETECTORS, JOINT_SET])
def test_extra_landmarks_are_not_joints(schema: str) -> None:
    mapping = landmarks(schema)
    extra = extra_landmarks(mapping)
    alone = (mapping.weights == 1).any(0)  # a joint is this landmark and no other
    assert not set(extra) & {name for name, joint in zip(mapping.names, alone, strict=True) if joint}
    assert [name for name in mapping.names if name in extra] == list(extra)


def test_the_extra_landmarks_of_mediapipe_are_feet_hands_and_face() -> None:
    extra = extra_landmarks(landmarks("mediapipe33"))
    assert len(extra) == 33 - 13
    assert {"left_heel", "right_foot_index", "left_thumb", "right_pinky", "left_ear", "mouth_right"} < set(extra)
    assert extra_landmarks(landmarks("coco17")) == ("left_eye", "right_eye", "left_ear", "right_ear")
    assert extra_landmarks(landmarks(JOINT_SET)) == ()


def test_the_side_of_an_extra_landmark_may_come_last() -> None:
    assert [parent_of(name) for name in ("Heel_L", "heel-left", "big_toe_r")] == ["l_ankle", "l_ankle", "r_ankle"]
    assert other_side(("Eye_L", "nose", "Eye_R")) == (2, 1, 0)


def test_extra_landmarks_in_other_spellings() -> None:
    names = "Nose,LShoulder,RShoulder,l_hip,r_hip,LEFT_KNEE,LHeel,left_tail"
    assert extra_landmarks(landmarks(names)) == ("LHeel", "left_tail")


@pytest.mark.parametrize(
    ("landmark", "joint"),
    [
        ("left_heel", "l_ankle"),
        ("right_foot_index", "r_ankle"),
        ("left_small_toe", "l_ankle"),
        ("RBigToe", "r_ankle"),
        ("left_index", "l_wrist"),
        ("right_thumb", "r_wrist"),
        ("l_pinky", "l_wrist"),
        ("left_eye_inner", "head"),
        ("right_ear", "head"),
        ("mouth_left", "head"),
        ("head_top", "head"),
        ("neck", "thorax"),
        ("mid_hip", "pelvis"),
    ],
)
def test_an_extra_landmark_has_a_parent_joint(landmark: str, joint: str) -> None:
    assert parent_of(landmark) == joint


@pytest.mark.parametrize("schema", DETECTORS)
def test_every_extra_landmark_has_a_parent_on_its_side(schema: str) -> None:
    for name in extra_landmarks(landmarks(schema)):
        joint = parent_of(name)
        assert joint in JOINTS
        if joint[1] == "_":
            assert joint[0] == name[0]


# Numbers from the documentation of COCO-WholeBody: 17 of the body, 6 of the feet, 68 of the face, 21 of each hand.
@pytest.mark.parametrize(
    ("place", "name"),
    [
        (0, "nose"), (16, "right_ankle"), (17, "left_foot_index"), (18, "left_small_toe"), (19, "left_heel"),
        (22, "right_heel"), (23, "right_jaw_0"), (31, "chin"), (39, "left_jaw_0"), (40, "right_brow_0"),
        (53, "nose_tip"), (56, "nose_base"), (59, "right_eyelid_0"), (68, "left_eyelid_0"), (71, "mouth_right"),
        (77, "mouth_left"), (83, "right_inner_lip"), (87, "left_inner_lip"), (91, "left_hand"), (93, "left_thumb"),
        (95, "left_thumb_tip"), (96, "left_index"), (99, "left_index_tip"), (103, "left_middle_tip"),
        (107, "left_ring_tip"), (108, "left_pinky"), (111, "left_pinky_tip"), (112, "right_hand"),
        (116, "right_thumb_tip"), (132, "right_pinky_tip"),
    ],
)  # fmt: skip
def test_the_places_of_the_whole_body(place: int, name: str) -> None:
    assert SCHEMAS["wholebody133"][place] == name
    if place >= 23:
        assert SCHEMAS["halpe136"][place + 3] == name


def test_every_landmark_has_a_counterpart_on_the_other_side() -> None:
    names = set(SCHEMAS["wholebody133"])
    for name in names:
        for side, other in (("left", "right"), ("right", "left")):
            if side in name:
                assert name.replace(side, other) in names


def test_hands_and_face_have_wrists_and_head_as_parents() -> None:
    extra = extra_landmarks(landmarks("wholebody133"))
    parents = [parent_of(name) for name in extra]
    assert len(extra) == 120
    assert [parents.count(joint) for joint in ("l_wrist", "r_wrist", "head", "l_ankle", "r_ankle")] == [
        21,
        21,
        72,
        3,
        3,
    ]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("wholebody133", "wholebody133"), ("coco133", "wholebody133"), ("COCO_133", "wholebody133"),
        ("coco-wholebody", "wholebody133"), ("BLAZEPOSE", "mediapipe33"), ("BODY_25", "body25"),
        ("HALPE_26", "halpe26"), ("body_with_feet", "halpe26"), ("COCO", "coco17"),
        (",".join(SCHEMAS["body25"]), "body25"), ("nose,left_hip", "nose,left_hip"), ("nonsense", "nonsense"),
    ],
)  # fmt: skip
def test_landmark_sets_have_aliases(text: str, name: str) -> None:
    assert schema_name(text) == name


def test_sides_may_follow_and_words_be_joined() -> None:
    names = "hip_left,rightHip,Left Shoulder,shoulder-r,mouth_left"
    mapping = landmarks(names)
    assert {JOINTS[j] for j in np.flatnonzero(mapping.weights.any(1))} >= {"l_hip", "r_hip", "l_shoulder", "r_shoulder"}
    assert extra_landmarks(mapping) == ("mouth_left",)
