"""Retargeting of subjects with known rotations.

Not observable, hence not tested: how a bend of the back is divided between hips and chest, and a lift of a shoulder
between chest and clavicle; with 17 joints also the twist of forearms, hands and feet.
"""

import numpy as np
import pytest
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.humanoid.bones import BONES, INDEX, JOINT_OF, Motion, RestPose, forward_kinematics, multiply, rotate
from pose_rig.humanoid.rest_pose import rest_pose
from pose_rig.humanoid.retarget import Retargeter, retarget
from pose_rig.skeleton import JOINTS, J
from tests.streaming.people import ALL, Person, about, angles_deg, joints_of, person, random_rest, steps_deg

ARMS = [side + bone for side in ("Left", "Right") for bone in ("UpperArm", "LowerArm")]
LEGS = [side + bone for side in ("Left", "Right") for bone in ("UpperLeg", "LowerLeg")]
ENDS = [side + bone for side in ("Left", "Right") for bone in ("Hand", "Foot")]
LARGEST_FLIP_DEG = 60.0
PEOPLE = [person(seed, seconds=6, tumbling=seed % 2 == 1) for seed in range(4)]


def scores(xyz: Floats, *, extras: bool = True) -> Floats:
    out = np.ones(xyz.shape[:2])
    out[:, J:] = float(extras)
    return out


def solved(subject: Person, xyz: Floats | None = None, *, extras: bool = True) -> Motion:
    xyz = subject.xyz if xyz is None else xyz
    score = scores(xyz, extras=extras)
    return retarget(ALL, subject.t_ns, xyz, score, height_m=subject.height_m)


def errors_deg(subject: Person, motion: Motion, bones: list[str], *, in_room: bool = False) -> Floats:
    """(bones) medians."""
    ours, truth = motion.rotation, subject.rotation
    if in_room:
        ours, truth = (
            forward_kinematics(motion.rest, motion.root, ours)[1],
            forward_kinematics(subject.rest, subject.root, truth)[1],
        )
    which = [INDEX[bone] for bone in bones]
    return np.asarray(np.median(angles_deg(ours[:, which], truth[:, which]), 0))


def errors_mm(xyz: Floats, motion: Motion) -> Floats:
    begin, _ = forward_kinematics(motion.rest, motion.root, motion.rotation)
    bones = {bone: joint for bone, joint in JOINT_OF.items() if bone != "Hips"}
    ours = begin[:, [INDEX[bone] for bone in bones]]
    return np.asarray(np.linalg.norm(ours - xyz[:, [JOINTS.index(joint) for joint in bones.values()]], axis=-1) * 1e3)


@pytest.mark.parametrize("subject", PEOPLE)
def test_known_rotations_are_found(subject: Person) -> None:
    motion = solved(subject)
    assert errors_deg(subject, motion, ARMS + LEGS + ENDS).max() < 5
    assert errors_deg(subject, motion, [*ARMS, *LEGS, *ENDS, "Head"], in_room=True).max() < 2
    assert errors_deg(subject, motion, ["Hips", "Chest"], in_room=True).max() < 5
    assert np.percentile(errors_mm(subject.xyz, motion), 95) < 5
    assert steps_deg(motion.rotation).max() < LARGEST_FLIP_DEG


def test_jumping_joints_are_followed_over_a_few_frames() -> None:
    subject = PEOPLE[0]
    xyz = subject.xyz.copy()
    jumped = slice(100, 103)
    xyz[jumped] = xyz[jumped] * [-1.0, 1.0, -1.0]  # half a turn about y
    motion, undisturbed = solved(subject, xyz), solved(subject)
    assert steps_deg(motion.rotation).max() < LARGEST_FLIP_DEG
    assert angles_deg(motion.rotation[:100], undisturbed.rotation[:100]).max() < 1.0
    assert angles_deg(motion.rotation[110:], undisturbed.rotation[110:]).max() < 5.0


