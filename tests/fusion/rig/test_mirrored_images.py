"""Only cameras with mirrored images are named."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.calibration.self_solve import self_solve
from pose_rig.fusion.calibration.solve_task import SolveTask
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.pose.association import shape_of
from pose_rig.fusion.pose.sync import Sample
from pose_rig.fusion.rig.background import BackgroundCompute
from pose_rig.fusion.rig.mirrored_images import MIN_SAMPLES, contrasts
from pose_rig.geometry import rotation_from_vector
from pose_rig.graph import Engine
from pose_rig.skeleton import MIRROR, J
from tests.fusion.fakes import SIZE, Scene, config, film, ring, run, standing, unsolved, walk

MINE = (
    "its image looks mirrored: set mirror = true for it in the rig.toml, or, if it shows writing the right way "
    "round, for "
)
LONG_S = 8.0
NOISE = 0.03 * np.random.default_rng(0).normal(0, 1, (2, J, 3))


def as_seen_in_a_mirror(xy_px: Floats) -> Floats:
    """Detections (...,J,2) in the mirrored image: the detector's left is the person's right."""
    return np.asarray((xy_px * [-1, 1] + [SIZE[0], 0])[..., list(MIRROR), :])


def exchanged(xy_px: Floats) -> Floats:
    """Detections (...,J,2) of a detector that takes left for right."""
    return np.asarray(xy_px[..., list(MIRROR), :])


def notes(
    engine: Engine,
    scene: Scene,
    odd: Sequence[int],
    how: Callable[[Floats], Floats] = as_seen_in_a_mirror,
    solve: Callable[[SolveTask], RigSolution | str] = self_solve,
) -> list[str]:
    """What is said of every camera after a while; the odd ones show the person otherwise."""
    views = len(scene.xy_px)
    made = Estimator(config(views), engine, BackgroundCompute(solve=solve))
    for view in range(views):
        made.set_camera(view, SIZE, "rig17")

    def change(_: int, samples: list[Sample | None]) -> list[Sample | None]:
        return [
            Sample(sample.t_ns, how(sample.xy_px), sample.score[..., list(MIRROR)])
            if sample is not None and view in odd
            else sample
            for view, sample in enumerate(samples)
        ]

    run(scene, made, change)
    return [state.note for state in made.rig_state().cameras]


@pytest.fixture(scope="module")
def scene() -> Scene:
    return film(walk(LONG_S, 15.0), ring(3), fps=15.0)


@pytest.mark.parametrize("solve", [self_solve, unsolved])
def test_one_mirrored_camera_is_named(
    engine: Engine, scene: Scene, solve: Callable[[SolveTask], RigSolution | str]
) -> None:
    assert notes(engine, scene, [1], solve=solve) == ["", f"{MINE}cam0 and cam2", ""]


@pytest.mark.parametrize("solve", [self_solve, unsolved])
def test_two_mirrored_cameras_are_named_with_the_third(
    engine: Engine, scene: Scene, solve: Callable[[SolveTask], RigSolution | str]
) -> None:
    said = notes(engine, scene, [0, 2], solve=solve)
    assert said[1] == f"{MINE}cam0 and cam2"
    assert not any("mirrored" in note for note in np.delete(said, 1))


def test_a_rig_without_mirrored_cameras(engine: Engine, scene: Scene) -> None:
    assert notes(engine, scene, []) == ["", "", ""]


def test_one_of_four_that_was_left_out_is_named_too(engine: Engine) -> None:
    said = notes(engine, film(walk(LONG_S, 15.0), ring(4), fps=15.0), [1])
    assert said[1] == f"{MINE}cam0 and cam2 and cam3"
    assert not any("mirrored" in note for note in np.delete(said, 1))


def test_of_two_cameras_both_are_named(engine: Engine) -> None:
    said = notes(engine, film(walk(LONG_S, 15.0), ring(2), fps=15.0), [1])
    assert said[0].startswith("its image or that of cam1 looks mirrored: set mirror = true")
    assert said[1].startswith("its image or that of cam0 looks mirrored: set mirror = true")


def test_a_detector_that_exchanges_left_and_right_is_no_mirror_once_the_rig_is_solved(
    engine: Engine, scene: Scene
) -> None:
    assert not any("mirrored" in note for note in notes(engine, scene, [1], exchanged))


def test_if_all_are_mirrored_none_is_named(engine: Engine, scene: Scene) -> None:
    assert notes(engine, scene, [0, 1, 2]) == ["", "", ""]


def test_an_image_that_was_flipped_wrongly_is_named(engine: Engine, scene: Scene) -> None:
    cameras = [*config(3).camera]
    cameras[2] = type(cameras[2])(source="2.npz", name="cam2", mirror=True)
    made = Estimator(config(3, camera=tuple(cameras)), engine, BackgroundCompute(solve=unsolved))
    for view in range(3):
        made.set_camera(view, SIZE, "rig17")
    flipped = [as_seen_in_a_mirror(xy) if v == 2 else xy for v, xy in enumerate(scene.xy_px)]
    run(Scene(scene.joints, scene.cameras, np.stack(flipped), scene.score, scene.fps), made)
    assert made.rig_state().cameras[2].note == (
        "its image looks mirrored since it is flipped: remove mirror = true from the rig.toml"
    )


def test_contrast_is_between_a_pose_and_its_mirror_image() -> None:
    lunge = standing()
    lunge[[1, 2, 3]] += np.array([[0, 0, 0], [0, 0.1, 0.3], [0, 0.2, 0.2]])
    lunge[[15, 16]] += np.array([[0, 0.5, 0.2], [0, 1.0, 0.3]])
    mirrored = lunge[list(MIRROR)] * [-1, 1, 1]
    turned = lunge @ rotation_from_vector(np.array([0.3, 2.0, -0.2])).T
    contrast = contrasts(shape_of(np.stack([lunge, turned, mirrored]).astype(np.float32)))
    assert contrast[0, 1] == pytest.approx(-1.0, abs=0.01)
    assert contrast[[0, 1], 2] == pytest.approx([1.0, 1.0], abs=0.01)
    without_contrast = contrasts(shape_of(np.stack([standing(), 1.3 * standing()]).astype(np.float32)) + NOISE)
    assert abs(without_contrast[0, 1]) < 0.1


def test_a_second_is_too_little(engine: Engine) -> None:
    scene = film(walk(MIN_SAMPLES / 15 - 0.2, 15.0), ring(3), fps=15.0)
    assert not any("mirrored" in note for note in notes(engine, scene, [1], solve=unsolved))
