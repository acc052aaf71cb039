"""Rigs that are solved from several people, with the true data association."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.accuracy.cameras.errors import camera_errors
from benchmarks.accuracy.cameras.people import solved_together, tasks_of
from benchmarks.accuracy.people.takes import Room, random_room
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.calibration.solve_task import SolveTask
from pose_rig.lifting.engine import DEFAULT_WEIGHTS, OrtEngine
from tests.benchmarks.rigs import walking

ENGINE = OrtEngine(DEFAULT_WEIGHTS, "cpu")


@pytest.fixture(scope="module")
def room() -> Room:
    return random_room([walking(3.0)], 2, 3, 4.0, np.random.default_rng(1), lenses="mixed", biased=False)


@pytest.fixture(scope="module")
def tasks(room: Room) -> list[SolveTask]:
    return tasks_of(room.take(), ENGINE)


def test_everybody_has_their_own_keyframes(tasks: list[SolveTask]) -> None:
    first, second = ([keyframe.xy_px[0, 0] for keyframe in task.keyframes] for task in tasks)
    assert min(len(first), len(second)) > 20
    assert all(task.current is None for task in tasks)
    assert np.abs(np.median(first, axis=0) - np.median(second, axis=0)).max() > 1


def test_the_rig_is_solved_from_both(room: Room, tasks: list[SolveTask]) -> None:
    found = solved_together(tasks, ENGINE)
    assert isinstance(found, RigSolution)
    assert set(found.poses_by_person) == {0, 1}
    assert camera_errors(found.cameras, room.cameras).centred_deg.max() < 2


def test_without_keyframes_the_reason_is_returned(tasks: list[SolveTask]) -> None:
    assert isinstance(solved_together([replace(tasks[0], keyframes=())], ENGINE), str)
