import msgspec
import numpy as np

from pose_rig.session.replay_comparison import ReplayComparison
from pose_rig.wire.messages import Pose3D
from tests.session.recorded import pose

SECOND_NS = 1_000_000_000


def moved(before: Pose3D, mm: float) -> Pose3D:
    return msgspec.structs.replace(before, xyz=before.xyz + np.array([mm / 1e3, 0, 0], np.float32))


def test_poses_that_are_the_same_are_counted() -> None:
    comparison = ReplayComparison()
    for i in range(3):
        comparison.compare([pose(i)], [pose(i)])
    assert comparison.summary() == ["3 of 3 poses are those of the recording to the last bit"]


def test_others_are_measured_and_those_in_another_mode_counted() -> None:
    comparison = ReplayComparison()
    comparison.compare([pose(0)], [pose(0)])
    for i, mm in enumerate((1.0, 2.0, 40.0), 1):
        comparison.compare([pose(i)], [moved(pose(i), mm)])
    comparison.compare([pose(4)], [pose(4, mode="cold")])
    comparison.compare([pose(5)], [])
    assert comparison.summary() == [
        "1 of 6 poses are those of the recording to the last bit",
        "3 differ by 2 mm in the median, 40 mm at most",
        "2 differ in mode or tracking",
    ]


def test_poses_with_the_recorded_rig_are_compared_once_filters_have_settled() -> None:
    comparison = ReplayComparison()
    comparison.compare([pose(0, t_ns=SECOND_NS)], [pose(0, t_ns=SECOND_NS)])
    comparison.follows(2 * SECOND_NS)
    for at_s, mm in ((2.0, 30.0), (2.5, 3.0), (3.5, 0.25)):
        before = pose(9, t_ns=round(at_s * SECOND_NS))
        comparison.compare([before], [moved(before, mm)])
    assert comparison.summary() == [
        "messages are missing 1.0 s after the first pose: from there on the rig is the one that was recorded",
        "1 of 4 poses are those of the recording to the last bit",
        "3 differ by 3 mm in the median, 30 mm at most, 0.25 mm after the first second",
    ]


def test_every_person_counts() -> None:
    comparison = ReplayComparison()
    comparison.compare([pose(0), pose(0, person=1)], [pose(0), pose(0, person=1)])
    comparison.compare([pose(1), pose(1, person=1)], [pose(1), moved(pose(1, person=1), 5.0)])
    comparison.compare([pose(2), pose(2, person=1)], [pose(2)])  # a person is missing
    comparison.compare([pose(3)], [pose(3), pose(3, person=2)])  # there is one too many
    assert comparison.summary() == [
        "5 of 8 poses are those of the recording to the last bit",
        "1 differ by 5 mm in the median, 5 mm at most",
        "2 differ in mode or tracking",
    ]
