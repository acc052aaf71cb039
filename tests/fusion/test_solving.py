"""From cold to settled to solved, and what a solved rig does when cameras are moved, carried or used again."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.config import Config
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.calibration.self_solve import self_solve
from pose_rig.fusion.calibration.solve_task import SolveTask
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.pose.pose_estimate import PoseEstimate
from pose_rig.fusion.pose.sync import Sample
from pose_rig.fusion.rig.background import BackgroundCompute
from pose_rig.geometry import angle_deg, rotation_from_vector
from pose_rig.graph import Engine
from pose_rig.simulation.cameras import Cameras
from pose_rig.skeleton import INDEX
from pose_rig.training.evaluation.metrics import pmpjpe
from pose_rig.wire.messages import CameraState
from tests.fusion.fakes import (
    SIZE,
    UNSOLVED,
    Scene,
    config,
    film,
    finite,
    new_estimator,
    relative_error_deg,
    ring,
    run,
    solved_configs,
    turned_at,
    unsolved,
    walk,
)


def camera_state(made: Estimator, view: int) -> CameraState:
    return made.rig_state().cameras[view]


def rotations(made: Estimator) -> Floats:
    """(V,3,3) as published; NaN where unknown."""
    nothing = (np.nan,) * 9
    return np.array([state.rotation or nothing for state in made.rig_state().cameras]).reshape(-1, 3, 3)


def centres(made: Estimator) -> Floats:
    """(V,3) m camera centres, as published."""
    steps = np.array([state.translation_m for state in made.rig_state().cameras])
    return np.asarray(-np.einsum("vji,vj->vi", rotations(made), steps))


def way(out: Sequence[PoseEstimate]) -> list[str]:
    """The modes in their order, each once as long as it lasts."""
    return [o.mode for i, o in enumerate(out) if not i or o.mode != out[i - 1].mode]


def error_mm(scene: Scene, out: Sequence[PoseEstimate], start: int = 0) -> float:
    poses = np.stack([o.xyz_raw for o in out])[start:]
    return float(1e3 * pmpjpe(poses, scene.joints[start : len(out)]).mean())


def sparing(times: int = 2) -> Callable[[SolveTask], RigSolution | str]:
    """Solves a few times, then never again: what is tested comes afterwards, and solving takes time."""
    left = [None] * times

    def solve(task: SolveTask) -> RigSolution | str:
        if not left:
            return unsolved(task)
        left.pop()
        return self_solve(task)

    return solve


def described(made: Estimator) -> Estimator:
    for view in range(len(made.landmarks)):
        made.set_camera(view, SIZE, "rig17")
    return made


@dataclass(frozen=True)
class Done:
    """A rig of four that has solved itself."""

    scene: Scene
    made: Estimator
    out: list[PoseEstimate]

    @property
    def first(self) -> int:
        """The first solved time step."""
        return [o.mode for o in self.out].index("solved")


@pytest.fixture(scope="module")
def done(engine: Engine) -> Done:
    scene, made = film(walk(6.0), ring(4)), described(Estimator(config(4, height_m=1.7), engine))
    return Done(scene, made, run(scene, made))


def test_a_rig_solves_itself_within_seconds_of_movement(done: Done) -> None:
    assert [mode for mode in way(done.out) if mode != "settled"] == ["cold", "solved"]  # and it never goes back
    assert done.first < 90
    assert done.made.rig_state().note == ""
    assert all(finite(o) for o in done.out)
    assert all(np.isfinite(o.covariance).all() for o in done.out[done.first :])
    assert all(np.isnan(o.covariance).all() for o in done.out[: done.first])
    assert error_mm(done.scene, done.out, 120) < 12
    assert relative_error_deg(rotations(done.made), done.scene.cameras.rotation).max() < 2.5


def test_camera_poses_of_a_solved_rig(done: Done) -> None:
    cameras = done.scene.cameras
    found, true = (
        np.linalg.norm(places[:, None] - places[None], axis=-1) for places in (centres(done.made), cameras.position)
    )
    pairs = np.triu_indices(4, 1)
    ratio = found[pairs] / true[pairs]
    assert np.abs(ratio / np.median(ratio) - 1).max() < 0.06
    assert np.median(ratio) == pytest.approx(1, abs=0.12)  # the walker is not quite 1.7 m tall
    for view, state in enumerate(done.made.rig_state().cameras):
        assert state.focal_px == pytest.approx(1100, rel=0.08)
        assert (state.note, state.moving, state.size_px) == ("", False, SIZE)
        assert state.health > 0.8
        assert state.rotation_sd_deg is not None
        assert 0 < state.rotation_sd_deg < 4.5
        assert state.translation_sd_m is not None
        assert 0 < state.translation_sd_m < 0.5
        assert state.focal_sd_px is not None
        assert 0 < state.focal_sd_px < 220
        assert centres(done.made)[view, 1] == pytest.approx(cameras.position[view, 1], abs=0.35)  # above the floor


def test_floor_and_vertical_of_a_solved_rig(done: Done) -> None:
    late = np.stack([o.xyz_raw for o in done.out[120:]])
    ankles = late[:, [INDEX["l_ankle"], INDEX["r_ankle"]], 1].min(1)
    assert abs(np.percentile(ankles, 20) - 0.039 * 1.7) < 0.05
    assert (late[:, INDEX["head"], 1] > late[:, INDEX["pelvis"], 1] + 0.4).all()
    assert rotations(done.made)[0, 2, 2] < -0.5  # camera 0 looks along −z
    assert abs(rotations(done.made)[0, 2, 0]) < 0.05


def test_the_person_moves_through_the_room_of_a_solved_rig(done: Done) -> None:
    found = np.stack([o.xyz_raw[0] for o in done.out[done.first :]])
    true = done.scene.joints[done.first :, 0]
    gone = [np.linalg.norm(np.diff(place[::15], axis=0), axis=-1) for place in (found, true)]
    assert gone[1].sum() > 0.5
    assert gone[0].sum() == pytest.approx(gone[1].sum(), rel=0.15)
    assert np.abs(gone[0] - gone[1]).max() < 0.05


def test_the_body_height_is_the_given_one(engine: Engine) -> None:
    scene = film(walk(4.0), ring(3))
    tops = []
    for height_m in (1.4, 1.9):
        out = run(scene, described(Estimator(config(3, height_m=height_m), engine)))[-30:]
        assert {o.mode for o in out} == {"solved"}
        poses = np.stack([o.xyz_raw for o in out])
        assert poses[:, :, 1].min() == pytest.approx(0.039 * height_m, abs=0.06)
        tops.append(poses[:, INDEX["head"], 1].mean())
    assert tops[1] / tops[0] == pytest.approx(1.9 / 1.4, rel=0.01)
    assert 0.85 * 1.9 < tops[1] < 1.9


def test_two_cameras_suffice(engine: Engine) -> None:
    scene, made = film(walk(8.0), ring(2)), new_estimator(engine, 2)
    out = run(scene, made)
    assert way(out)[-1] == "solved"
    assert error_mm(scene, out, 180) < 25
    assert relative_error_deg(rotations(made), scene.cameras.rotation).max() < 8


def test_one_camera_is_never_solved(engine: Engine) -> None:
    made = new_estimator(engine, 1)
    assert way(run(film(walk(3.0), ring(1)), made)) == ["cold"]
    assert camera_state(made, 0).translation_m is None


def test_solving_is_repeatable_to_the_bit(engine: Engine) -> None:
    scene = film(walk(2.0), ring(3))
    first, second = (run(scene, new_estimator(engine, 3)) for _ in range(2))
    assert way(first)[-1] == "solved"
    for a, b in zip(first, second, strict=True):
        for name in ("mode", "xyz", "covariance", "score", "refined_px", "camera_from_rig"):
            assert np.array_equal(getattr(a, name), getattr(b, name), equal_nan=name != "mode"), name


class SolvesInBackground(ThreadPoolExecutor):
    """What else is computed is done at once, so that the steps until then do not depend on how fast they follow.

    Attributes:
        solving: The last solve.
    """

    def __init__(self) -> None:
        super().__init__(1)
        self.solving: Future[Any] = Future()

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> "Future[Any]":
        if any(isinstance(argument, SolveTask) for argument in arguments):
            self.solving = super().submit(work, *arguments, **named)
            return self.solving
        done: Future[Any] = Future()
        done.set_result(work(*arguments, **named))
        return done


def test_no_pose_waits_while_the_rig_is_solved_in_the_background(engine: Engine) -> None:
    scene = film(walk(4.0), ring(3))
    go = threading.Event()

    def slowly(task: SolveTask) -> RigSolution | str:
        assert go.wait(30)
        return self_solve(task)

    with SolvesInBackground() as executor:
        made = described(Estimator(config(3), engine, BackgroundCompute(executor, slowly)))
        out: list[PoseEstimate] = []
        for index in range(len(scene.joints)):
            if index == 80:
                assert executor.solving.running()
                assert way(out) == ["cold", "settled"]  # the solver has been at it for long
                go.set()
            if index >= 80:
                wait([executor.solving], 30)
            out.append(made.step(scene.t_ns(index), scene.samples(index)))
    assert way(out) == ["cold", "settled", "solved"]


TURNS = {"panned": [0.0, 10.0, 0.0], "rolled": [0.0, 0.0, 10.0]}


@pytest.mark.parametrize("how", TURNS)
def test_a_camera_that_is_bumped_is_named_and_comes_back(engine: Engine, how: str) -> None:
    frames, start = 270, 120
    turn = rotation_from_vector(np.radians(TURNS[how]))
    scene, made = film(walk(9.0), turned_at(ring(4), 2, turn, start, frames)), new_estimator(engine, 4, solve=sparing())
    out: list[PoseEstimate] = []
    notes: list[list[str]] = []
    for index in range(frames):
        out.append(made.step(scene.t_ns(index), scene.samples(index)))
        notes.append([state.note for state in made.rig_state().cameras])
    assert {o.mode for o in out[start:]} == {"solved"}
    accused = [any(note[v] for note in notes[start:]) for v in range(4)]
    assert accused == [False, False, True, False]
    named = next(i for i, note in enumerate(notes) if note[2] and i >= start)
    assert named - start < 60  # two seconds
    notes_of_it = [note[2] for i, note in enumerate(notes) if not i or note[2] != notes[i - 1][2]]
    assert notes_of_it == [
        "",
        "disagrees with the others",
        "was moved, joined late or follows another person: its pose is being estimated",
        "",
    ]
    assert relative_error_deg(rotations(made), scene.cameras.rotation[:, -1]).max() < 2
    poses = np.stack([o.xyz for o in out])
    jump = np.linalg.norm(np.diff(poses, axis=0), axis=-1) - np.linalg.norm(np.diff(scene.joints, axis=0), axis=-1)
    assert jump[start - 1 :].mean(-1).max() < 0.05
    before, back = error_mm(scene, out[:start], start - 45), error_mm(scene, out, start + 120)
    assert back < 1.2 * before + 1


def test_a_camera_that_joins_a_solved_rig_is_placed(engine: Engine) -> None:
    scene, made = film(walk(5.0), ring(4)), new_estimator(engine, 4, solve=sparing(3))
    out = run(scene, made, lambda i, samples: samples if i >= 90 else [*samples[:-1], None])
    assert out[89].mode == "solved"
    assert np.isnan(out[89].camera_from_rig[-1]).all()
    assert camera_state(made, 3).note == ""
    assert relative_error_deg(rotations(made), scene.cameras.rotation).max() < 3


def carried(seconds: float) -> Scene:
    """Camera 3 of four goes to and fro and looks about."""
    still, frames = ring(4), round(30 * seconds)
    fields = (still.rotation, still.position, still.focal_px, still.size_px)
    rotation, position, focal_px, size_px = (np.repeat(value[:, None], frames, 1) for value in fields)
    sway = np.sin(2 * np.pi * np.arange(frames) / 75)[:, None]
    rotation[3] = rotation_from_vector(sway * np.radians([4.0, 12.0, 6.0])) @ rotation[3]
    position[3] += sway * np.array([0.3, 0.1, 0.2])
    return film(walk(seconds), Cameras(rotation, position, focal_px, size_px))


def test_a_camera_configured_as_moving_is_never_placed_and_does_no_harm(engine: Engine) -> None:
    scene = carried(6.0)
    base = config(4)
    cameras = (*base.camera[:3], msgspec.structs.replace(base.camera[3], moving=True))
    made = described(
        Estimator(msgspec.structs.replace(base, camera=cameras), engine, BackgroundCompute(solve=sparing()))
    )
    asked: list[bool] = []

    def watch(index: int, samples: list[Sample | None]) -> list[Sample | None]:
        state = camera_state(made, 3)
        asked.append(state.moving and state.rotation is None and state.translation_m is None)
        assert made.calibration is None or made.calibration.known.tolist() == [True, True, True, False]
        return samples

    out = run(scene, made, watch)
    assert all(asked)
    assert way(out)[-1] == "solved"
    assert error_mm(scene, out, 120) < 16
    assert camera_state(made, 3).note == ""
    assert [state.moving for state in made.rig_state().cameras] == [False, False, False, True]


def test_only_cameras_that_move_are_never_solved(engine: Engine) -> None:
    base = config(3)
    cameras = tuple(msgspec.structs.replace(camera, moving=True) for camera in base.camera)
    made = described(Estimator(msgspec.structs.replace(base, camera=cameras), engine))
    scene = film(walk(3.0), ring(3))
    out = run(scene, made)
    assert way(out) == ["cold"]
    assert error_mm(scene, out) < 35


def remembering(
    engine: Engine, rig: Cameras, height_m: float | None = None, learner: BackgroundCompute | None = None
) -> Estimator:
    """A rig that was solved in an earlier run; by default it cannot be solved now."""
    learner = learner or BackgroundCompute(solve=unsolved)
    return described(Estimator(Config(camera=solved_configs(rig), pace="all", height_m=height_m), engine, learner))


def test_a_remembered_rig_is_used_after_a_second(engine: Engine) -> None:
    scene = film(walk(3.0), ring(3))
    made = remembering(engine, scene.cameras)
    assert made.mode == "cold"
    out = run(scene, made)
    assert way(out) == ["cold", "solved"]
    assert 25 < [o.mode for o in out].index("solved") < 45
    assert error_mm(scene, out, 45) < 12
    assert np.allclose(rotations(made), scene.cameras.rotation)
    assert np.allclose(centres(made), scene.cameras.position)  # without a body height, the rig keeps its scale
    assert made.rig_state().note == ""


@pytest.mark.parametrize("gone", [0, 2])
def test_a_view_that_ends_does_not_rotate_or_stop_the_pose_of_a_solved_rig(engine: Engine, gone: int) -> None:
    scene = film(walk(3.0), ring(3))

    def without(index: int, samples: list[Sample | None]) -> list[Sample | None]:
        if 50 <= index < 75:
            samples[gone] = None
        return samples

    whole, out = (run(scene, remembering(engine, scene.cameras), change) for change in (None, without))
    for index, (a, b) in enumerate(zip(whole[45:], out[45:], strict=True)):
        assert (a.mode, b.mode, b.tracking) == ("solved", "solved", True)
        assert finite(b)
        assert np.linalg.norm(a.xyz_raw - b.xyz_raw, axis=-1).mean() < 0.04, index
    assert [o.person_index[gone] for o in out[50:75]] == [-1] * 25
    assert [o.person_index[gone] for o in out[76:]] == [0] * 14


def test_a_remembered_rig_is_scaled_to_the_given_body_height(engine: Engine) -> None:
    scene = film(walk(3.0), ring(3))
    small, tall = (remembering(engine, scene.cameras, height_m) for height_m in (1.5, 1.8))
    for made in (small, tall):
        run(scene, made)
    assert np.allclose(rotations(tall), scene.cameras.rotation)
    assert np.linalg.norm(centres(tall)) / np.linalg.norm(centres(small)) == pytest.approx(1.2, rel=1e-6)


def test_a_remembered_rig_that_does_not_fit_is_dropped_with_a_note(engine: Engine) -> None:
    scene = film(walk(3.0), ring(3))
    stop = threading.Event()

    def later(task: SolveTask) -> RigSolution | str:
        assert stop.wait(30)
        return unsolved(task)

    with SolvesInBackground() as executor:
        made = remembering(engine, ring(3, step_deg=50.0, start_deg=20.0), learner=BackgroundCompute(executor, later))
        out = run(scene, made)
        assert (
            made.rig_state().note == "the rig of an earlier run no longer fits: the cameras are estimated from scratch"
        )
        stop.set()
    assert way(out) == ["cold", "settled"]
    assert made.calibration is None


def test_a_rig_that_cannot_be_solved_stays_settled_with_a_note(engine: Engine) -> None:
    made = new_estimator(engine, 3, solve=unsolved)
    assert way(run(film(walk(2.5), ring(3)), made)) == ["cold", "settled"]
    assert made.rig_state().note == UNSOLVED


def test_a_camera_that_was_moved_since_is_placed_again_in_the_remembered_rig(engine: Engine) -> None:
    rig = ring(4)
    rotation = rig.rotation.copy()
    rotation[1] = rotation_from_vector(np.radians([0.0, 12.0, 3.0])) @ rotation[1]
    scene = film(walk(5.0), Cameras(rotation, rig.position, rig.focal_px, rig.size_px))
    made = remembering(engine, rig)
    named: list[bool] = []

    def watch(index: int, samples: list[Sample | None]) -> list[Sample | None]:
        known = [state.note == "" for state in made.rig_state().cameras]
        named.append(made.mode == "solved" and known == [True, False, True, True])
        return samples

    out = run(scene, made, watch)
    assert way(out) == ["cold", "solved"]
    assert any(named)
    assert named[-1] is False
    assert angle_deg(rotations(made)[1], rotation[1]) < 1.5
    assert np.allclose(rotations(made)[[0, 2, 3]], rotation[[0, 2, 3]])


def test_the_cameras_of_a_solved_rig_stay_when_the_person_changes(engine: Engine) -> None:
    scene = film(walk(3.0), ring(3))
    made = remembering(engine, scene.cameras)
    run(scene, made)
    child = film(0.7 * walk(2.0), ring(3))
    out = [made.step(round(60e9) + child.t_ns(i), child.samples(i)) for i in range(len(child.joints))]  # a minute later
    assert {o.mode for o in out} == {"solved"}
    assert np.allclose(rotations(made), scene.cameras.rotation)
    assert np.allclose(centres(made), scene.cameras.position)
    assert error_mm(child, out, 45) < 15
