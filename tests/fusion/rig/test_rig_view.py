"""What is known of the cameras at a time step."""

from dataclasses import replace

import numpy as np

from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.pose.hypothesis import RotationPrior
from pose_rig.fusion.pose.sync import Sample
from pose_rig.fusion.rig.background import BackgroundCompute
from pose_rig.fusion.rig.rig_view import RigView
from pose_rig.graph import Engine
from pose_rig.skeleton import JOINT_SET, J
from pose_rig.wire.messages import Mode
from tests.fusion.fakes import config, unsolved
from tests.fusion.simulated import LENGTH_M, calibration, images, stroll

CAMERAS = calibration(3)
SOLUTION = RigSolution(CAMERAS, LENGTH_M, np.zeros((0, J, 3)), 1.0, 1.0, np.inf)
PRIOR = RotationPrior(CAMERAS.rotation, np.full(3, 0.01))
KNOWN = np.array([True, True, False])


def view(solution: RigSolution | None) -> RigView:
    mode: Mode = "settled" if solution is None else "solved"
    return RigView(mode, CAMERAS.intrinsics, PRIOR, KNOWN.astype(float), KNOWN, solution)


def test_a_known_camera_that_detects_the_person_is_enough() -> None:
    given = view(SOLUTION)
    assert given.for_views(np.array([True, False, True])) is given
    assert given.for_views(np.zeros(3, bool)) is given


def test_an_unknown_camera_alone_is_cold() -> None:
    cold = view(SOLUTION).for_views(~KNOWN)
    assert cold.mode == "cold"
    assert cold.prior is None
    assert cold.solution is None
    assert cold.lost
    assert not view(SOLUTION).lost
    assert not view(None).for_views(~KNOWN).lost  # it has no positions that could be continued


def test_a_person_in_an_unknown_camera_only_stays_where_they_were(engine: Engine) -> None:
    """The frame of one time step alone is another one, metres away."""
    fixed = replace(SOLUTION, cameras=replace(CAMERAS, known=KNOWN))
    made = Estimator(config(3), engine, BackgroundCompute(solve=unsolved), fixed)
    for camera in range(3):
        made.set_camera(camera, (1280, 720), JOINT_SET)
    out = []
    for n, xy in enumerate(images(stroll(46 / 30, 30.0), CAMERAS)):
        detected = [True, True, True] if n < 26 else [False, False, True]
        samples = [Sample(n * 33_000_000, xy[v][None], np.full((1, J), 0.9)) if detected[v] else None for v in range(3)]
        out.append(made.step(n * 33_000_000, samples))
    assert [estimate.mode for estimate in out] == ["solved"] * 26 + ["cold"] * 20
    xyz = np.stack([estimate.xyz[:J] for estimate in out])
    assert np.linalg.norm(np.diff(xyz, axis=0), axis=-1).mean(1)[20:].max() < 0.1
    assert np.linalg.norm(xyz[-1].mean(0) - xyz[25].mean(0)) < 0.2
