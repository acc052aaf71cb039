"""What is said of the whole rig where several cameras disagree."""

from collections.abc import Sequence

import numpy as np
import pytest

from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.rig.camera_poses import CameraPoses
from pose_rig.fusion.rig.camera_report import MAX_STEP_S, CameraReport
from pose_rig.fusion.rig.consistency import Consistency
from pose_rig.fusion.rig.mirrored_images import MIN_SAMPLES
from pose_rig.fusion.rig.setup import setup_of
from pose_rig.fusion.rig.solved_rig import SolvedRig
from pose_rig.intrinsics import Intrinsics
from pose_rig.skeleton import J
from tests.fusion.fakes import config
from tests.fusion.simulated import LENGTH_M, calibration

VIEWS = 4
ALL = np.ones(VIEWS, bool)
TICK = 500_000_000


def warning(agreement: Sequence[float], seconds: float, *, solved: bool = True, again_s: float = 0.0) -> str:
    """After some seconds of disagreement, and perhaps some of agreement."""
    setup, consistency = setup_of(config(VIEWS), None), Consistency(VIEWS)
    poses = CameraPoses(setup)
    if solved:
        poses.solved = SolvedRig(RigSolution(calibration(VIEWS), LENGTH_M, np.zeros((0, J, 3)), 1.0, 1.0, np.inf))
    report = CameraReport(setup, consistency, poses)
    for n in range(round((seconds + again_s) * 1e9 / TICK)):
        agreed = np.array(agreement) if n * TICK < seconds * 1e9 else 0.9 * ALL
        consistency.update((n + 1) * TICK, ALL, agreed)
        report.count_disagreement((n + 1) * TICK, ALL)
    return report.warning


def test_clocks_that_are_off_explain_the_rest() -> None:
    setup = setup_of(config(VIEWS), None)
    poses = CameraPoses(setup)
    poses.intrinsics = Intrinsics.pinhole(np.full(VIEWS, 1000.0), np.full((VIEWS, 2), 1000.0))
    report = CameraReport(setup, Consistency(VIEWS), poses)
    report.mirrors._vote[1], report.mirrors._count[:] = 1.0, MIN_SAMPLES
    report.lags.note = lambda view: "late" if view == 2 else ""  # type: ignore[method-assign]
    assert "mirrored" in report.states()[1].note
    assert report.states()[2].note != "late"
    report.unused_offset_s = np.array([0.0, 1.33, np.nan, -0.43])
    assert report.warning == (
        f"Most likely {setup.names[1]}'s clock is 1.33 s behind and {setup.names[3]}'s clock is 0.43 s ahead: run with "
        "--passes 2, which corrects that, or set offset_ms."
    )
    assert not any("mirrored" in state.note or state.note == "late" for state in report.states())
    report.unused_offset_s = np.array([0.0, 0.0, np.nan, 0.0])
    assert not report.warning
    assert "mirrored" in report.states()[1].note
    report.mirrors._count[:] = 0
    assert report.states()[2].note == "late"


def test_half_of_the_cameras_disagree_for_long() -> None:
    assert TICK < MAX_STEP_S * 1e9
    said = warning([0.9, 0.1, 0.9, 0.2], 12.0)
    names = config(VIEWS).camera
    assert said.startswith(f"{names[1].name} and {names[3].name} disagree with the others again and again")
    assert "--passes 2" in said


@pytest.mark.parametrize("agreement", [[0.9, 0.9, 0.9, 0.9], [0.9, 0.1, 0.9, 0.9]])
def test_one_camera_is_not_the_whole_rig(agreement: list[float]) -> None:
    assert not warning(agreement, 20.0)


def test_a_moment_of_disagreement_is_no_warning() -> None:
    assert not warning([0.9, 0.1, 0.1, 0.1], 6.0)
    assert not warning([0.9, 0.1, 0.1, 0.1], 12.0, again_s=12.0)


def test_nothing_is_said_before_the_rig_is_solved() -> None:
    assert not warning([0.1, 0.1, 0.1, 0.1], 20.0, solved=False)