@pytest.mark.parametrize("subject", PEOPLE)
def test_seventeen_joints_determine_upper_arms_and_legs(subject: Person) -> None:
    motion = solved(subject, extras=False)
    upper_arms = ["LeftUpperArm", "RightUpperArm"]
    assert errors_deg(subject, motion, upper_arms + LEGS).max() < 5
    assert errors_deg(subject, motion, upper_arms + LEGS, in_room=True).max() < 2
    assert np.percentile(errors_mm(subject.xyz, motion), 95) < 5
    assert steps_deg(motion.rotation).max() < LARGEST_FLIP_DEG


@pytest.mark.parametrize("sd_m", [0.010, 0.015])
@pytest.mark.parametrize("subject", PEOPLE[:2])
def test_rotation_noise_is_small(subject: Person, sd_m: float) -> None:
    rng = np.random.default_rng(5)
    kept = 0.9**0.4  # correlated as that of detectors, at 60 Hz
    noise = rng.normal(0, sd_m, subject.xyz.shape)
    for i in range(1, len(noise)):
        noise[i] = kept * noise[i - 1] + np.sqrt(1 - kept**2) * noise[i]
    motion = solved(subject, subject.xyz + noise)
    # of a bone of 30 cm both ends are off: 10 mm make a median of about 3°
    assert errors_deg(subject, motion, LEGS, in_room=True).max() < 6e2 * sd_m
    assert errors_deg(subject, motion, ["LeftUpperArm", "RightUpperArm"], in_room=True).max() < 8e2 * sd_m
    assert np.median(errors_mm(subject.xyz + noise, motion)) < 1.3e3 * sd_m
    assert steps_deg(motion.rotation).max() < LARGEST_FLIP_DEG


def test_the_t_pose_has_no_rotations() -> None:
    rng = np.random.default_rng(3)
    rest = random_rest(1.7, rng)
    none = np.tile([0.0, 0.0, 0.0, 1.0], (30, len(BONES), 1))
    xyz = joints_of(rest, np.tile(rest.offset[0], (30, 1)), none, 1.7, rng)
    motion = retarget(ALL, np.arange(30) * 10**7, xyz, scores(xyz), height_m=1.7)
    rest_deg = angles_deg(motion.rotation, none)
    head = [INDEX["Neck"], INDEX["Head"]]  # the nose has a small offset
    assert np.delete(rest_deg, head, 1).max() < 1
    assert rest_deg[:, head].max() < 15


def swept(bone: str, turns: Floats, fixed: dict[str, Floats]) -> tuple[Floats, RestPose]:
    """Returns the joints of a subject who moves one bone, and the rest pose; other bones are fixed."""
    rng = np.random.default_rng(7)
    rest = random_rest(1.7, rng)
    rotation = np.tile([0.0, 0.0, 0.0, 1.0], (len(turns), len(BONES), 1))
    for name, turn in fixed.items():
        rotation[:, INDEX[name]] = turn
    rotation[:, INDEX[bone]] = turns
    xyz = joints_of(rest, np.tile(rest.offset[0], (len(turns), 1)), rotation, 1.7, rng)
    return xyz + rng.normal(0, 0.004, xyz.shape), rest


ROUND_DEG = np.linspace(0, 360, 300)
NOTHING = 0 * ROUND_DEG
CIRCLES = {
    "arm, sideways over the head and behind": ("LeftUpperArm", (NOTHING, NOTHING, ROUND_DEG)),
    "arm, level around": ("RightUpperArm", (NOTHING, ROUND_DEG, NOTHING)),
    "leg, forwards over the head": ("LeftUpperLeg", (-ROUND_DEG, NOTHING, NOTHING)),
    "leg, sideways": ("RightUpperLeg", (NOTHING, NOTHING, -ROUND_DEG)),
    "somersault": ("Hips", (ROUND_DEG, NOTHING, NOTHING)),
    "cartwheel": ("Hips", (NOTHING, NOTHING, ROUND_DEG)),
    "pirouette": ("Hips", (NOTHING, ROUND_DEG, NOTHING)),
}


