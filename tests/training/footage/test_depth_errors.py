from dataclasses import asdict

import torch
from torch import Tensor

from pose_rig.lifting.checkpoint import load
from pose_rig.lifting.engine import DEFAULT_WEIGHTS
from pose_rig.simulation.motion import shipped
from pose_rig.training.footage.depth_errors import with_common_errors
from pose_rig.training.footage.simulated_views import SimulatedViewSampler

VIEWS = {
    name: torch.from_numpy(value) for name, value in asdict(SimulatedViewSampler(shipped(), 3).sample(2000)).items()
}
KNOWN = VIEWS["depth"][..., 1] > 0
TRUE = VIEWS["pose_in_view"][..., 2]


def right(pose_2d: Tensor, confidence: Tensor, depth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The lifter without errors, which must not see the depths."""
    assert not depth.any()
    return VIEWS["canonical"], VIEWS["view_from_canonical"], confidence


def test_without_errors_of_the_lift_only_the_independent_part_is_left() -> None:
    found = with_common_errors(right, VIEWS)
    expected = VIEWS["independent_error"][:, None] * (VIEWS["depth"][..., 0] - TRUE)
    assert torch.allclose((found[..., 0] - TRUE)[KNOWN], expected[KNOWN], atol=1e-5)
    assert torch.equal(found[..., 1], VIEWS["depth"][..., 1])
    assert not found[~KNOWN].any()


def test_errors_correlate_with_those_of_the_lift_and_are_as_large_as_measured() -> None:
    lifter = load(DEFAULT_WEIGHTS)[0]
    error = (with_common_errors(lifter, VIEWS)[..., 0] - TRUE)[KNOWN]
    canonical, rotation, _ = lifter(VIEWS["pose_2d"], VIEWS["confidence"])
    lifted = ((canonical @ rotation.mT)[..., 2] - TRUE)[KNOWN].detach()
    assert 0.4 < float(torch.corrcoef(torch.stack([error, lifted]))[0, 1]) < 0.75
    assert 0.05 < float(error.std()) < 0.09
