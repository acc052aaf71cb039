"""The expensive computations of time steps, alone or those of many independent time steps together.

A time step is a generator: it yields each expensive computation (a run of the graph, the fit of a pose) and is sent its
result. A live rig computes each at once (`alone`). Where several time steps do not depend on each other, as those of
different stretches of a recording or of different people, the same generators run side by side, and what they wait for
is computed in one batch (`together`). So that the batches are large, those that wait for a later stage wait until all
others have come there.
"""

from collections import defaultdict
from collections.abc import Generator, Hashable, Sequence
from typing import Any, Protocol, TypeVar

import cv2
import numpy as np

NUMERIC_ERRORS = (ArithmeticError, ValueError, np.linalg.LinAlgError, cv2.error)
T = TypeVar("T")


class Computation(Protocol):
    """One computation that a time step waits for."""

    @property
    def stage(self) -> int:
        """Where it is in a time step: none of an earlier stage follows it."""

    @property
    def kind(self) -> Hashable:
        """Computations of the same kind can be computed together."""

    def alone(self) -> Any:
        """Returns the result."""

    @classmethod
    def together(cls, computations: Sequence[Any]) -> Sequence[Any]:
        """Returns the results of several computations of the same kind."""


Computations = Generator[Computation, Any, T]  # a time step, or a part of one, that returns T


def alone(step: Computations[T]) -> T:
    """Returns the result of a time step, computing everything it waits for at once.

    A numeric error in a computation is raised in the time step.
    """
    answer: Any = None
    while True:
        try:
            wanted = _resumed(step, answer)
        except StopIteration as end:
            result: T = end.value
            return result
        answer = _result(wanted)


def together(steps: Sequence[Computations[T]]) -> list[T]:
    """Returns the results of independent time steps, computing what they wait for at the same time in one batch.

    A numeric error in one of them is raised in that one.
    """
    results: dict[int, T] = {}
    waiting: dict[int, Computation] = {}
    answers: dict[int, Any] = dict.fromkeys(range(len(steps)))
    while answers:
        for index, answer in answers.items():
            try:
                waiting[index] = _resumed(steps[index], answer)
            except StopIteration as end:
                results[index] = end.value
        answers = {}
        for group in _next(waiting):
            answers.update(zip(group, _results([waiting.pop(index) for index in group]), strict=True))
    return [results[index] for index in range(len(steps))]


def _next(waiting: dict[int, Computation]) -> list[list[int]]:
    """Returns the indices of the computations of the earliest stage, those of one kind together."""
    groups: dict[Hashable, list[int]] = defaultdict(list)
    stage = min((wanted.stage for wanted in waiting.values()), default=0)
    for index in sorted(waiting):
        if waiting[index].stage == stage:
            groups[waiting[index].kind].append(index)
    return list(groups.values())


def _resumed(step: Computations[Any], answer: Any) -> Computation:
    """Returns what a step waits for next, given the result, or the numeric error, of what it waited for."""
    return step.throw(answer) if isinstance(answer, Exception) else step.send(answer)


def _results(computations: Sequence[Computation]) -> Sequence[Any]:
    """Returns the results, or the numeric errors, of computations of the same kind."""
    if len(computations) > 1:
        try:
            return type(computations[0]).together(computations)
        except NUMERIC_ERRORS:  # of one of them: the others are not to fail with it
            pass
    return [_result(one) for one in computations]


def _result(computation: Computation) -> Any:
    try:
        return computation.alone()
    except NUMERIC_ERRORS as error:
        return error
