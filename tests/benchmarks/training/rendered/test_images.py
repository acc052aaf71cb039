"""Images of people, and what is measured with them."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.training.rendered.__main__ import random_poses, random_view
from benchmarks.training.rendered.images import Studio, View
from benchmarks.training.rendered.score import LIMB, Images, as_detected, bone_axes, errors_mm
from pose_rig.lifting.checkpoint import load
from pose_rig.lifting.engine import DEFAULT_WEIGHTS
from pose_rig.simulation.motion import shipped
from pose_rig.skeleton import landmarks
from tests.benchmarks.training.rendered.stick_people import stick_people

K = 33


def views(count: int) -> list[View]:
    rng, people = np.random.default_rng(0), stick_people()
    poses = (people.posed(0, pose, rng) for pose in random_poses(shipped(), count, rng))
    return [view for pose in poses if (view := random_view(pose, people.joints(pose), rng)) is not None]


def test_people_are_in_the_image() -> None:
    studio, person = Studio(stick_people(), np.random.default_rng(0), backgrounds=2), 0
    inside = []
    for view in views(30):
        xy, (width, height) = view.joints_px, view.size_px
        inside.append(((xy > 0) & (xy < (width, height))).all())
        assert np.linalg.norm(view.camera_from_room @ view.camera_from_room.T - np.eye(3)) < 1e-9
        image = studio.image(person, view)
        assert image.shape == (height, width, 3)
        assert image.std() > 1
    assert np.mean(inside) > 0.6


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of detections that are exact."""
    made, to = views(60), tmp_path_factory.mktemp("rendered") / "views.npz"
    from_joints = np.linalg.pinv(landmarks("mediapipe33").weights)
    joints = np.stack([view.joints for view in made])
    np.savez(
        to, allow_pickle=False, xy=np.stack([from_joints @ view.joints_px for view in made]),
        score=np.ones((len(made), K)), world=from_joints @ (joints - joints[:, :1]), joints=joints,
        focal_px=np.array([view.focal_px for view in made]), size_px=np.array([view.size_px for view in made]),
    )  # fmt: skip
    return to


def test_world_landmarks_that_are_true_have_no_error_and_help_the_lift(path: Path) -> None:
    found = errors_mm(Images.load(path), load(DEFAULT_WEIGHTS)[0])
    assert found["world landmarks"].mean() < 3
    assert found["lift of one view"].mean() < 0.97 * found["2D alone"].mean() < 120


def test_joints_are_moved_to_where_the_detector_sees_them() -> None:
    joints = np.stack([view.joints for view in views(60)])
    offset = np.zeros((17, 3))
    offset[LIMB] = np.random.default_rng(0).normal(0, 0.02, (len(LIMB), 3))
    seen = joints + np.einsum("njab,jb->nja", bone_axes(joints), offset)
    found = as_detected(joints, seen[..., :2] / seen[..., 2:])
    assert np.linalg.norm(found - seen, axis=-1)[:, LIMB].max() < 1e-4
