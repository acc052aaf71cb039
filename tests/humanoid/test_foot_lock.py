"""The foot lock on people whose footfalls are known.

Axes: T instants, S sides, left first.
"""

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.engines.feet import LEGS, RATE_HZ, LockResult, Take, lock_feet, sliding_m_s
from pose_rig.arrays import Floats
from pose_rig.humanoid.bones import INDEX, RestPose, forward_kinematics, rotate
from pose_rig.humanoid.foot_lock import MAX_LIFT_M, FootLock
from pose_rig.humanoid.locked_foot import MAX_DISTANCE_M, MAX_HEIGHT_CORRECTION_M, RELEASE_S
from pose_rig.humanoid.rest_pose import rest_pose
from pose_rig.humanoid.retarget import Retargeter
from tests.streaming.captured.footfalls import (
    ANKLE_M,
    COLUMN,
    NAMES,
    Stepper,
    jumper,
    one_legged,
    stander,
    walker,
)
from tests.streaming.people import about

SIDES = ("Left", "Right")
KNEES = [INDEX[f"{side}LowerLeg"] for side in SIDES]
ON_JOINTS = tuple(name for name in NAMES if name not in ("left_foot_index", "right_foot_index"))
SETTLED = int(RATE_HZ)  # by then, whoever stands is held


def bones(who: Stepper) -> RestPose:
    return rest_pose(NAMES, who.xyz, np.ones(who.xyz.shape[:2]), 1.7)


def held(who: Stepper, rest: RestPose, solved: NDArray[np.bool_] | None = None, *, toes: bool = True) -> LockResult:
    names = NAMES if toes else ON_JOINTS
    xyz = who.xyz[:, [COLUMN[name] for name in names]]
    return lock_feet(Take(names, RATE_HZ, xyz), xyz, rest, solved)


def slides_m_s(points: Floats, contact: NDArray[np.bool_]) -> float:
    return float(np.median(sliding_m_s(points, contact, RATE_HZ)))


@pytest.mark.parametrize("toes", [True, False])
@pytest.mark.parametrize("sd_m", [0.005, 0.010])
def test_the_feet_of_somebody_who_stands_neither_slide_nor_leave_the_floor(sd_m: float, toes: bool) -> None:
    who = stander(6.0)
    result = held(who.noisy(sd_m, 1), bones(who), toes=toes)
    stands = who.stands.copy()
    stands[:SETTLED] = False
    assert slides_m_s(result.locked.ankles, stands) < 0.25 * slides_m_s(result.free.ankles, stands)
    assert result.contact[SETTLED:].mean() > 0.97
    assert np.median(np.abs(result.locked.ankles[SETTLED:, :, 1] - ANKLE_M)) < 0.005


@pytest.mark.parametrize("off_m", [-0.04, 0.04])
def test_a_floor_found_some_centimetres_wrong_is_put_right(off_m: float) -> None:
    who = stander(8.0)
    result = held(who.raised(off_m).noisy(0.005, 2), bones(who))
    assert np.abs(np.median(result.free.ankles[:, :, 1]) - (ANKLE_M + off_m)) < 0.005
    late = result.locked.ankles[-120:, :, 1]
    assert np.abs(late - ANKLE_M).max() < 0.01
    assert np.median((result.locked.root - result.free.root)[-120:, 1]) == pytest.approx(-off_m, abs=0.01)
    assert (
        np.abs(result.locked.rotation[-120:, KNEES] - result.free.rotation[-120:, KNEES]).max() < 0.1
    )  # not by their knees


@pytest.mark.parametrize("toes", [True, False])
def test_a_walk_is_held_at_its_footfalls_and_only_there(toes: bool) -> None:
    who = walker(8.0)
    result = held(who.noisy(0.005, 3), bones(who), toes=toes)
    began = [np.roll(who.stands, k, 0) for k in range(15)]
    settled = np.logical_and.reduce(began)
    settled[:SETTLED] = False
    assert result.contact[settled].mean() > 0.95
    swings = np.logical_and.reduce([~stands for stands in began[:8]])  # 0.12 s after toes-off
    swings &= ~np.roll(who.stands, -1, 0)
    assert result.contact[swings].mean() < 0.02
    slide = slides_m_s(result.locked.tips if toes else result.locked.ankles, settled)
    assert slide < 0.25 * slides_m_s(result.free.tips if toes else result.free.ankles, settled)
    clean = who.xyz[:, [COLUMN["l_ankle"], COLUMN["r_ankle"]]]
    misses = [
        np.median(np.linalg.norm((result.free if free else result.locked).ankles - clean, axis=-1))
        for free in (True, False)
    ]
    assert misses[1] < misses[0] + 0.005


