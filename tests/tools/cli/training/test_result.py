"""What is told to who stops a training."""

from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from pose_rig.errors import PoseRigError
from pose_rig.lifting.model import Lifter, LifterConfig
from pose_rig.tools.cli.training.job import TrainingPlan
from pose_rig.tools.cli.training.request import Request, Sources
from pose_rig.tools.cli.training.result import NewWeights, save_weights
from pose_rig.training.job import TrainingJob
from pose_rig.training.train import TrainingResult
from pose_rig.training.validation import ValidationMetrics
from tests.training.fakes.motion_files import write_motion


@pytest.mark.parametrize(("step", "remedy"), [(99, "start again"), (100, "continue with --resume")])
def test_an_interrupted_training_suggests_how_to_continue(tmp_path: Path, step: int, remedy: str) -> None:
    motion = write_motion(tmp_path / "motion.npz")
    out, look, lifter = tmp_path / "my.weights", ValidationMetrics(0.5, 0.0, 0.5, 0.5), Lifter(LifterConfig(width=8))
    request = Request(Sources(motion=(motion,)), out, tmp_path / "run", None, False, {})
    new = NewWeights(lifter, TrainingResult(lifter, look, look, step, "interrupted"), {}, Table(), "it errs")
    text = rf"^The new weights are not adopted: it errs\. Nothing was written to .*my\.weights; {remedy}\."
    with pytest.raises(PoseRigError, match=text):
        save_weights(request, TrainingPlan(TrainingJob(check=100), None), new, Console(quiet=True))
    assert not out.exists()
