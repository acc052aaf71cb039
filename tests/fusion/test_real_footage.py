"""The figures that count: a real four-camera take, scored as the issue scores it. Skipped where the data is absent."""

from pathlib import Path

import numpy as np
import pytest

from pose_rig.fusion.calibration.self_solve import self_solve
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.pose.sync import Sample
from pose_rig.fusion.rig.background import BackgroundCompute
from pose_rig.graph import Engine
from pose_rig.skeleton import LIMBS, J
from pose_rig.training.evaluation.metrics import pmpjpe
from pose_rig.wire.messages import Mode
from tests.fusion.fakes import config, unsolved

TAKE = Path(__file__).parents[3] / "shared/data/multiview/pose2sim_demo_4view/pose2sim_single_4view.npz"
# the columns of the take's reference are those of our first 17 joints


@pytest.mark.skipif(not TAKE.is_file(), reason="the four-camera take is not beside the repository (../shared)")
@pytest.mark.parametrize("mode", ["settled", "solved"])
def test_a_balancing_man_from_mediapipe_full(engine: Engine, mode: Mode) -> None:
    with np.load(TAKE, allow_pickle=False) as take:
        xy, score = take["kp2d_full"].astype(np.float32).astype(float), take["vis_full"].astype(float)
        truth, fps, sizes = take["ref3d_h36m17"].astype(float), float(take["fps"]), take["image_size_wh"].astype(int)
    score = np.where(np.isfinite(xy).all(-1), score, 0.0)
    xy = np.nan_to_num(xy)
    made = Estimator(config(len(xy)), engine, BackgroundCompute(solve=self_solve if mode == "solved" else unsolved))
    for view, (width, height) in enumerate(sizes.tolist()):
        made.set_camera(view, (width, height), "mediapipe33")
    out = []
    for index in range(len(truth)):
        t_ns = int(index / fps * 1e9)
        out.append(made.step(t_ns, [Sample(t_ns, xy[v, index][None], score[v, index][None]) for v in range(len(xy))]))
    there = np.array([o.mode == mode for o in out])
    assert there.sum() > 20
    limbs = list(LIMBS)

    def errors_mm(poses: list[np.ndarray]) -> np.ndarray:
        found = np.stack(poses)[:, :J]
        assert found.shape == (len(truth), J, 3)
        return 1e3 * pmpjpe(found[:, limbs], truth[:, limbs])

    raw, smooth = errors_mm([o.xyz_raw for o in out]), errors_mm([o.xyz for o in out])
    assert min(raw.mean(), smooth.mean()) < 34
    assert min(raw[there].mean(), smooth[there].mean()) <= (22 if mode == "solved" else 26)
    assert all(state.note == "" for state in made.rig_state().cameras)
