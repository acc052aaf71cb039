"""The vertical when the person is not upright."""

from collections.abc import Callable

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.calibration.self_solve import self_solve
from pose_rig.fusion.calibration.solve_task import SolveTask
from pose_rig.fusion.calibration.vertical import (
    VERTICAL_FROM_CAMERAS,
    VERTICAL_UNCERTAIN,
    has_walked,
    lowest_height,
    resolve_vertical,
    vertical_from_cameras,
)
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.pose.pose_estimate import PoseEstimate
from pose_rig.fusion.rig.background import BackgroundCompute
from pose_rig.geometry import rotation_from_vector
from pose_rig.graph import Engine
from pose_rig.simulation.cameras import Cameras
from pose_rig.skeleton import INDEX
from tests.fusion.fakes import SIZE, config, film, ring, run, standing, unsolved, walk

FPS = 15.0
Y = np.array([0.0, 1.0, 0.0])
LYING = rotation_from_vector(np.radians([-90.0, 0.0, 0.0]))
HANGING = rotation_from_vector(np.radians([180.0, 0.0, 0.0]))
RING = ring(4)


def on_the_spot(seconds: float, turn: Floats, height_m: float) -> Floats:
    """A person who moves on the spot, rotated about their pelvis at a given height."""
    joints = walk(seconds, FPS)
    return np.asarray((joints - joints[:, :1]) @ turn.T + [0.0, height_m, 0.0])


def rolled(cameras: Cameras, deg: float) -> Cameras:
    """Cameras rotated about their own axes."""
    turn = rotation_from_vector(np.radians([0.0, 0.0, deg]))
    return Cameras(turn @ cameras.rotation, cameras.position, cameras.focal_px, cameras.size_px)


def fused(
    engine: Engine,
    motion: Floats,
    cameras: Cameras = RING,
    solve: Callable[[SolveTask], RigSolution | str] = self_solve,
) -> tuple[Estimator, list[PoseEstimate]]:
    views = len(cameras.rotation)
    made = Estimator(config(views), engine, BackgroundCompute(solve=solve))
    for view in range(views):
        made.set_camera(view, SIZE, "rig17")
    return made, run(film(motion, cameras, fps=FPS), made)


def tilt_deg(out: PoseEstimate, cameras: Cameras) -> float:
    """Angle between the vertical and that of the room, from the camera rotations."""
    known = np.isfinite(out.camera_from_rig).all((1, 2))
    room_up = (out.camera_from_rig.swapaxes(1, 2) @ cameras.rotation @ Y)[known].mean(0)
    return float(np.degrees(np.arccos(np.clip(room_up[1] / np.linalg.norm(room_up), -1, 1))))


@pytest.mark.parametrize("solve", [self_solve, unsolved])
@pytest.mark.parametrize(("turn", "height_m"), [(LYING, 0.3), (HANGING, 1.3)], ids=["lying", "hanging"])
def test_a_person_who_is_never_upright_does_not_rotate_the_room(
    engine: Engine, turn: Floats, height_m: float, solve: Callable[[SolveTask], RigSolution | str]
) -> None:
    made, out = fused(engine, on_the_spot(6.0, turn, height_m), solve=solve)
    assert out[-1].mode == ("solved" if solve is self_solve else "settled")
    assert tilt_deg(out[-1], RING) < 15
    assert made.rig_state().note.endswith(VERTICAL_FROM_CAMERAS)


def test_a_lying_person_is_on_the_floor(engine: Engine) -> None:
    _, out = fused(engine, on_the_spot(6.0, LYING, 0.3))
    joints = out[-1].xyz_raw
    assert abs(joints[INDEX["head"], 1] - joints[INDEX["pelvis"], 1]) < 0.25
    assert -0.15 < joints[:, 1].min() < 0.25


def test_a_walking_person_is_upright_without_warning(engine: Engine) -> None:
    made, out = fused(engine, walk(5.0, FPS))
    assert tilt_deg(out[-1], RING) < 6
    assert made.rig_state().note == ""


