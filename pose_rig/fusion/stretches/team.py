"""Fuses a recording on all cores: consecutive parts of it in different processes, with seams as between stretches."""

import os
import pickle
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from functools import partial
from typing import Protocol, Self

import numpy as np

from pose_rig.errors import PoseRigError
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.fixed_cameras import FixedCameras
from pose_rig.fusion.people.person_tracker import PersonTracker
from pose_rig.fusion.stretches.process import OpenEngine, StretchProcess
from pose_rig.fusion.stretches.stretches import (
    MAX_STEPS,
    MIN_STEPS,
    STRETCHES,
    FusedStep,
    SampledStep,
    Stretches,
    same_pose,
    usual_warm_up,
    warm_up_start,
)
from pose_rig.graph import Engine

STEPS_AT_ONCE = STRETCHES * MAX_STEPS  # of each process
MIN_SHARE = 240  # of the steps of a recording, for each process: one takes two seconds to start
MIN_STEPS_FOR_PROCESSES = 2 * MIN_SHARE
MAX_PROCESSES = 8
PROCESS_ERRORS = (EOFError, OSError, pickle.UnpicklingError)
EXITED = ("A process that computes poses has exited.", "Run again, or with --exact in one process.")


class Member(Protocol):
    """Fuses parts of a recording, here or in another process."""

    def begin(self, steps: Sequence[SampledStep], warm_up: int) -> None:
        """Starts `Stretches.fuse`."""

    def result(self) -> list[FusedStep]:
        """Returns the result of what was started."""

    def extend(self, steps: Sequence[SampledStep], fused: Sequence[FusedStep]) -> list[FusedStep]:
        """As in `Stretches`."""

    @property
    def person(self) -> PersonTracker | None:
        """As in `Stretches`."""


class _Here:
    """Fuses in this process, when the result is asked for."""

    def __init__(self, stretches: Stretches) -> None:
        self._stretches, self.extend = stretches, stretches.extend
        self._given: tuple[Sequence[SampledStep], int] = ((), 0)

    def begin(self, steps: Sequence[SampledStep], warm_up: int) -> None:
        self._given = steps, warm_up

    def result(self) -> list[FusedStep]:
        return self._stretches.fuse(*self._given)

    @property
    def person(self) -> PersonTracker | None:
        return self._stretches.person


class Processes:
    """The processes that help this one, which are closed with it.

    Args:
        open_engine: Opens an engine in each of them; None = there are none.
        count: Their number, None for all cores but one.
    """

    def __init__(self, open_engine: OpenEngine | None, count: int | None = None) -> None:
        self._open_engine, self._count = open_engine, cores() - 1 if count is None else count
        self._stack = ExitStack()
        self.started: list[StretchProcess] = []

    def start(self, steps: int) -> None:
        """Starts them, if there are so many time steps that it is worth it."""
        if self._open_engine is None or steps < MIN_STEPS_FOR_PROCESSES:
            return
        wanted = min(self._count, MAX_PROCESSES, steps // MIN_SHARE - 1)
        for _ in range(wanted - len(self.started)):
            self.started.append(self._stack.enter_context(closing(StretchProcess(self._open_engine))))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends them."""
        self._stack.close()


class Team:
    """Fuses a recording, in this process and in those that help it.

    Args:
        cameras: Solved.
        engine: Of this process.
        processes: Those that help.
        stopped: Whether to stop: there is no result then.
        min_steps: As in `Stretches`, person: likewise.
    """

    def __init__(
        self,
        cameras: FixedCameras,
        engine: Engine,
        processes: Sequence[StretchProcess] = (),
        stopped: Callable[[], bool] = lambda: False,
        min_steps: int = MIN_STEPS,
        person: PersonTracker | None = None,
    ) -> None:
        self._stopped, self._min_steps = stopped, min_steps
        for process in processes:
            process.use(cameras, min_steps)
        here = _Here(Stretches(partial(Estimator.for_cameras, cameras, engine), stopped, min_steps, person))
        self._members: list[Member] = [here, *processes]  # the first one has fused last

    @staticmethod
    def steps_with(processes: Sequence[StretchProcess]) -> int:
        """Returns how many time steps are best fused at once in this process and others."""
        return STEPS_AT_ONCE * (1 + len(processes))

    @property
    def person(self) -> PersonTracker | None:
        """The person after the steps that were fused last.

        Raises:
            PoseRigError: A process exited.
        """
        try:
            return self._members[0].person
        except PROCESS_ERRORS as error:
            raise PoseRigError(*EXITED) from error

    def fuse(self, steps: Sequence[SampledStep]) -> list[FusedStep]:
        """Returns what was computed for the next time steps.

        Raises:
            PoseRigError: A process exited.
        """
        try:
            return self._fuse(steps)
        except PROCESS_ERRORS as error:
            raise PoseRigError(*EXITED) from error

    def _fuse(self, steps: Sequence[SampledStep]) -> list[FusedStep]:
        bounds = _shares(steps, self._min_steps, len(self._members))
        starts = [0, *(warm_up_start(steps, start) for start in bounds[1:-1])]
        members = self._members[: len(starts)]
        for member, first, start, end in zip(members, starts, bounds[:-1], bounds[1:], strict=True):
            member.begin(steps[first:end], start - first)
        results: dict[int, list[FusedStep]] = {}
        for member in sorted(members, key=lambda one: not isinstance(one, _Here)):
            results[id(member)] = member.result()
            if self._stopped():
                return []
        fused, last = results[id(members[0])], members[0]
        for member, first, start, end in zip(members[1:], starts[1:], bounds[1:-1], bounds[2:], strict=True):
            found = results[id(member)]
            own, same = found[start - first :], same_pose(fused[-1], found[start - first - 1])
            continued = [] if same else last.extend(steps[start:end], own)
            if same or same_pose(continued[-1], own[len(continued) - 1]):
                last = member
            fused = [*fused, *continued, *own[len(continued) :]]
        self._members = [last, *(member for member in self._members if member is not last)]
        return fused


def _shares(steps: Sequence[SampledStep], min_steps: int, members: int) -> list[int]:
    """Returns where the shares of members begin, and where the last one ends: each but the first has a warm-up, too."""
    first = usual_warm_up(steps)
    count = len(steps) - first
    inner = first + np.linspace(0, count, int(np.clip(count // min_steps, 1, members)) + 1)[1:]
    return [0, *inner.round().astype(int).tolist()]


def cores() -> int:
    """Returns how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
