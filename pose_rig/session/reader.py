"""Reading sessions: messages one by one, or all of them as arrays.

Axes: T samples, P people, K landmarks, J joints.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import numpy as np
from mcap.records import Channel, ChunkIndex, Metadata
from numpy.typing import NDArray

from pose_rig.atomic_file import partial_path
from pose_rig.errors import MessageError, SessionError
from pose_rig.session.draw.images import video_frame, video_topic
from pose_rig.session.formats.message_arrays import (
    CameraKeypoints,
    CameraRefined,
    keypoint_arrays,
    pose_arrays,
    refined_arrays,
)
from pose_rig.session.formats.poses import Poses
from pose_rig.session.mcap.info import NAME, SessionInfo
from pose_rig.session.mcap.mcap_reader import RawMessage, entries, summary_of
from pose_rig.session.mcap.recover import find, recover
from pose_rig.session.mcap.recovery_reader import RecoveryReader
from pose_rig.wire.encoding import decode
from pose_rig.wire.messages import Health, Keypoints2D, Message, Pose3D, Refined2D, RigState
from pose_rig.wire.records import Gap, Marker, VideoFrame

M = TypeVar("M", bound=Message)
HEAD_RECORDS = 20_000  # among which the head of the session is, and once more behind the first chunk
MOST_PARTS = 32  # of one recording that are looked for
REMEDY = "Sessions come from `pose-rig record` and `pose-rig import`."
BUS = "msgpack"  # encoding of the channels that hold messages of the bus


class Session:
    """A recorded session, open for reading. Close it, or use it in a ``with`` statement.

    Args:
        path: The session. One that was cut off is recovered first, into a copy beside it.

    Attributes:
        path: The file that is read.
        info: Its head: versions, cameras, configuration, clocks.

    Raises:
        SessionError: There is no such file, or it is no session.
    """

    def __init__(self, path: str | Path) -> None:
        self._given = find(Path(path))
        self._recovery = recover(self._given)
        self.path = self._recovery.path
        self._bad_messages = 0
        self._bad_chunks: dict[int, ChunkIndex] = {}
        self._file = self.path.open("rb")
        try:
            self.info = _info(self.path)
            summary = summary_of(self._file)
            if summary is None:
                raise SessionError(f"{self.path} has a damaged index.", "Try `pose-rig recover` with --out.")
        except SessionError:
            self._file.close()
            raise
        self._summary = summary
        self._start_unix_ns: int | None = None

    def __repr__(self) -> str:
        poses = self.topics.get(Pose3D.TOPIC, 0)
        cameras = f"{len(self.cameras)} cameras ({', '.join(self.cameras)})"
        long = "closed" if self._file.closed else f"{self.duration_s:.1f} s"  # which the file is read for
        return f"Session({str(self.path)!r}: {long}, {cameras}, {poses} poses)"

    @property
    def damaged(self) -> int:
        """Messages and pieces of the file that could not be read so far."""
        return self._bad_messages + len(self._bad_chunks)

    @property
    def warnings(self) -> list[str]:
        """What users should know of what they get: what is missing, as far as it has been read, one sentence each."""
        said = []
        if self._recovery.messages is not None:
            loss = f" {self._recovery.loss}".rstrip()
            said.append(f"{self._given} is cut off or damaged: what can be read of it is in {self.path}.{loss}")
        if self._bad_chunks:
            lost_s = sum(max(c.message_end_time - c.message_start_time, 0) for c in self._bad_chunks.values()) * 1e-9
            said.append(f"{self.path} is damaged: {len(self._bad_chunks)} pieces, {lost_s:.1f} s of it, were left out.")
        if self._bad_messages:
            said.append(f"{self._bad_messages} messages in {self.path} make no sense and were left out.")
        if self.info.part > 1:
            said.append(
                f"{self.path} is part {self.info.part} of {self.info.recording}: it begins in the middle of a run."
            )
        if later := [str(path) for path in self._later_parts()]:
            said.append(f"The recorder was started again: the run goes on in {', '.join(later)}.")
        return said

    def _later_parts(self) -> Iterator[Path]:
        """Yields the files beside this one that the same run goes on in."""
        stem, suffix = Path(self.info.recording or self._given.name).stem, ".mcap"
        for number in range(2, MOST_PARTS + 1):
            path = self._given.with_name(f"{stem}-{number}{suffix}")
            found = next((one for one in (path, partial_path(path)) if one.is_file()), None)
            if found is None:
                continue
            try:
                other = _info(found)
            except (OSError, SessionError):
                continue
            if other.recording == self.info.recording != "" and other.started_unix_ns > self.info.started_unix_ns:
                yield path

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the cameras, in their order."""
        return self.info.cameras

    @property
    def topics(self) -> dict[str, int]:
        """Every topic of the file, and how many messages it has."""
        counts = self._summary.statistics.channel_message_counts if self._summary.statistics else {}
        found: dict[str, int] = {}
        for channel in self._summary.channels.values():
            found[channel.topic] = found.get(channel.topic, 0) + counts.get(channel.id, 0)
        return found

    @property
    def duration_s(self) -> float:
        """Seconds from the first keypoints to the last message."""
        statistics = self._summary.statistics
        return max(statistics.message_end_time - self.start_unix_ns, 0) * 1e-9 if statistics else 0.0

    @property
    def start_unix_ns(self) -> int:
        """Time of day of the first keypoints, from which the seconds of a session count."""
        if self._start_unix_ns is None:
            first = next(self._entries((Keypoints2D.TOPIC, Pose3D.TOPIC), None, None), None)
            self._start_unix_ns = first.publish_unix_ns if first else self.info.started_unix_ns
        return self._start_unix_ns

    def messages(
        self, topics: Sequence[str] = ("",), from_s: float | None = None, to_s: float | None = None
    ) -> Iterator[Message]:
        """Yields messages in the order in which they were recorded.

        What is not a message of this version is counted in ``damaged``.

        Args:
            topics: Those wanted, or what they begin with up to a slash: ``("pose", "keypoints/")``; all by default.
            from_s: Seconds from the start of the session; None = from the start.
            to_s: Seconds from the start of the session; None = to the end.
        """
        names = {channel.id: channel.topic for channel in self._bus_channels(topics)}
        for entry in self._entries(topics, from_s, to_s):
            try:
                yield decode(names[entry.channel].encode() + b"\0" + bytes(entry.data))
            except MessageError:
                self._bad_messages += 1

    def poses(self, from_s: float | None = None, to_s: float | None = None) -> Poses:
        """Returns the pose at every instant, as it was recorded.

        Raises:
            SessionError: The session has none: it was imported, and not replayed.
        """
        return pose_arrays(self._of(Pose3D, (Pose3D.TOPIC,), from_s, to_s))

    def keypoints(self, camera: str, from_s: float | None = None, to_s: float | None = None) -> CameraKeypoints:
        """Returns what the detector of a camera saw.

        Raises:
            SessionError: There is no such camera, or it saw no frame.
        """
        topic = Keypoints2D.TOPIC + self._known(camera)
        return keypoint_arrays(camera, self._of(Keypoints2D, (topic,), from_s, to_s))

    def refined(self, camera: str, from_s: float | None = None, to_s: float | None = None) -> CameraRefined:
        """Returns a camera's refined 2D poses; none (T = 0) where the session has no poses.

        Raises:
            SessionError: There is no such camera.
        """
        topic = Refined2D.TOPIC + self._known(camera)
        return refined_arrays(self._of(Refined2D, (topic,), from_s, to_s))

    def rig_states(self) -> list[RigState]:
        """Returns the cameras as the rig knew them, about four times a second."""
        return list(self._of(RigState, (RigState.TOPIC,)))

    def health(self) -> list[Health]:
        """Returns how the workers were doing."""
        return list(self._of(Health, (Health.TOPIC,)))

    def markers(self) -> list[Marker]:
        """Returns what the user marked."""
        return list(self._of(Marker, (Marker.TOPIC,)))

    def gaps(self) -> list[Gap]:
        """Returns what is missing, and why."""
        return list(self._of(Gap, (Gap.TOPIC,)))

    def video_frames(self, camera: str, from_s: float | None = None, to_s: float | None = None) -> Iterator[VideoFrame]:
        """Yields the recorded pictures of a camera, compressed; none if no video was recorded.

        Raises:
            SessionError: There is no such camera.
        """
        first = next(self._of(Keypoints2D, (Keypoints2D.TOPIC + self._known(camera),)), None)
        if first is None:
            return
        known = self._summary.schemas
        channels = self._channels((video_topic(camera),))
        schemas = {c.id: known[c.schema_id].name if c.schema_id in known else "" for c in channels}
        for entry in self._entries((video_topic(camera),), from_s, to_s, bus=False):
            t_ns = entry.publish_unix_ns - self.info.unix_from_rig_ns
            data, schema = bytes(entry.data), schemas[entry.channel]
            frame = video_frame(camera, entry.sequence, t_ns, first.size_px, data, schema)
            if frame is None:
                self._bad_messages += 1
            else:
                yield frame

    def video(
        self, camera: str, from_s: float | None = None, to_s: float | None = None
    ) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yields the instant (rig clock, ns) and the picture (H,W,3) uint8 BGR of every recorded frame of a camera.

        Raises:
            SessionError: There is no such camera, or the package that decodes H.264 is not installed.
        """
        from pose_rig.session.video import decoded_frames  # brings OpenCV

        for picture in decoded_frames(self.video_frames(camera, from_s, to_s)):
            yield picture.t_ns, picture.image

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _of(
        self, kind: type[M], topics: Sequence[str], from_s: float | None = None, to_s: float | None = None
    ) -> Iterator[M]:
        found = self.messages(topics, from_s, to_s)
        return (message for message in found if isinstance(message, kind))

    def _entries(
        self, topics: Sequence[str], from_s: float | None, to_s: float | None, *, bus: bool = True
    ) -> Iterator[RawMessage]:
        channels = self._bus_channels(topics) if bus else self._channels(topics)
        wanted = frozenset(channel.id for channel in channels)
        from_ns, to_ns = (None if s is None else self.start_unix_ns + round(s * 1e9) for s in (from_s, to_s))
        return entries(self._file, self._summary, wanted, from_ns, to_ns, self._count_damage)

    def _bus_channels(self, topics: Sequence[str]) -> list[Channel]:
        return [channel for channel in self._channels(topics) if channel.message_encoding == BUS]

    def _channels(self, topics: Sequence[str]) -> list[Channel]:
        groups = tuple(topic for topic in topics if not topic or topic.endswith("/"))
        return [
            channel
            for channel in self._summary.channels.values()
            if channel.topic in topics or channel.topic.startswith(groups)
        ]

    def _known(self, camera: str) -> str:
        if camera not in self.cameras:
            raise SessionError(f"There is no camera {camera!r} in {self.path}.", f"It has {', '.join(self.cameras)}.")
        return camera

    def _count_damage(self, chunk: ChunkIndex) -> None:
        self._bad_chunks[chunk.chunk_start_offset] = chunk


def _info(path: Path) -> SessionInfo:
    """Returns the head of a session; where the first is damaged, the one behind the first chunk."""
    fault: SessionError | None = None
    for record in islice(RecoveryReader(path).records(), HEAD_RECORDS):
        if isinstance(record, Metadata) and record.name == NAME:
            try:
                return SessionInfo.from_metadata(record.metadata)
            except SessionError as error:
                fault = error
    if fault:
        raise SessionError(f"{path}: {fault.cause}", fault.remedy) from fault
    raise SessionError(f"{path} is an MCAP file, but no session of pose-rig.", REMEDY)