def test_cameras_upside_down_do_not_rotate_a_walking_person(engine: Engine) -> None:
    hung = rolled(RING, 180.0)
    straight = walk(6.0, FPS)
    way = np.stack([1.2 * np.sin(np.arange(len(straight)) / FPS), 0 * straight[:, 0, 0], 0 * straight[:, 0, 0]], -1)
    made, out = fused(engine, straight - straight[:, :1] * [1, 0, 1] + way[:, None], hung)
    assert out[-1].mode == "solved"
    assert tilt_deg(out[-1], hung) < 15
    assert made.rig_state().note == ""


def test_with_cameras_on_their_sides_the_person_gives_the_vertical(engine: Engine) -> None:
    """As phones without orientation metadata; around the person they do not agree on another vertical."""
    aside = rolled(RING, 90.0)
    made, out = fused(engine, walk(4.0, FPS), aside, unsolved)
    assert tilt_deg(out[-1], aside) < 15
    assert made.rig_state().note.endswith(VERTICAL_UNCERTAIN)


@pytest.mark.parametrize("down_deg", [40.0, 10.0, 0.0, -10.0, -30.0])
def test_level_cameras_give_the_vertical_unless_they_point_up(down_deg: float) -> None:
    turn = rotation_from_vector(np.radians([down_deg, 0.0, 3.0]))
    azimuth = rotation_from_vector(np.radians([0.0, 70.0, 0.0]) * np.arange(3)[:, None])
    rotation = turn @ np.diag([1.0, -1.0, -1.0]) @ azimuth
    found = vertical_from_cameras(rotation)
    if down_deg < -12:
        assert found is None
        return
    assert found is not None
    assert np.degrees(np.arccos(found @ Y)) < 4


def test_one_camera_or_two_that_disagree_give_no_vertical() -> None:
    assert vertical_from_cameras(RING.rotation[:1]) is None
    mixed = RING.rotation[:2].copy()
    mixed[1] = rotation_from_vector(np.radians([0.0, 0.0, 90.0])) @ mixed[1]
    assert vertical_from_cameras(mixed) is None


def test_one_camera_on_its_side_has_no_effect() -> None:
    mixed = RING.rotation.copy()
    mixed[2] = rotation_from_vector(np.radians([0.0, 0.0, 90.0])) @ mixed[2]
    up, doubt = resolve_vertical(mixed, 2.0 * Y)
    assert doubt == ""
    assert up == pytest.approx(2.0 * Y)


def test_leaning_somewhat_is_no_contradiction() -> None:
    leaning = rotation_from_vector(np.radians([30.0, 0.0, 0.0])) @ Y
    up, doubt = resolve_vertical(RING.rotation, leaning)
    assert doubt == ""
    assert np.array_equal(up, leaning)
    up, doubt = resolve_vertical(RING.rotation, rotation_from_vector(np.radians([60.0, 0.0, 0.0])) @ Y)
    assert doubt == VERTICAL_FROM_CAMERAS
    assert up @ Y > 0.98


def test_walking_is_distinguished_from_lying_and_standing() -> None:
    motion = np.stack([standing() + np.array([0.6 * np.sin(t), 0.9, 0.0]) for t in np.linspace(0, 6, 40)])
    assert has_walked(motion, Y)
    assert not has_walked(np.stack([standing()] * 9), Y)
    assert not has_walked(motion, np.array([1.0, 0.0, 0.0]))


def test_the_floor_is_under_the_lowest_joint() -> None:
    hanging = np.stack([standing() @ HANGING.T + [0.0, 2.0, 0.0]] * 5)
    assert lowest_height(hanging, Y, 1.7) == pytest.approx(2.0 - 0.7 - 0.066, abs=0.01)


@pytest.mark.parametrize(("turn", "said"), [(LYING, VERTICAL_UNCERTAIN), (np.eye(3), "")], ids=["lying", "upright"])
def test_one_camera_warns_of_an_uncertain_vertical(engine: Engine, turn: Floats, said: str) -> None:
    side = Cameras(RING.rotation[1:2], RING.position[1:2], RING.focal_px[1:2], RING.size_px[1:2])
    made, out = fused(engine, on_the_spot(4.5, turn, 0.9), side)
    assert out[-1].mode == "cold"
    assert made.rig_state().note == said
