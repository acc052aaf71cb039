"""Simulated single views."""

from pathlib import Path

import numpy as np

from pose_rig.simulation.motion import PosePool
from pose_rig.skeleton import J
from pose_rig.training.footage.simulated_views import SimulatedViewSampler
from tests.training.fakes.motion_files import clips


def test_batches_are_consistent_and_repeatable(tmp_path: Path) -> None:
    pool = PosePool(clips(tmp_path))
    batch = SimulatedViewSampler(pool, seed=1).draw(300)
    shapes = {name: getattr(batch, name).shape for name in batch.__dataclass_fields__}
    assert shapes == {
        "flat": (300, J, 2), "confidence": (300, J), "shape": (300, J, 3), "canonical": (300, J, 3),
        "rotation": (300, 3, 3),
    }  # fmt: skip
    for name in shapes:
        value = getattr(batch, name)
        assert value.dtype == np.float32
        assert np.isfinite(value).all()
        assert np.array_equal(value, getattr(SimulatedViewSampler(pool, seed=1).draw(300), name))
    assert np.allclose(np.linalg.det(batch.rotation), 1, atol=1e-4)
    assert np.allclose(batch.canonical @ batch.rotation.swapaxes(1, 2), batch.shape, atol=1e-5)
    assert np.allclose(batch.flat[batch.confidence == 0], 0)
    left = batch.canonical[:, 4] - batch.canonical[:, 1]
    assert (left[:, 0] > 0).mean() > 0.85  # they face +z
    assert np.median(np.linalg.norm(batch.shape[..., :2] - batch.flat, axis=-1)) < 0.06
    assert not np.array_equal(batch.flat, SimulatedViewSampler(pool, seed=2).draw(300).flat)
