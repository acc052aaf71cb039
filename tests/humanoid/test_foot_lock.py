"""The foot lock on subjects with known foot contacts.

Axes: T time steps, S sides, left first.
"""

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.engines.feet import LEGS, RATE_HZ, LockResult, Take, lock_feet, sliding_m_s
from pose_rig.arrays import Floats
from pose_rig.humanoid.bones import INDEX, RestPose, forward_kinematics, rotate
from pose_rig.humanoid.foot_lock import MAX_LIFT_M, FootLock
from pose_rig.humanoid.locked_foot import MAX_HEIGHT_CORRECTION_M, MAX_LOCK_DISTANCE_M, RELEASE_TIME_CONSTANT_S
from pose_rig.humanoid.rest_pose import rest_pose
from pose_rig.humanoid.retarget import Retargeter
from tests.streaming.captured.footfalls import ANKLE_M, COLUMN, NAMES, Stepper, jumper, one_legged, stander, walker
from tests.streaming.people import about

SIDES = ("Left", "Right")
KNEES = [INDEX[f"{side}LowerLeg"] for side in SIDES]
ON_JOINTS = tuple(name for name in NAMES if name not in ("left_foot_index", "right_foot_index"))
LOCKED_AFTER = int(RATE_HZ)  # feet in contact are locked by then


def bones(subject: Stepper) -> RestPose:
    return rest_pose(NAMES, subject.xyz, np.ones(subject.xyz.shape[:2]), 1.7)


def held(subject: Stepper, rest: RestPose, solved: NDArray[np.bool_] | None = None, *, toes: bool = True) -> LockResult:
    names = NAMES if toes else ON_JOINTS
    xyz = subject.xyz[:, [COLUMN[name] for name in names]]
    return lock_feet(Take(names, RATE_HZ, xyz), xyz, rest, solved)


def slides_m_s(points: Floats, contact: NDArray[np.bool_]) -> float:
    return float(np.median(sliding_m_s(points, contact, RATE_HZ)))


@pytest.mark.parametrize("toes", [True, False])
@pytest.mark.parametrize("sd_m", [0.005, 0.010])
def test_feet_in_contact_neither_slide_nor_leave_the_floor(sd_m: float, toes: bool) -> None:
    subject = stander(6.0)
    result = held(subject.noisy(sd_m, 1), bones(subject), toes=toes)
    contact = subject.contact.copy()
    contact[:LOCKED_AFTER] = False
    assert slides_m_s(result.locked.ankles, contact) < 0.25 * slides_m_s(result.free.ankles, contact)
    assert result.contact[LOCKED_AFTER:].mean() > 0.97
    assert np.median(np.abs(result.locked.ankles[LOCKED_AFTER:, :, 1] - ANKLE_M)) < 0.005


@pytest.mark.parametrize("off_m", [-0.04, 0.04])
def test_an_error_of_the_floor_height_is_corrected(off_m: float) -> None:
    subject = stander(8.0)
    result = held(subject.raised(off_m).noisy(0.005, 2), bones(subject))
    assert np.abs(np.median(result.free.ankles[:, :, 1]) - (ANKLE_M + off_m)) < 0.005
    late = result.locked.ankles[-120:, :, 1]
    assert np.abs(late - ANKLE_M).max() < 0.01
    assert np.median((result.locked.root - result.free.root)[-120:, 1]) == pytest.approx(-off_m, abs=0.01)
    assert (
        np.abs(result.locked.rotation[-120:, KNEES] - result.free.rotation[-120:, KNEES]).max() < 0.1
    )  # not by their knees


