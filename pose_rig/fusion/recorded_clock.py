"""A recorded live run once more: its messages in their order, and a time step wherever it had a pose."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from pose_rig.fusion.camera_inputs import CameraInputs
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.pose.sync import SampleBuffer
from pose_rig.fusion.rig.recorded_rig import clocks_of, same_rig
from pose_rig.fusion.synchronisation.camera_clocks import CameraClocks
from pose_rig.wire.messages import Health, Message, Pose3D, RigState
from pose_rig.wire.records import Learned
from pose_rig.wire.services import FUSION

RecordedPoses = tuple[Pose3D, ...]  # of one time step: one for each person


def by_time_step(messages: Iterable[Message]) -> Iterator[Message | RecordedPoses]:
    """Yields messages in their order, the poses of one time step together."""
    poses: list[Pose3D] = []
    for message in messages:
        if poses and not (isinstance(message, Pose3D) and _follows(poses[-1], message)):
            yield tuple(poses)
            poses = []
        if isinstance(message, Pose3D):
            poses.append(message)
        else:
            yield message
    if poses:
        yield tuple(poses)


def _follows(before: Pose3D, pose: Pose3D) -> bool:
    """Returns whether a pose is of the next person at the same time step."""
    return (pose.index, pose.t_ns) == (before.index, before.t_ns) and pose.person > before.person


class RecordedClock:
    """Repeats a live run exactly, with its restarts and with results of background computations when they came.

    Where poses are missing in the recording, the state of the estimator cannot be repeated: from there on it uses the
    recorded rig.

    Args:
        messages: In the order in which the fusion took and sent them, poses as of `by_time_step`.
        estimator: The one that is driven.
        rig: The first state of the rig in the recording, which may begin in the middle of a run.
        follows: Whether the estimator uses the recorded rig from the start. Messages that change the rig are then held
            once before they are taken, for time steps that are still to be computed.

    Attributes:
        poses: The recorded poses of the time steps that were due; whoever has computed a time step removes those of it.
        follows_from_ns: Time from which the recorded rig is used because poses are missing, None while it is not.
    """

    skipped = 0

    def __init__(
        self,
        messages: Iterator[Message | RecordedPoses],
        estimator: Estimator,
        rig: RigState | None,
        *,
        follows: bool = False,
    ) -> None:
        self._messages, self._estimator, self._rig = messages, estimator, rig
        self._next_index = 0
        self._always_follows = self._follows = follows
        self._held: Message | RecordedPoses | None = None
        self._due_ns: int | None = None
        self.poses: deque[RecordedPoses] = deque()
        self._follow()
        self.follows_from_ns: int | None = None
        self.over = False

    def read(self, cameras: CameraInputs) -> None:
        """Reads the next message."""
        self._due_ns = None
        message = self._held or next(self._messages, None)
        if self._always_follows and self._held is None and self._changes_rig(message):
            self._held = message
            return
        self._held = None
        if message is None:
            self.over = True
        elif isinstance(message, Learned):
            if not self._always_follows:
                self._estimator.expect(message)
        elif isinstance(message, RigState):
            self._rig = message
            self._follow()
        elif isinstance(message, tuple):
            self._take_poses(message)
        elif isinstance(message, Health) and message.worker == FUSION:
            if message.state == "starting":  # it was restarted then
                cameras.restart()
                self._estimator.clocks = CameraClocks.unchecked(len(cameras.buffers))
                self._estimator.restart()
                self._next_index, self._follows = 0, self._always_follows
                self._follow()
        else:
            cameras.take(message)

    def tick(self, buffers: Sequence[SampleBuffer]) -> int | None:
        """Returns the time of poses that were just read, None if it was another message."""
        return self._due_ns

    @property
    def holds_change(self) -> bool:
        """Whether the next message changes the rig."""
        return self._held is not None

    def _changes_rig(self, message: Message | RecordedPoses | None) -> bool:
        if isinstance(message, RigState):
            return self._rig is None or not same_rig(self._rig, message) or clocks_of(self._rig) != clocks_of(message)
        return isinstance(message, Health) and message.worker == FUSION and message.state == "starting"

    def _take_poses(self, poses: RecordedPoses) -> None:
        pose = poses[0]
        if pose.index != self._next_index and not self._follows:
            self._follows = True
            self.follows_from_ns = pose.t_ns if self.follows_from_ns is None else self.follows_from_ns
            self._follow()
        self._next_index = pose.index + 1
        self._due_ns = pose.t_ns
        self.poses.append(poses)

    def _follow(self) -> None:
        if self._follows and self._rig is not None:
            self._estimator.follow(self._rig)