@pytest.mark.parametrize("flight_s", [0.3, 0.5])
def test_a_jump_is_let_go_of_at_once_and_held_again_soon_after_landing(flight_s: float) -> None:
    who = jumper(flight_s)
    result = held(who.noisy(0.005, 4), bones(who))
    flight = np.flatnonzero(~who.stands.any(1))
    assert result.contact[flight[0] - 5].all()
    assert not result.contact[flight[2] : flight[-1]].any()
    assert result.contact[flight[-1] + int(0.25 * RATE_HZ)].all()
    top = flight[len(flight) // 2]
    assert np.abs(result.locked.ankles[top] - result.free.ankles[top]).max() < 0.03
    assert np.median(np.abs(np.diff((result.locked.root - result.free.root)[flight[len(flight) // 2 :], 1]))) < 0.001


def test_in_the_air_the_hips_keep_the_height_that_was_learned() -> None:
    who = jumper(0.6, before_s=5.0).raised(0.04)
    result = held(who, bones(stander(1.0)))
    flight = np.flatnonzero(~who.stands.any(1))
    for instant in (flight[0], flight[-1]):
        assert (result.locked.root - result.free.root)[instant, 1] == pytest.approx(-0.04, abs=0.003)


def test_a_foot_that_is_shuffled_along_is_held_on_a_leash() -> None:
    who = stander(4.0)
    way = np.zeros((len(who.xyz), 1, 3))
    way[:, 0, 2] = 0.2 * np.maximum(np.arange(len(way)) / RATE_HZ - 2.0, 0.0)
    result = held(Stepper(who.xyz + way, who.stands), bones(who))
    beside = np.linalg.norm((result.locked.ankles - result.free.ankles)[..., [0, 2]], axis=-1)
    assert result.contact[-1].all()
    assert beside[-1] == pytest.approx([MAX_DISTANCE_M, MAX_DISTANCE_M], abs=0.005)
    assert beside.max() < MAX_DISTANCE_M + 0.005


def test_hips_that_are_off_do_not_shake_the_knees() -> None:
    who = stander(4.0)
    off = np.zeros((len(who.xyz), 1, 3))
    off[:, 0, 1] = 0.008 * np.sin(np.arange(len(off)))  # the whole body is result to hop by millimetres
    result = held(Stepper(who.xyz + off, who.stands), bones(who))
    settled = slice(SETTLED, None)
    assert np.abs(np.diff(result.locked.ankles[settled, :, 1], axis=0)).max() < 0.001
    assert np.abs(np.diff(result.locked.rotation[settled, KNEES], axis=0)).max() < 0.01


def test_somebody_on_a_box_is_held_there_and_not_pulled_to_the_floor() -> None:
    who = stander(5.0)
    result = held(who.raised(0.30).noisy(0.005, 5), bones(who))
    stands = who.stands.copy()
    stands[: 2 * SETTLED] = False
    assert result.contact[2 * SETTLED :].mean() > 0.97
    assert slides_m_s(result.locked.ankles, stands) < 0.25 * slides_m_s(result.free.ankles, stands)
    assert np.abs(result.locked.ankles[..., 1] - (0.30 + ANKLE_M)).max() < 0.025
    assert np.abs(result.locked.root[:, 1] - result.free.root[:, 1]).max() < 0.025


def test_a_lifted_foot_is_not_held_even_if_it_is_still() -> None:
    who = one_legged(5.0)
    result = held(who.noisy(0.005, 6), bones(stander(1.0)))
    assert result.contact[SETTLED:, 0].mean() > 0.97
    assert not result.contact[:, 1].any()


def test_nothing_is_done_before_the_rig_is_solved_and_changes_of_mode_do_not_show() -> None:
    who = stander(14.0).raised(0.03).noisy(0.005, 7)
    solved = np.zeros(len(who.xyz), bool)
    solved[60:240] = True
    result = held(who, bones(stander(1.0)), solved)
    assert np.array_equal(result.locked.rotation[:60], result.free.rotation[:60])
    assert result.contact[90:240].all()
    assert not result.contact[:60].any()
    assert not result.contact[240:].any()
    assert np.abs((result.locked.root - result.free.root)[239, 1]) > 0.02
    change = np.linalg.norm(np.diff(result.locked.ankles - result.free.ankles, axis=0), axis=-1)
    free = np.linalg.norm(np.diff(result.free.ankles, axis=0), axis=-1)
    assert (change - free).max() < MAX_DISTANCE_M / RELEASE_S / RATE_HZ
    assert np.array_equal(result.locked.rotation[-60:], result.free.rotation[-60:])
    assert np.array_equal(result.locked.root[-60:], result.free.root[-60:])


@pytest.mark.parametrize("toes", [True, False])
def test_corrections_come_and_go_smoothly(toes: bool) -> None:
    who = walker(8.0)
    result = held(who.noisy(0.005, 8), bones(who), toes=toes)
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


def test_hips_are_raised_by_no_more_than_a_bound() -> None:
    who = stander(8.0)
    offset = bones(who).offset.copy()
    offset[[INDEX["LeftFoot"], INDEX["RightFoot"]], 1] -= 0.25  # with longer shanks the soles are far below the floor
    offset[0, 1] += 0.25
    result = held(who, RestPose(offset, bones(who).tip))
    assert (result.locked.root - result.free.root)[-1, 1] == pytest.approx(
        MAX_LIFT_M + MAX_HEIGHT_CORRECTION_M, abs=0.005
    )


def test_knees_neither_bend_backwards_nor_turn_aside() -> None:
    who = walker(8.0)
    result = held(who.noisy(0.010, 9), bones(who))
    for knee in KNEES:
        free, now = (rotation[:, knee] for rotation in (result.free.rotation, result.locked.rotation))
        bend = [np.degrees(2 * np.arctan2(q[:, 0], q[:, 3])) for q in (free, now)]
        assert (bend[1] > np.minimum(bend[0], 0.0) - 0.1).all()
        assert np.abs(bend[1] - bend[0]).max() < 10.5
        assert np.abs(now[:, 1:3] - free[:, 1:3]).max() < 0.05


def test_while_nobody_is_seen_everything_stays() -> None:
    who = stander(3.0).raised(0.03)
    rest, score = bones(stander(1.0)), np.ones(len(NAMES))
    solver, lock = Retargeter(rest, NAMES), FootLock(rest)
    nobody = np.full_like(who.xyz[0], np.nan)
    for i, t in enumerate(who.t_ns.tolist()):
        last = lock.step(t, *solver.step(t, who.xyz[i], score), who.xyz[i], score, COLUMN, solved=True)
    free = solver.step(t + 20_000_000, nobody, score)
    for later in (20, 300, 2000):
        root, rotation = lock.step(t + later * 1_000_000, *free, nobody, score, COLUMN, solved=True)
        assert np.allclose(root, last[0], atol=1e-9)
        assert np.allclose(rotation, last[1], atol=1e-9)
        assert lock.locked == (True, True)
    lock.step(t + 2_020_000_000, *free, who.xyz[-1], score, COLUMN, solved=True)
    assert lock.locked == (False, False)


def test_feet_that_are_guessed_or_unknown_to_the_detector_are_not_held() -> None:
    who = stander(2.0)
    rest, score = bones(who), np.ones(len(NAMES))
    for name in ("l_ankle", "left_foot_index"):
        score[COLUMN[name]] = 0.0
    column = {name: i for name, i in COLUMN.items() if not name.startswith("right_")}
    score[COLUMN["r_ankle"]] = np.nan
    solver, lock = Retargeter(rest, NAMES), FootLock(rest)
    for i, t in enumerate(who.t_ns.tolist()):
        free = solver.step(t, who.xyz[i], np.ones(len(NAMES)))
        assert lock.step(t, *free, who.xyz[i], score, column, solved=True) == free
    assert lock.locked == (False, False)


def test_other_bones_are_worn_without_a_jump() -> None:
    who = stander(3.0).raised(0.03)
    rest, score = bones(stander(1.0)), np.ones(len(NAMES))
    solver, lock = Retargeter(rest, NAMES), FootLock(rest)
    for i, t in enumerate(who.t_ns.tolist()):
        free = solver.step(t, who.xyz[i], score)
        before = lock.step(t, *free, who.xyz[i], score, COLUMN, solved=True)
    longer = RestPose(rest.offset * 1.02, rest.tip * 1.02)
    lock.set_rest_pose(longer)
    after = lock.step(t + 16_666_667, *free, who.xyz[-1], score, COLUMN, solved=True)
    assert lock.locked == (True, True)
    assert np.abs(after[0] - before[0]).max() < 0.01
    assert np.abs(after[1] - before[1]).max() < 0.05
    ankles = [forward_kinematics(longer, *pose)[0][[INDEX[f"{side}Foot"] for side in SIDES]] for pose in (free, after)]
    assert np.abs(ankles[1] - ankles[0])[:, [0, 2]].max() < 0.01


def test_the_heel_rises_over_toes_that_are_held() -> None:
    who = stander(4.0)
    xyz = who.xyz.copy()
    rise_deg = np.clip(np.linspace(0, 80, len(xyz)) - 40, 0, 30)
    turned = about(np.stack([rise_deg, 0 * rise_deg, 0 * rise_deg], -1))
    for side, short in (("left", "l"), ("right", "r")):
        tip = xyz[:, COLUMN[f"{side}_foot_index"]]
        for name in (f"{short}_ankle", f"{side}_heel"):
            xyz[:, COLUMN[name]] = tip + rotate(turned, xyz[:, COLUMN[name]] - tip)
    result = held(Stepper(xyz, who.stands).noisy(0.003, 10), bones(who))
    risen = slice(-20, None)
    assert result.contact[risen].all()
    assert slides_m_s(result.locked.tips, who.stands) < 0.25 * slides_m_s(result.free.tips, who.stands)
    assert np.median(result.locked.ankles[risen, :, 1]) > ANKLE_M + 0.05
    assert np.abs(np.median(result.locked.tips[risen, :, 1])) < 0.01
