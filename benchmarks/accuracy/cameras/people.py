"""A rig that is solved from several people at once, with the true data association.

Axes: V views, T time steps, J = 17 joints.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from benchmarks.accuracy.people.takes import separate
from benchmarks.accuracy.simulated_rigs import RigTake
from pose_rig.fusion.calibration.keyframes import Keyframes
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.calibration.rotation_averaging import estimate_rotations
from pose_rig.fusion.calibration.self_solve import TOO_FEW_KEYFRAMES, self_solve
from pose_rig.fusion.calibration.solve_task import SolveTask
from pose_rig.fusion.rig.background import BackgroundCompute
from pose_rig.fusion.rig.camera_poses import MAX_SETTLED_ROTATION_SD_DEG
from pose_rig.graph import Engine
from pose_rig.simulation.people import PeopleTake
from pose_rig.simulation.takes import Take


def tasks_of(take: PeopleTake, engine: Engine) -> list[SolveTask]:
    """Returns for each person what the rig would be solved from, were they the only one who is detected."""
    return [_task_of(take, person, engine) for person in range(take.joints.shape[1])]


def task_of_all(tasks: Sequence[SolveTask], engine: Engine) -> SolveTask | None:
    """Returns the task of solving the rig from the keyframes of several people; None if these do not suffice."""
    keyframes, first = Keyframes(), tasks[0]
    labelled = [replace(keyframe, person=person) for person, task in enumerate(tasks) for keyframe in task.keyframes]
    for keyframe in sorted(labelled, key=lambda keyframe: (keyframe.t_ns, keyframe.person)):
        keyframes.add(keyframe)
    rotations = estimate_rotations(keyframes.frames, engine, first.intrinsics, None) if keyframes.frames else None
    if rotations is None:
        return None
    known = rotations.known & (rotations.sd_deg < MAX_SETTLED_ROTATION_SD_DEG)
    return replace(first, keyframes=keyframes.frames, camera_from_rig=rotations.camera_from_rig, known=known)


def solved_together(tasks: Sequence[SolveTask], engine: Engine) -> RigSolution | str:
    """Returns the rig solved from the keyframes of several people, or why it is not solved."""
    task = task_of_all(tasks, engine)
    return TOO_FEW_KEYFRAMES if task is None else self_solve(task)


def _task_of(take: PeopleTake, person: int, engine: Engine) -> SolveTask:
    alone = separate(take, person)
    own = Take(alone.xy_px[:, :, 0], alone.score[:, :, 0], take.fps, take.joints[:, person], take.cameras)
    rig = RigTake(own, np.nan, None)
    estimator = rig.estimator(engine, BackgroundCompute(solve=lambda _: "Solved together."))
    for t in range(len(take.joints)):
        estimator.step(rig.t_ns(t), rig.samples(t))
    return estimator.solve_task()
