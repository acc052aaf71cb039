"""A recording in several processes against the same in one."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import pytest

from pose_rig.errors import PoseRigError
from pose_rig.fusion.fixed_cameras import FixedCameras
from pose_rig.fusion.pose.pose_estimate import PoseEstimate
from pose_rig.fusion.stretches.recorded_steps import RecordedSteps
from pose_rig.fusion.stretches.stretches import FusedStep
from pose_rig.fusion.stretches.team import MIN_SHARE, MIN_STEPS_FOR_PROCESSES, Processes, Team
from pose_rig.graph import Engine
from pose_rig.lifting.engine import DEFAULT_WEIGHTS, OrtEngine
from tests.fusion.stretches.test_stretches import SAME_M, estimators, steps_of, walk

OPEN = partial(OrtEngine, DEFAULT_WEIGHTS, "cpu")


def cameras_of(engine: Engine) -> FixedCameras:
    return estimators(engine)().fixed_cameras()


def poses_of(fused: Sequence[FusedStep]) -> list[PoseEstimate]:
    poses = [step.pose for step in fused if step.pose is not None]
    assert len(poses) == len(fused)
    return poses


def test_another_process_computes_the_same(engine: Engine) -> None:
    xy_px, score = (np.concatenate([one, one[:, ::-1]] * 2, 1) for one in walk())
    steps = steps_of(xy_px, score)[: 2 * MIN_SHARE + 20]
    cameras = cameras_of(engine)
    with Processes(OPEN, 1) as processes:
        processes.start(len(steps))
        assert len(processes.started) == 1
        team = Team(cameras, engine, processes.started)
        found = poses_of(team.fuse(steps[:-20]) + team.fuse(steps[-20:]))
    wanted = poses_of(Team(cameras, engine).fuse(steps))
    off_m = [abs(a.xyz_raw - b.xyz_raw).max() for a, b in zip(found, wanted, strict=True)]
    assert [pose.t_ns for pose in found] == [step.t_ns for step in steps]
    assert sorted(off_m)[int(0.97 * len(off_m))] < SAME_M


def test_a_process_that_exits_is_reported(engine: Engine) -> None:
    xy_px, score = (np.concatenate([one, one[:, ::-1]] * 2, 1) for one in walk())
    with Processes(OPEN, 1) as processes:
        processes.start(MIN_STEPS_FOR_PROCESSES)
        team = Team(cameras_of(engine), engine, processes.started)
        processes.started[0].close()
        with pytest.raises(PoseRigError, match="exited"):
            team.fuse(steps_of(xy_px, score)[: 2 * MIN_SHARE])


def test_a_stop_is_seen_at_once(engine: Engine) -> None:
    steps, asked = steps_of(*walk()), iter([False, False, False, True])
    stopped = []

    def stop() -> bool:
        stopped.append(next(asked, True))
        return stopped[-1]

    assert Team(cameras_of(engine), engine, stopped=stop).fuse(steps) == []
    assert len(stopped) < 10


def test_short_recordings_and_gpus_need_no_other_process(engine: Engine) -> None:
    with Processes(OPEN, 3) as few, Processes(None, 3) as none:
        few.start(MIN_STEPS_FOR_PROCESSES - 1)
        none.start(10 * MIN_STEPS_FOR_PROCESSES)
        assert few.started == none.started == []


@pytest.mark.parametrize(("cores", "further"), [(1, 0), (3, 2)])
def test_no_more_cores_are_used_than_given(engine: Engine, cores: int, further: int) -> None:
    with RecordedSteps(engine, OPEN, cores) as recorded:
        recorded.start(10 * MIN_STEPS_FOR_PROCESSES)
        assert len(recorded.processes.started) == further