@pytest.mark.parametrize("toes", [True, False])
def test_a_walk_is_locked_at_its_footfalls_only(toes: bool) -> None:
    subject = walker(8.0)
    result = held(subject.noisy(0.005, 3), bones(subject), toes=toes)
    began = [np.roll(subject.contact, k, 0) for k in range(15)]
    settled = np.logical_and.reduce(began)
    settled[:LOCKED_AFTER] = False
    assert result.contact[settled].mean() > 0.95
    swings = np.logical_and.reduce([~contact for contact in began[:8]])  # 0.12 s after toes-off
    swings &= ~np.roll(subject.contact, -1, 0)
    assert result.contact[swings].mean() < 0.02
    slide = slides_m_s(result.locked.tips if toes else result.locked.ankles, settled)
    assert slide < 0.25 * slides_m_s(result.free.tips if toes else result.free.ankles, settled)
    clean = subject.xyz[:, [COLUMN["l_ankle"], COLUMN["r_ankle"]]]
    misses = [
        np.median(np.linalg.norm((result.free if free else result.locked).ankles - clean, axis=-1))
        for free in (True, False)
    ]
    assert misses[1] < misses[0] + 0.005


@pytest.mark.parametrize("flight_s", [0.3, 0.5])
def test_a_jump_is_released_at_once_and_locked_again_after_landing(flight_s: float) -> None:
    subject = jumper(flight_s)
    result = held(subject.noisy(0.005, 4), bones(subject))
    flight = np.flatnonzero(~subject.contact.any(1))
    assert result.contact[flight[0] - 5].all()
    assert not result.contact[flight[2] : flight[-1]].any()
    assert result.contact[flight[-1] + int(0.25 * RATE_HZ)].all()
    top = flight[len(flight) // 2]
    assert np.abs(result.locked.ankles[top] - result.free.ankles[top]).max() < 0.03
    assert np.median(np.abs(np.diff((result.locked.root - result.free.root)[flight[len(flight) // 2 :], 1]))) < 0.001


def test_the_height_correction_stays_in_the_air() -> None:
    subject = jumper(0.6, before_s=5.0).raised(0.04)
    result = held(subject, bones(stander(1.0)))
    flight = np.flatnonzero(~subject.contact.any(1))
    for instant in (flight[0], flight[-1]):
        assert (result.locked.root - result.free.root)[instant, 1] == pytest.approx(-0.04, abs=0.003)


def test_the_distance_of_a_shuffled_foot_is_limited() -> None:
    subject = stander(4.0)
    way = np.zeros((len(subject.xyz), 1, 3))
    way[:, 0, 2] = 0.2 * np.maximum(np.arange(len(way)) / RATE_HZ - 2.0, 0.0)
    result = held(Stepper(subject.xyz + way, subject.contact), bones(subject))
    beside = np.linalg.norm((result.locked.ankles - result.free.ankles)[..., [0, 2]], axis=-1)
    assert result.contact[-1].all()
    assert beside[-1] == pytest.approx([MAX_LOCK_DISTANCE_M, MAX_LOCK_DISTANCE_M], abs=0.005)
    assert beside.max() < MAX_LOCK_DISTANCE_M + 0.005


def test_noise_of_the_hips_does_not_shake_the_knees() -> None:
    subject = stander(4.0)
    off = np.zeros((len(subject.xyz), 1, 3))
    off[:, 0, 1] = 0.008 * np.sin(np.arange(len(off)))  # the whole body is result to hop by millimetres
    result = held(Stepper(subject.xyz + off, subject.contact), bones(subject))
    settled = slice(LOCKED_AFTER, None)
    assert np.abs(np.diff(result.locked.ankles[settled, :, 1], axis=0)).max() < 0.001
    assert np.abs(np.diff(result.locked.rotation[settled, KNEES], axis=0)).max() < 0.01


def test_feet_on_a_box_are_locked_there() -> None:
    subject = stander(5.0)
    result = held(subject.raised(0.30).noisy(0.005, 5), bones(subject))
    contact = subject.contact.copy()
    contact[: 2 * LOCKED_AFTER] = False
    assert result.contact[2 * LOCKED_AFTER :].mean() > 0.97
    assert slides_m_s(result.locked.ankles, contact) < 0.25 * slides_m_s(result.free.ankles, contact)
    assert np.abs(result.locked.ankles[..., 1] - (0.30 + ANKLE_M)).max() < 0.025
    assert np.abs(result.locked.root[:, 1] - result.free.root[:, 1]).max() < 0.025


def test_a_lifted_foot_is_not_locked() -> None:
    subject = one_legged(5.0)
    result = held(subject.noisy(0.005, 6), bones(stander(1.0)))
    assert result.contact[LOCKED_AFTER:, 0].mean() > 0.97
    assert not result.contact[:, 1].any()


def test_nothing_is_locked_before_the_rig_is_solved_and_mode_changes_are_smooth() -> None:
    subject = stander(14.0).raised(0.03).noisy(0.005, 7)
    solved = np.zeros(len(subject.xyz), bool)
    solved[60:240] = True
    result = held(subject, bones(stander(1.0)), solved)
    assert np.array_equal(result.locked.rotation[:60], result.free.rotation[:60])
    assert result.contact[90:240].all()
    assert not result.contact[:60].any()
    assert not result.contact[240:].any()
    assert np.abs((result.locked.root - result.free.root)[239, 1]) > 0.02
    change = np.linalg.norm(np.diff(result.locked.ankles - result.free.ankles, axis=0), axis=-1)
    free = np.linalg.norm(np.diff(result.free.ankles, axis=0), axis=-1)
    assert (change - free).max() < MAX_LOCK_DISTANCE_M / RELEASE_TIME_CONSTANT_S / RATE_HZ
    assert np.array_equal(result.locked.rotation[-60:], result.free.rotation[-60:])
    assert np.array_equal(result.locked.root[-60:], result.free.root[-60:])


@pytest.mark.parametrize("toes", [True, False])
def test_corrections_are_smooth(toes: bool) -> None:
    subject = walker(8.0)
    result = held(subject.noisy(0.005, 8), bones(subject), toes=toes)
    shown, free = (np.linalg.norm(np.diff(m.ankles, axis=0), axis=-1) for m in (result.locked, result.free))
    assert (shown - free).max() < 0.02
    root = np.linalg.norm(np.diff(result.locked.root - result.free.root, axis=0), axis=-1)
    assert root.max() < 0.01
    turns = [
        np.abs((rotation[1:, LEGS] * rotation[:-1, LEGS]).sum(-1)).min()
        for rotation in (result.locked.rotation, result.free.rotation)
    ]
    steps_deg = np.degrees(2 * np.arccos(np.array(turns)))
    assert steps_deg[0] < 1.25 * steps_deg[1]


def test_the_height_correction_is_limited() -> None:
    subject = stander(8.0)
    offset = bones(subject).offset.copy()
    offset[[INDEX["LeftFoot"], INDEX["RightFoot"]], 1] -= 0.25  # with longer shanks the soles are far below the floor
    offset[0, 1] += 0.25
    result = held(subject, RestPose(offset, bones(subject).tip))
    assert (result.locked.root - result.free.root)[-1, 1] == pytest.approx(
        MAX_LIFT_M + MAX_HEIGHT_CORRECTION_M, abs=0.005
    )


def test_knees_stay_in_their_plane() -> None:
    subject = walker(8.0)
    result = held(subject.noisy(0.010, 9), bones(subject))
    for knee in KNEES:
        free, now = (rotation[:, knee] for rotation in (result.free.rotation, result.locked.rotation))
        bend = [np.degrees(2 * np.arctan2(q[:, 0], q[:, 3])) for q in (free, now)]
        assert (bend[1] > np.minimum(bend[0], 0.0) - 0.1).all()
        assert np.abs(bend[1] - bend[0]).max() < 10.5
        assert np.abs(now[:, 1:3] - free[:, 1:3]).max() < 0.05


def test_without_a_tracked_person_nothing_changes() -> None:
    subject = stander(3.0).raised(0.03)
    rest, score = bones(stander(1.0)), np.ones(len(NAMES))
    retargeter, lock = Retargeter(rest, NAMES), FootLock(rest)
    no_person = np.full_like(subject.xyz[0], np.nan)
    for i, t in enumerate(subject.t_ns.tolist()):
        last = lock.step(t, *retargeter.step(t, subject.xyz[i], score), subject.xyz[i], score, COLUMN, solved=True)
    free = retargeter.step(t + 20_000_000, no_person, score)
    for later in (20, 300, 2000):
        root, rotation = lock.step(t + later * 1_000_000, *free, no_person, score, COLUMN, solved=True)
        assert np.allclose(root, last[0], atol=1e-9)
        assert np.allclose(rotation, last[1], atol=1e-9)
        assert lock.locked == (True, True)
    lock.step(t + 2_020_000_000, *free, subject.xyz[-1], score, COLUMN, solved=True)
    assert lock.locked == (False, False)


def test_guessed_or_missing_feet_are_not_locked() -> None:
    subject = stander(2.0)
    rest, score = bones(subject), np.ones(len(NAMES))
    for name in ("l_ankle", "left_foot_index"):
        score[COLUMN[name]] = 0.0
    column = {name: i for name, i in COLUMN.items() if not name.startswith("right_")}
    score[COLUMN["r_ankle"]] = np.nan
    retargeter, lock = Retargeter(rest, NAMES), FootLock(rest)
    for i, t in enumerate(subject.t_ns.tolist()):
        free = retargeter.step(t, subject.xyz[i], np.ones(len(NAMES)))
        assert lock.step(t, *free, subject.xyz[i], score, column, solved=True) == free
    assert lock.locked == (False, False)


def test_the_rest_pose_changes_without_a_jump() -> None:
    subject = stander(3.0).raised(0.03)
    rest, score = bones(stander(1.0)), np.ones(len(NAMES))
    retargeter, lock = Retargeter(rest, NAMES), FootLock(rest)
    for i, t in enumerate(subject.t_ns.tolist()):
        free = retargeter.step(t, subject.xyz[i], score)
        before = lock.step(t, *free, subject.xyz[i], score, COLUMN, solved=True)
    longer = RestPose(rest.offset * 1.02, rest.tip * 1.02)
    lock.set_rest_pose(longer)
    after = lock.step(t + 16_666_667, *free, subject.xyz[-1], score, COLUMN, solved=True)
    assert lock.locked == (True, True)
    assert np.abs(after[0] - before[0]).max() < 0.01
    assert np.abs(after[1] - before[1]).max() < 0.05
    ankles = [forward_kinematics(longer, *pose)[0][[INDEX[f"{side}Foot"] for side in SIDES]] for pose in (free, after)]
    assert np.abs(ankles[1] - ankles[0])[:, [0, 2]].max() < 0.01


def test_the_heel_rises_over_locked_toes() -> None:
    subject = stander(4.0)
    xyz = subject.xyz.copy()
    rise_deg = np.clip(np.linspace(0, 80, len(xyz)) - 40, 0, 30)
    turned = about(np.stack([rise_deg, 0 * rise_deg, 0 * rise_deg], -1))
    for side, short in (("left", "l"), ("right", "r")):
        tip = xyz[:, COLUMN[f"{side}_foot_index"]]
        for name in (f"{short}_ankle", f"{side}_heel"):
            xyz[:, COLUMN[name]] = tip + rotate(turned, xyz[:, COLUMN[name]] - tip)
    result = held(Stepper(xyz, subject.contact).noisy(0.003, 10), bones(subject))
    risen = slice(-20, None)
    assert result.contact[risen].all()
    assert slides_m_s(result.locked.tips, subject.contact) < 0.25 * slides_m_s(result.free.tips, subject.contact)
    assert np.median(result.locked.ankles[risen, :, 1]) > ANKLE_M + 0.05
    assert np.abs(np.median(result.locked.tips[risen, :, 1])) < 0.01
