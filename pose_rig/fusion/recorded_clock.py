"""A recorded live run once more: its messages in their order, and a time step wherever it had a pose."""

from collections.abc import Iterator, Sequence

from pose_rig.fusion.camera_inputs import CameraInputs
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.pose.sync import SampleBuffer
from pose_rig.fusion.rig.camera_clocks import CameraClocks
from pose_rig.wire.messages import Health, Message, Pose3D, RigState
from pose_rig.wire.records import Learned
from pose_rig.wire.services import FUSION


class RecordedClock:
    """Repeats a live run exactly, with its restarts and with results of background computations when they came.

    Where poses are missing in the recording, the state of the estimator cannot be repeated: from there on it uses the
    recorded rig.

    Args:
        messages: In the order in which the fusion took and sent them.
        estimator: The one that is driven.
        rig: The first state of the rig in the recording, which may begin in the middle of a run.

    Attributes:
        pose: The recorded pose of the time step that is due.
        follows_from_ns: Time from which the recorded rig is used, None while it is not.
    """

    skipped = 0

    def __init__(self, messages: Iterator[Message], estimator: Estimator, rig: RigState | None) -> None:
        self._messages, self._estimator, self._rig = messages, estimator, rig
        self._next_index = 0
        self._follows = False
        self.pose: Pose3D | None = None
        self.follows_from_ns: int | None = None
        self.over = False

    def read(self, cameras: CameraInputs) -> None:
        """Reads the next message."""
        self.pose = None
        message = next(self._messages, None)
        if message is None:
            self.over = True
        elif isinstance(message, Learned):
            self._estimator.expect(message)
        elif isinstance(message, RigState):
            self._rig = message
            self._follow()
        elif isinstance(message, Pose3D):
            self._take_pose(message)
        elif isinstance(message, Health) and message.worker == FUSION:
            if message.state == "starting":  # it was restarted then
                cameras.restart()
                self._estimator.clocks = CameraClocks.unchecked(len(cameras.buffers))
                self._estimator.restart()
                self._next_index, self._follows = 0, False
        else:
            cameras.take(message)

    def tick(self, buffers: Sequence[SampleBuffer]) -> int | None:
        """Returns the time of a pose that was just read, None if it was another message."""
        return None if self.pose is None else self.pose.t_ns

    def _take_pose(self, pose: Pose3D) -> None:
        if pose.index != self._next_index and not self._follows:
            self._follows = True
            self.follows_from_ns = pose.t_ns if self.follows_from_ns is None else self.follows_from_ns
            self._follow()
        self._next_index = pose.index + 1
        self.pose = pose

    def _follow(self) -> None:
        if self._follows and self._rig is not None:
            self._estimator.follow(self._rig)
