"""Lifts of one view beside world landmarks, on a walk whose detections are stored with its reference."""

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.accuracy.reference import Reference
from benchmarks.accuracy.world_landmarks import Errors, add_figures, compare, stored
from benchmarks.contract import Figure, Report
from pose_rig.errors import UsageError
from pose_rig.geometry import rotation_from_vector
from pose_rig.lifting.checkpoint import load
from pose_rig.lifting.engine import DEFAULT_WEIGHTS
from pose_rig.lifting.model import Lifter, with_depth
from pose_rig.skeleton import INDEX, SCHEMAS
from tests.fusion.fakes import FPS, film, ring, walk

VIEWS = 2
SIDE = {"l": "left", "r": "right"}


@pytest.fixture(scope="module")
def lifter() -> Lifter:
    return load(DEFAULT_WEIGHTS)[0]


def landmarks_of(joints: np.ndarray) -> np.ndarray:
    """(...,33,C) the detector's landmarks for our joints (...,17,C); eyes, hands and feet are where they hang."""
    names = list(SCHEMAS["mediapipe33"])
    out = np.repeat(joints[..., [INDEX["head"]], :], len(names), axis=-2)
    for joint in (name for name in INDEX if name[:2] in ("l_", "r_")):
        out[..., names.index(f"{SIDE[joint[0]]}_{joint[2:]}"), :] = joints[..., INDEX[joint], :]
    out[..., names.index("nose"), :] = joints[..., INDEX["nose"], :]
    return np.asarray(out)


def take(path: Path) -> Path:
    """Half a second of a walk; the world landmarks are right but turned; camera 1 begins with somebody else in 2D."""
    cameras, joints = ring(VIEWS), walk(0.5)
    xy = landmarks_of(film(joints, cameras, noise=0).xy_px)
    world = np.repeat(landmarks_of(joints @ rotation_from_vector(np.array([0.0, 1.0, 0.3])).T)[None], VIEWS, 0)
    intrinsics = np.array([[[1100.0, 0, 640], [0, 1100.0, 360], [0, 0, 1]]] * VIEWS)
    xy[1, :3] += 400.0  # a bystander
    np.savez(
        path, ref3d_h36m17=joints, fps=np.array(FPS), K=intrinsics, dist=np.zeros((VIEWS, 5)), R=cameras.rotation,
        t=-np.einsum("vij,vj->vi", cameras.rotation, cameras.position), kp2d_full=xy, vis_full=np.ones(xy.shape[:3]),
        mp_world_full=world, kp2d_lite=xy, vis_lite=np.ones(xy.shape[:3]), image_size_wh=[[1280, 720]] * VIEWS,
    )  # fmt: skip
    return path


def errors_of(path: Path, lifter: Lifter, model: str = "full", frames: tuple[int, int] | None = None) -> list[Errors]:
    truth = Reference.load(path)
    return [compare(view, number, truth, lifter, frames) for number, view in enumerate(stored(path, model))]


def test_both_are_compared_with_the_reference(tmp_path: Path, lifter: Lifter) -> None:
    first, second = errors_of(take(tmp_path / "t.npz"), lifter)
    for one in (first, second):
        assert one.world.max() < 1e-6
        assert one.lifted.shape == (15,)
        assert 10 < one.lifted.mean() < 70
        assert np.isfinite(one.both).all()
        assert one.lifted.mean() < one.plain.mean()  # the world landmarks here are exact
        assert one.in_sds.shape == (15, 12)
        assert 0.2 < np.sqrt((one.in_sds[3:] ** 2).mean()) < 3
    assert first.right.all()
    assert second.right.tolist() == [False] * 3 + [True] * 12
    assert len(second.where_right.lifted) == 12


def test_depths_of_the_world_landmarks_are_those_that_a_lifter_takes(tmp_path: Path, lifter: Lifter) -> None:
    taking = with_depth(lifter)
    path = take(tmp_path / "t.npz")
    assert (errors_of(path, taking)[0].plain == errors_of(path, taking)[0].lifted).all()  # not trained
    torch.nn.init.normal_(taking.depth_branch.last.weight, std=0.05)
    changed = errors_of(path, taking)[0]
    assert np.abs(changed.plain - changed.lifted).max() > 0.1
    assert (changed.plain == errors_of(path, lifter)[0].plain).all()
    without = errors_of(path, taking, "lite")[0]  # stored without world landmarks
    assert (without.plain == without.lifted).all()


def test_only_the_selected_frames_are_used(tmp_path: Path, lifter: Lifter) -> None:
    path = take(tmp_path / "t.npz")
    everything, some = errors_of(path, lifter)[1], errors_of(path, lifter, frames=(3, 9))[1]
    assert some.lifted == pytest.approx(everything.lifted[3:9])
    assert some.right.all()


def test_missing_world_landmarks_are_nan(tmp_path: Path, lifter: Lifter) -> None:
    path = take(tmp_path / "t.npz")
    errors = errors_of(path, lifter, "lite")
    assert np.isnan(errors[0].world).all()
    assert np.isnan(errors[0].both).all()
    assert errors[0].lifted == pytest.approx(errors_of(path, lifter)[0].plain)
    with pytest.raises(UsageError, match=r"t\.npz has no detections of the model 'heavy'\. Give the videos"):
        next(stored(path, "heavy"))


def errors(lifted: list[float], world: list[float], right: np.ndarray) -> Errors:
    """Errors whose 2D alone is as good, and whose mean with the world landmarks is 10 mm better."""
    mm = np.array(lifted)
    return Errors(mm, mm, mm - 10, np.array(world), right, np.full((len(mm), 12), 2.0))


def report_of(*errors: Errors) -> dict[str, Figure]:
    report = Report("b", {})
    add_figures(report, [f"cam{number}" for number in range(len(errors))], list(errors))
    return {figure.name: figure for figure in report.figures}


def test_the_mean_weights_all_cameras_equally() -> None:
    good = np.array([True, True])
    found = report_of(
        errors([40.0, 60.0], [90.0, 110.0], good),
        errors([30.0], [50.0], good[:1]),
    )
    assert found["mean of all: lift of one view"].median == 40
    assert found["mean of all: world landmarks"].median == 75
    assert found["mean of all: ratio"].median == pytest.approx(40 / 75)
    assert found["mean of all: mean of both"].median == 30
    assert found["mean of all: error over sd"].median == 2
    assert found["mean of all: ratio"].target == "≤ 0.8"
    assert "cam0: right person" not in found


def test_detections_of_another_person_are_recognised() -> None:
    found = report_of(errors([40.0, 200.0], [60.0, 220.0], np.array([True, False])))
    assert found["cam0: right person"].median == 50
    assert found["cam0, right person: lift of one view"].median == 40
    assert found["mean of all, right person: ratio"].median == pytest.approx(40 / 60)


def test_a_camera_without_the_right_person_is_excluded_from_the_mean() -> None:
    none = errors([200.0], [220.0], np.array([False]))
    found = report_of(none, errors([40.0], [np.nan], np.array([True])))
    assert found["mean of all, right person: lift of one view"].median == 40
    assert "mean of all: world landmarks" not in found
    assert "cam0, right person: lift of one view" not in found
