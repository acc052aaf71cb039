"""Who is there at the beginning of a recording: the people of its first seconds, followed backwards to its first frame.

A new person is confirmed only after a while; in the second pass, poses of all people begin with the first frame.
"""

from collections.abc import Sequence

from pose_rig.fusion.calibration.keyframes import Keyframe
from pose_rig.fusion.camera_inputs import CameraInputs
from pose_rig.fusion.clocks import FileClock
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.people.first_pass import identities_of_first_pass
from pose_rig.fusion.time_steps import due_times, estimate_pose
from pose_rig.wire.jobs import Stop

LOOK_AHEAD_NS = 2_000_000_000


def follow_to_start(cameras: CameraInputs, estimator: Estimator, keyframes: Sequence[Keyframe], stop: Stop) -> None:
    """Leaves an estimator, whose cameras are fixed, with the people who are there in the first frame.

    It computes the first time steps in reverse order; their times are mirrored at the first one, which
    is to follow.

    Args:
        cameras: Their messages from the first one on.
        estimator: Has no people yet.
        keyframes: Of the first pass, whose identities people keep.
        stop: Ends the computation.
    """
    steps = []
    for t_ns in due_times(cameras, FileClock(), estimator, stop):
        if t_ns is not None:
            steps.append((t_ns, cameras.samples(t_ns)))
            if t_ns - steps[0][0] > LOOK_AHEAD_NS:
                break
    people = []
    for t_ns, samples in reversed(steps[1:]):
        if estimate_pose(estimator, 2 * steps[0][0] - t_ns, samples)[0] is not None:
            people.append((t_ns, estimator.people))
    estimator.rename_people(identities_of_first_pass(keyframes, people))