@pytest.mark.parametrize("extras", [True, False])
@pytest.mark.parametrize("circle", CIRCLES)
def test_nothing_flips_when_straight_limbs_make_full_circles(circle: str, extras: bool) -> None:
    bone, vector = CIRCLES[circle]
    xyz, _ = swept(bone, about(np.stack(vector, -1)), {})
    t_ns = np.arange(len(xyz)) * 33_333_333
    score = scores(xyz, extras=extras)
    motion = retarget(ALL, t_ns, xyz, score, height_m=1.7)
    assert steps_deg(motion.rotation).max() < LARGEST_FLIP_DEG


@pytest.mark.parametrize("extras", [True, False])
def test_a_straight_arm_keeps_the_twist_of_the_bent_one(extras: bool) -> None:
    bend = np.interp(np.arange(120), [0, 40, 60, 120], [60, 60, 2, 2])
    turned = about(np.array([40.0, 0.0, 0.0]))
    elbow = about(np.stack([0 * bend, -bend, 0 * bend], -1))
    xyz, _ = swept("LeftLowerArm", elbow, {"LeftUpperArm": turned})
    score = scores(xyz, extras=extras)
    motion = retarget(ALL, np.arange(120) * 16_666_667, xyz, score, height_m=1.7)
    twist = angles_deg(motion.rotation[:, INDEX["LeftUpperArm"]], turned)
    assert np.median(twist[20:40]) < 5
    assert twist[61:75].max() < 25  # a quarter of a second later most of it is still there


def test_overextended_knees_do_not_flip_the_legs() -> None:
    back = about(np.tile([-7.0, 0.0, 0.0], (200, 1)))
    xyz, _ = swept("LeftLowerLeg", back, {"RightLowerLeg": back})
    motion = retarget(ALL, np.arange(200) * 16_666_667, xyz, scores(xyz, extras=False))
    thighs = angles_deg(motion.rotation[:, [INDEX["LeftUpperLeg"], INDEX["RightUpperLeg"]]], np.array([0, 0, 0, 1.0]))
    assert thighs.max() < 30


def test_invisible_landmarks_are_not_used() -> None:
    subject = PEOPLE[0]
    noise = subject.xyz.copy()
    noise[:, J:] = np.random.default_rng(0).normal(0, 1, noise[:, J:].shape)
    noise[::2, J:] = np.nan
    rest = rest_pose(JOINTS, subject.xyz[:, :J], scores(subject.xyz)[:, :J], 1.7)
    without = retarget(JOINTS, subject.t_ns, subject.xyz[:, :J], scores(subject.xyz)[:, :J], rest=rest)
    invisible = retarget(ALL, subject.t_ns, noise, scores(noise, extras=False), rest=rest)
    assert np.array_equal(without.rotation, invisible.rotation)


