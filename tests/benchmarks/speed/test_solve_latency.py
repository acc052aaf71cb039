"""Poses while the rig is being solved."""

import argparse

import numpy as np

from benchmarks.contract import Report
from benchmarks.speed.solve_latency import Log, add_figures
from pose_rig.skeleton import JOINT_SET
from pose_rig.wire.messages import CameraState, Pose3D, RigState

SECOND = 10**9


def pose(at_ns: int) -> Pose3D:
    nothing = np.zeros(17, np.float32)
    return Pose3D(
        index=0, t_ns=at_ns - 1000, age_ns=1000, person=0, joints=JOINT_SET, xyz=np.zeros((17, 3), np.float32),
        score=nothing, residual_px=nothing, mode="cold", tracking=1, height_m=1.7, height_assumed=True,
    )  # fmt: skip


def rig(at_ns: int, focal_px: float, health: float) -> RigState:
    return RigState(t_ns=at_ns, mode="cold", cameras=(CameraState(name="a", focal_px=focal_px, health=health),))


def test_intervals_before_something_new_is_known_are_those_of_solving() -> None:
    log = Log()
    log.add([rig(0, 1000.0, 0.5)])
    instants = np.concatenate([np.arange(1, 8, 0.02), np.arange(8, 10, 0.05), np.arange(10, 15, 0.02)])
    log.add([pose(round(at * SECOND)) for at in instants])
    log.add([rig(9 * SECOND, 1000.0, 0.9), rig(10 * SECOND, 1100.0, 0.9)])
    solving, other = log.intervals_ms()
    assert log.solves_ns == [0, 10 * SECOND]
    assert len(solving) < 60
    assert np.percentile(solving, 50) > 49
    assert other.max() < 21
    report = Report.begin(argparse.Namespace(json=None))
    add_figures(report, log)
    figures = {figure.name: figure.median for figure in report.figures}
    assert figures["99th percentiles, solving / other"] > 2.4
    assert figures["solves"] == 2


def test_a_rig_that_is_never_solved_has_other_times_only() -> None:
    log = Log()
    log.add([pose(round(at * SECOND)) for at in np.arange(0, 10, 0.02)])
    report = Report.begin(argparse.Namespace(json=None))
    add_figures(report, log)
    assert not [figure.name for figure in report.figures if "solving" in figure.name]
