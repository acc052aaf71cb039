"""The calibrated rig that ours is compared with, and the comparison."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.accuracy.calibrated import cameras_of, is_triangulable, triangulate
from benchmarks.accuracy.poses_score import score_poses
from benchmarks.accuracy.reference import Reference
from benchmarks.accuracy.similarity import Similarity, global_mm, mirrored, pa_mm
from pose_rig.geometry import rotation_from_vector
from pose_rig.skeleton import JOINTS, LIMBS
from tests.fusion.fakes import ring, walk

SCORE = Path(__file__).parents[4] / "shared" / "score.py"
LIMB = list(LIMBS)


def scene(noise_px: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Joints (T,L,3), what four cameras see of them (V,T,L,2) without intrinsics, and those cameras (V,3,4)."""
    cameras, joints = ring(4), walk(1.0)[:, LIMB]
    local = np.einsum("vij,vtlj->vtli", cameras.rotation, joints - cameras.position[:, None, None])
    flat = local[..., :2] / local[..., 2:]
    flat += np.random.default_rng(0).normal(0, noise_px / 1100, flat.shape)
    return joints, flat, cameras_of(cameras.rotation, -np.einsum("vij,vj->vi", cameras.rotation, cameras.position))


def test_exact_rays_intersect_in_the_joint() -> None:
    joints, flat, cameras = scene()
    np.testing.assert_allclose(triangulate(cameras, flat, np.ones(flat.shape[:3])), joints, atol=1e-6)


def test_one_wrong_view_is_outvoted() -> None:
    joints, flat, cameras = scene(noise_px=1.0)
    flat[1] += 0.2
    assert 1e3 * np.linalg.norm(triangulate(cameras, flat, np.ones(flat.shape[:3])) - joints, axis=-1).mean() < 10


def test_a_view_without_detections_has_no_vote() -> None:
    joints, flat, cameras = scene()
    score = np.ones(flat.shape[:3])
    flat[2, :, 5], score[2, :, 5] = np.nan, 0.0
    np.testing.assert_allclose(triangulate(cameras, flat, score), joints, atol=1e-6)
    score[:3, 7, 0] = 0.0
    assert np.flatnonzero(~is_triangulable(score)).tolist() == [7]


def test_a_similarity_is_found() -> None:
    truth = np.random.default_rng(0).normal(0, 1, (5, 12, 3))
    rotation, shift = rotation_from_vector(np.array([0.2, -1.0, 0.4])), np.array([1.0, 2.0, 3.0])
    found = Similarity.fit((truth - shift) @ rotation / 2, truth)
    assert found.scale == pytest.approx(2.0)
    np.testing.assert_allclose(found.rotation, rotation, atol=1e-9)
    np.testing.assert_allclose(found.translation, shift, atol=1e-9)


def test_a_static_offset_is_a_global_error_only() -> None:
    truth = walk(2.0)[:, LIMB]
    still = truth - truth.mean(1, keepdims=True)
    assert pa_mm(still, truth).max() < 1e-6
    assert global_mm(still, truth) > 50


def test_a_mirror_image_is_recognised() -> None:
    truth = walk(1.0)[:, LIMB]
    turned = 3 * truth @ rotation_from_vector(np.array([0.3, 1.0, 2.0]))
    assert not mirrored(turned, truth)
    assert mirrored(turned * [1, -1, 1], truth)


def files(folder: Path) -> tuple[Path, Path]:
    """A poses file of 20 instants, some of them lost, and its reference of 30."""
    random = np.random.default_rng(3)
    cameras, joints = ring(3), walk(1.0)
    xy, _ = cameras.project(joints[:, None])
    translation = -np.einsum("vij,vj->vi", cameras.rotation, cameras.position)
    intrinsics = np.tile(np.array([[1100.0, 0, 640], [0, 1100.0, 360], [0, 0, 1]]), (3, 1, 1))
    np.savez(
        folder / "ref.npz", ref3d_h36m17=joints, fps=np.array(30.0),
        K=intrinsics, dist=np.tile([0.05, 0, 0, 0, 0], (3, 1)), R=cameras.rotation, t=translation,
    )  # fmt: skip
    xy = xy[:20] + random.normal(0, 8, xy[:20].shape)
    score = random.uniform(0.2, 1, xy.shape[:3])
    lost = (random.random(score.shape) < 0.1) & (np.arange(3)[:, None] == random.integers(0, 3, (20, 1, 17)))
    xyz = joints[:20] + random.normal(0, 0.02, (20, 17, 3))
    xyz[4] = np.nan
    np.savez(
        folder / "poses.npz", t_ns=np.round(np.arange(20) * 1.1 / 30 * 1e9).astype(np.int64), joints=np.array(JOINTS),
        mode=np.array(["cold"] * 5 + ["settled"] * 15), xyz=xyz, xyz_raw=xyz * 1.1 + 0.01, landmarks=np.array(JOINTS),
        xy=np.where(lost[..., None], np.nan, xy), xy_score=np.where(lost, 0.0, score), xy_refined=xy,
    )  # fmt: skip
    return folder / "poses.npz", folder / "ref.npz"


def test_a_poses_file_is_compared_with_the_calibrated_rig(tmp_path: Path) -> None:
    poses, reference = files(tmp_path)
    score = score_poses(poses, Reference.load(reference))
    assert np.isnan(score.streamed.pa_mm).tolist() == [i == 4 for i in range(20)]
    assert 10 < score.streamed.mean_pa_mm < 40
    assert score.ratio_pa == min(score.streamed.mean_pa_mm, score.raw.mean_pa_mm) / score.calibrated.mean_pa_mm
    assert len(score_poses(poses, Reference.load(reference), (10, 16)).mode) < 8


@pytest.mark.skipif(not SCORE.is_file(), reason="needs score.py, which is not beside this checkout")
@pytest.mark.parametrize("frames", [None, (5, 18)])
def test_the_score_is_over_the_selected_frames(tmp_path: Path, frames: tuple[int, int] | None) -> None:
    poses, reference = files(tmp_path)
    options = ["--frames", "{}:{}".format(*frames)] if frames else []
    told = subprocess.run(
        [sys.executable, str(SCORE), str(poses), str(reference), "--json", *options], capture_output=True, check=True
    )
    wanted, ours = json.loads(told.stdout), score_poses(poses, Reference.load(reference), frames)
    for key, error in (("xyz", ours.streamed), ("xyz_raw", ours.raw), ("calibrated", ours.calibrated)):
        assert error.mean_pa_mm == pytest.approx(wanted[key]["pa"], abs=0.1)
        assert error.global_mm == pytest.approx(wanted[key]["glob"], abs=0.1)
    assert (ours.ratio_pa, ours.ratio_global) == pytest.approx((wanted["ratio_pa"], wanted["ratio_global"]), rel=1e-3)