def test_hands_and_feet_appear_and_disappear_smoothly() -> None:
    subject = PEOPLE[2]
    score = scores(subject.xyz)
    score[np.arange(len(score)) // 20 % 2 == 1, J:] = 0
    motion = retarget(ALL, subject.t_ns, subject.xyz, score)
    assert steps_deg(motion.rotation).max() < LARGEST_FLIP_DEG


def test_quaternions_are_of_unit_length_and_do_not_change_sign() -> None:
    rotation = solved(PEOPLE[1]).rotation
    assert np.allclose(np.linalg.norm(rotation, axis=-1), 1)
    assert ((rotation[1:] * rotation[:-1]).sum(-1) > 0).all()


def test_orientation_and_position_in_the_room_do_not_matter() -> None:
    subject = PEOPLE[0]
    turn = about(np.array([90.0, 0.0, 40.0]))
    matrix = np.stack([rotate(turn, axis) for axis in np.eye(3)], -1)
    other = solved(subject, subject.xyz @ matrix.T + np.array([3.0, -1.0, 2.0]))
    motion = solved(subject)
    assert angles_deg(other.rotation[:, 1:], motion.rotation[:, 1:]).max() < 0.01
    assert angles_deg(other.rotation[:, 0], multiply(turn, motion.rotation[:, 0])).max() < 0.01


def gapped(subject: Person, gap: slice) -> Floats:
    xyz = subject.xyz.copy()
    xyz[gap] = np.nan
    return xyz


def test_without_a_person_the_previous_frame_is_repeated() -> None:
    subject = PEOPLE[0]
    motion = solved(subject, gapped(subject, slice(100, 140)))
    assert (motion.rotation[100:140] == motion.rotation[99]).all()
    assert (motion.root[100:140] == motion.root[99]).all()
    assert motion.root[140] == pytest.approx(subject.root[140])


def test_frames_before_the_first_person_repeat_the_first_one() -> None:
    motion = solved(PEOPLE[0], gapped(PEOPLE[0], slice(0, 30)))
    assert (motion.rotation[:30] == motion.rotation[30]).all()
    assert (motion.root[:30] == motion.root[30]).all()


def test_after_a_long_gap_it_starts_over() -> None:
    subject = PEOPLE[0]
    late = solved(subject, gapped(subject, slice(50, 150)))
    fresh = retarget(ALL, subject.t_ns[150:], subject.xyz[150:], scores(subject.xyz[150:]), rest=late.rest)
    assert angles_deg(late.rotation[150:], fresh.rotation).max() < 1e-4


def test_before_the_first_person_the_rest_pose_is_returned() -> None:
    rest = rest_pose(ALL, PEOPLE[0].xyz, scores(PEOPLE[0].xyz), 1.7)
    retargeter = Retargeter(rest, ALL)
    root, rotation = retargeter.step(0, np.full((len(ALL), 3), np.nan), np.zeros(len(ALL)))
    assert root == pytest.approx(rest.offset[0])
    assert (rotation == [0, 0, 0, 1]).all()


def test_repeated_and_decreasing_timestamps_are_handled() -> None:
    subject = PEOPLE[0]
    retargeter = Retargeter(rest_pose(ALL, subject.xyz, scores(subject.xyz), 1.7), ALL)
    for t_ns, i in ((10**9, 0), (10**9, 1), (0, 2), (2**62, 3)):
        root, rotation = retargeter.step(t_ns, subject.xyz[i], np.ones(len(ALL)))
        assert np.isfinite(rotation).all()
        assert root == pytest.approx(subject.root[i])


def same_point() -> Floats:
    return np.zeros((len(ALL), 3))


def on_a_line() -> Floats:
    return np.outer(np.linspace(0, 1, len(ALL)), [1.0, 2.0, 3.0])


def far() -> Floats:
    return np.full((len(ALL), 3), 1e300)


@pytest.mark.parametrize("joints", [same_point(), on_a_line(), far(), -on_a_line(), np.full((len(ALL), 3), np.inf)])
def test_degenerate_joints_give_finite_rotations(joints: Floats) -> None:
    subject = PEOPLE[0]
    retargeter = Retargeter(rest_pose(ALL, subject.xyz, scores(subject.xyz), 1.7), ALL)
    score: NDArray[np.float64] = np.ones(len(ALL))
    for i, xyz in enumerate((subject.xyz[0], joints, subject.xyz[1], joints, joints)):
        root, rotation = retargeter.step(i * 10**7, xyz, score)
        assert np.isfinite(root).all()
        assert np.allclose(np.linalg.norm(rotation, axis=-1), 1)


def test_a_take_without_a_person_is_a_motion() -> None:
    motion = retarget(JOINTS, np.zeros(0, np.int64), np.zeros((0, J, 3)), np.zeros((0, J)))
    assert motion.rotation.shape == (0, len(BONES), 4)
    no_person = np.full((3, J, 3), np.nan)
    assert np.isfinite(retarget(JOINTS, np.arange(3), no_person, np.zeros((3, J))).root).all()
