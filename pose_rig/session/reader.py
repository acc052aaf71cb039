"""Reading sessions: messages one by one, or all of them as arrays.

Axes: T time steps, P people, K landmarks, J joints.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from mcap.records import Channel, ChunkIndex

from pose_rig.arrays import Image
from pose_rig.errors import MessageError, SessionError
from pose_rig.session.draw.images import video_frame, video_topic
from pose_rig.session.formats.message_arrays import (
    CameraKeypoints,
    CameraRefined,
    keypoint_arrays,
    pose_arrays,
    refined_arrays,
    refined_of,
)
from pose_rig.session.formats.people import chosen
from pose_rig.session.formats.poses import Poses
from pose_rig.session.mcap.info import read_info
from pose_rig.session.mcap.mcap_reader import RawMessage, read_messages
from pose_rig.session.mcap.recover import find
from pose_rig.session.mcap.recovery_reader import RecoveryReader
from pose_rig.session.mcap.summary import read_summary, recovered_summary
from pose_rig.session.parts import later_parts
from pose_rig.wire.encoding import decode
from pose_rig.wire.messages import Health, Keypoints2D, Message, Pose3D, Refined2D, RigState
from pose_rig.wire.records import Gap, Marker, VideoFrame

M = TypeVar("M", bound=Message)
BUS_ENCODING = "msgpack"  # of the channels with messages of the bus


class Session:
    """A recorded session, open for reading. Close it, or use it in a ``with`` statement.

    Args:
        path: The session, or its ``.partial``. One that was cut off is read as far as possible, which takes longer
            to open. Reading writes no file.

    Attributes:
        path: The file that is read.
        info: Its header: versions, cameras, configuration, clocks.

    Raises:
        SessionError: There is no such file, or it is not a session.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = find(Path(path))
        self._recovery: RecoveryReader | None = None
        self._bad_messages = 0
        self._bad_chunks: dict[int, ChunkIndex] = {}
        self._start_unix_ns: int | None = None
        self._file = self.path.open("rb")
        try:
            summary = read_summary(self._file)
            if summary is None:
                self._recovery = RecoveryReader(self.path)
                summary = recovered_summary(self._recovery)
            self.info = read_info(self.path)
        except SessionError:
            self._file.close()
            raise
        self._summary = summary

    def __repr__(self) -> str:
        poses = self.topics.get(Pose3D.TOPIC, 0)
        people = f" of up to {self.info.people} people" if self.info.people > 1 else ""
        cameras = f"{len(self.cameras)} cameras ({', '.join(self.cameras)})"
        duration = "closed" if self._file.closed else f"{self.duration_s:.1f} s"
        return f"Session({str(self.path)!r}: {duration}, {cameras}, {poses} poses{people})"

    @property
    def damaged(self) -> int:
        """Messages and chunks that could not be read so far."""
        return self._bad_messages + len(self._bad_chunks) + (self._recovery.damaged if self._recovery else 0)

    @property
    def warnings(self) -> list[str]:
        """What is missing, as far as the session has been read, one sentence each."""
        found = []
        if self._recovery is not None:
            hint = f"`pose-rig recover {self.path}` writes a complete copy."
            found.append(f"{self.path} is cut off or damaged. {hint} {self._recovery.loss}".rstrip())
        if self._bad_chunks:
            chunks = self._bad_chunks.values()
            lost_s = sum(max(chunk.message_end_time - chunk.message_start_time, 0) for chunk in chunks) * 1e-9
            found.append(f"{self.path} is damaged: {len(chunks)} chunks, {lost_s:.1f} s of it, were left out.")
        if self._bad_messages:
            found.append(f"{self._bad_messages} messages in {self.path} are invalid and were left out.")
        if self.info.part > 1:
            found.append(
                f"{self.path} is part {self.info.part} of {self.info.recording}: it begins in the middle of a run."
            )
        if later := [str(path) for path in later_parts(self.path, self.info)]:
            found.append(f"The recorder was restarted: the run continues in {', '.join(later)}.")
        return found

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the cameras."""
        return self.info.cameras

    @property
    def topics(self) -> dict[str, int]:
        """Number of messages by topic."""
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
        """Unix time of the first keypoints, at which the time of a session begins."""
        if self._start_unix_ns is None:
            first = next(self._raw_messages((Keypoints2D.TOPIC, Pose3D.TOPIC), None, None), None)
            self._start_unix_ns = first.publish_unix_ns if first else self.info.started_unix_ns
        return self._start_unix_ns

    def messages(
        self, topics: Sequence[str] = ("",), from_s: float | None = None, to_s: float | None = None
    ) -> Iterator[Message]:
        """Yields messages in the order in which they were recorded.

        What is not a message of this version is counted in `damaged`.

        Args:
            topics: Topics, or prefixes that end in a slash: ``("pose", "keypoints/")``; all by default.
            from_s: Seconds from the start of the session; None = from the start.
            to_s: Seconds from the start of the session; None = to the end.
        """
        names = {channel.id: channel.topic for channel in self._bus_channels(topics)}
        for raw in self._raw_messages(topics, from_s, to_s):
            try:
                yield decode(names[raw.channel].encode() + b"\0" + bytes(raw.data))
            except MessageError:
                self._bad_messages += 1

    def poses(self, from_s: float | None = None, to_s: float | None = None, *, person: int | None = None) -> Poses:
        """Returns the recorded poses of one person.

        Args:
            from_s: As in `messages`.
            to_s: As in `messages`.
            person: Identity; None = the lowest there is.

        Raises:
            SessionError: There are none: the session was imported and not replayed, or there is no such person.
        """
        people = self.people(from_s, to_s)
        poses = chosen(people, person)
        if poses is None:
            known = ", ".join(str(one.person) for one in people)
            raise SessionError(f"There is no person {person} in this part of {self.path}.", f"It has {known}.")
        return poses

    def people(self, from_s: float | None = None, to_s: float | None = None) -> list[Poses]:
        """Returns the recorded poses of each person, in ascending order of identity (`Poses.person`).

        Raises:
            SessionError: There are none: the session was imported, and not replayed.
        """
        return pose_arrays(self._of(Pose3D, (Pose3D.TOPIC,), from_s, to_s))

    def keypoints(self, camera: str, from_s: float | None = None, to_s: float | None = None) -> CameraKeypoints:
        """Returns the detections of a camera.

        Raises:
            SessionError: There is no such camera, or it has no frame.
        """
        topic = Keypoints2D.TOPIC + self._known(camera)
        return keypoint_arrays(camera, self._of(Keypoints2D, (topic,), from_s, to_s))

    def refined(
        self, camera: str, from_s: float | None = None, to_s: float | None = None, *, person: int | None = None
    ) -> CameraRefined:
        """Returns the refined 2D poses of one person in a camera; T = 0 if there are none.

        Args:
            camera: Its name.
            from_s: As in `messages`.
            to_s: As in `messages`.
            person: Identity; None = the lowest that has poses in this part.

        Raises:
            SessionError: There is no such camera.
        """
        people = {one.person: one for one in self.refined_people(camera, from_s, to_s)}
        if person is None:
            person = 0 if 0 in people or not people else self._first_person(from_s, to_s)
        return people.get(person, refined_of(person))

    def refined_people(
        self, camera: str, from_s: float | None = None, to_s: float | None = None
    ) -> list[CameraRefined]:
        """Returns the refined 2D poses of each person in a camera, in ascending order of identity.

        Raises:
            SessionError: There is no such camera.
        """
        topic = Refined2D.TOPIC + self._known(camera)
        return refined_arrays(self._of(Refined2D, (topic,), from_s, to_s))

    def rig_states(self) -> list[RigState]:
        """Returns the calibration of the cameras, about four times a second."""
        return list(self._of(RigState, (RigState.TOPIC,)))

    def health(self) -> list[Health]:
        """Returns the health of the workers."""
        return list(self._of(Health, (Health.TOPIC,)))

    def markers(self) -> list[Marker]:
        """Returns the markers that the user set."""
        return list(self._of(Marker, (Marker.TOPIC,)))

    def gaps(self) -> list[Gap]:
        """Returns the gaps in the streams, with their reasons."""
        return list(self._of(Gap, (Gap.TOPIC,)))

    def video_frames(self, camera: str, from_s: float | None = None, to_s: float | None = None) -> Iterator[VideoFrame]:
        """Yields the recorded video of a camera, encoded; nothing if no video was recorded.

        Raises:
            SessionError: There is no such camera.
        """
        first = next(self._of(Keypoints2D, (Keypoints2D.TOPIC + self._known(camera),)), None)
        if first is None:
            return
        known = self._summary.schemas
        channels = self._channels((video_topic(camera),))
        schemas = {c.id: known[c.schema_id].name if c.schema_id in known else "" for c in channels}
        for raw in self._raw_messages((video_topic(camera),), from_s, to_s, bus=False):
            t_ns = raw.publish_unix_ns - self.info.unix_from_rig_ns
            frame = video_frame(camera, raw.sequence, t_ns, first.size_px, bytes(raw.data), schemas[raw.channel])
            if frame is None:
                self._bad_messages += 1
            else:
                yield frame

    def video(self, camera: str, from_s: float | None = None, to_s: float | None = None) -> Iterator[tuple[int, Image]]:
        """Yields time (rig clock, ns) and image (H,W,3) uint8 BGR of every recorded frame of a camera.

        Raises:
            SessionError: There is no such camera, or the package that decodes H.264 is not installed.
        """
        from pose_rig.session.video_decoder import decoded_frames  # imports OpenCV

        for frame in decoded_frames(self.video_frames(camera, from_s, to_s)):
            yield frame.t_ns, frame.image

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

    def _first_person(self, from_s: float | None, to_s: float | None) -> int:
        """Returns the lowest identity of the poses in a part; 0 without poses."""
        return min((pose.person for pose in self._of(Pose3D, (Pose3D.TOPIC,), from_s, to_s)), default=0)

    def _raw_messages(
        self, topics: Sequence[str], from_s: float | None, to_s: float | None, *, bus: bool = True
    ) -> Iterator[RawMessage]:
        channels = self._bus_channels(topics) if bus else self._channels(topics)
        numbers = frozenset(channel.id for channel in channels)
        from_ns, to_ns = (None if s is None else self.start_unix_ns + round(s * 1e9) for s in (from_s, to_s))
        return read_messages(self._file, self._summary, numbers, from_ns, to_ns, self._count_damage)

    def _bus_channels(self, topics: Sequence[str]) -> list[Channel]:
        return [channel for channel in self._channels(topics) if channel.message_encoding == BUS_ENCODING]

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
