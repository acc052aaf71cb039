"""The run of a rig on a take of several people.

Axes: K poses of a whole take, V views, T time steps, L = 12 limb joints.
"""

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.people.takes import estimator, samples, t_ns
from pose_rig.arrays import Floats
from pose_rig.graph import Engine
from pose_rig.simulation.people import PeopleTake
from pose_rig.skeleton import LIMBS

LIMB = list(LIMBS)


@dataclass(frozen=True, slots=True)
class PeopleRun:
    """All poses of a take, one after the other.

    Attributes:
        step: (K,) time step.
        identity: (K,) of the person.
        tracking: (K,) whether the person is in any view.
        found: (K,V) which person of the take each view's detection shows: −1 = none, or a mixture.
        used: (K,V) whether a view has a detection of the person.
        poses: (K,L,3) m, smoothed, rig frame.
        solved: (T,) whether the rig was solved.
        step_ms: (T,) computing time.
    """

    step: NDArray[np.int64]
    identity: NDArray[np.int64]
    tracking: NDArray[np.bool_]
    found: NDArray[np.int64]
    used: NDArray[np.bool_]
    poses: Floats
    solved: NDArray[np.bool_]
    step_ms: Floats

    @property
    def solved_from(self) -> int | None:
        """The first time step of the solved rig, None if it was never solved."""
        return int(self.solved.argmax()) if self.solved.any() else None


def run(take: PeopleTake, people: int, engine: Engine) -> PeopleRun:
    """Returns the run of a new rig, which tracks so many people."""
    rig = estimator(take, people, engine)
    poses, steps, times_ms, solved = [], [], [], []
    for t in range(take.score.shape[1]):
        given = samples(take, t)
        start = time.perf_counter()
        first = rig.step(t_ns(take, t), given)
        times_ms.append(1e3 * (time.perf_counter() - start))
        solved.append(first.mode == "solved")
        for pose in (first, *rig.others):
            poses.append(pose)
            steps.append(t)
    index = np.stack([pose.person_index for pose in poses])
    step = np.array(steps)
    rows = take.person[np.arange(index.shape[1]), step[:, None], np.maximum(index, 0)]
    return PeopleRun(
        step=step,
        identity=np.array([pose.person for pose in poses]),
        tracking=np.array([pose.tracking for pose in poses]),
        found=np.where(index >= 0, rows, -1),
        used=index >= 0,
        poses=np.stack([pose.xyz[LIMB] for pose in poses]),
        solved=np.array(solved),
        step_ms=np.array(times_ms),
    )
