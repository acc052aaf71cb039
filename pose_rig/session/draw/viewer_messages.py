"""Messages of the bus as `foxglove.*` messages, which Foxglove, Lichtblick and Rerun display.

``rig`` has y up. Foxglove's 3D panel has z up and a default frame ``map``, so `/tf` has the transform between them. All
positions are in ``rig``.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from foxglove_schemas_protobuf.Log_pb2 import Log
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import Message as Protobuf
from google.protobuf.timestamp_pb2 import Timestamp

from pose_rig.session.draw.annotations import detections, refined
from pose_rig.session.draw.cameras import calibration, transforms
from pose_rig.session.draw.people import topic_of
from pose_rig.session.draw.scene import cloud, no_person, scene
from pose_rig.wire.messages import Health, Keypoints2D, Message, Pose3D, Refined2D, RigState

MIN_INTERVAL_NS = 25_000_000  # every second message of 60 Hz, all of 30 Hz with jitter
MIN_INTERVAL_2D_NS = 195_000_000  # of 2D without video: a sixth of the size
NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True, eq=False)
class ViewerMessage:
    """One message for a viewer.

    Attributes:
        topic: ``/pose/scene``, ``/pose/points``, ``/camera/<name>/keypoints``, ``/camera/<name>/refined``,
            ``/camera/<name>/calibration``, ``/tf`` or ``/log``; points and refined poses of the second person have
            ``/2`` after it, and so on.
        unix_ns: Unix time.
        message: The ``foxglove.*`` message.
    """

    topic: str
    unix_ns: int
    message: Protobuf


class ViewerStream:
    """Converts a stream of messages for viewers, at a reduced rate.

    Args:
        with_video: Whether there is video to draw the 2D keypoints on.
    """

    def __init__(self, *, with_video: bool) -> None:
        self._interval_2d_ns = MIN_INTERVAL_NS if with_video else MIN_INTERVAL_2D_NS
        self._people: set[int] = set()  # who is drawn
        self._shown_ns: dict[str, int] = {}
        self._shown: dict[str, object] = {}

    def convert(self, message: Message, unix_from_rig_ns: int) -> list[ViewerMessage]:
        """Returns the messages for viewers; empty if nothing changed, or too soon after the last one."""
        unix_ns = getattr(message, "t_ns", 0) + unix_from_rig_ns
        return [ViewerMessage(topic, unix_ns, shown) for topic, shown in self._convert(message, timestamp(unix_ns))]

    def _convert(self, message: Message, when: Timestamp) -> Iterable[tuple[str, Protobuf]]:
        match message:
            case Pose3D():
                return self._pose(message, when)
            case Keypoints2D() if self._due(message.topic, message.t_ns, self._interval_2d_ns):
                return [(f"/camera/{message.camera}/keypoints", detections(message, when))]
            case Refined2D() if self._due(topic_of(message.topic, message.person), message.t_ns, self._interval_2d_ns):
                return [(topic_of(f"/camera/{message.camera}/refined", message.person), refined(message, when))]
            case RigState():
                return self._rig(message, when)
            case Health() if self._changed(message.topic, message.error) and message.error:
                return [("/log", Log(timestamp=when, level=Log.ERROR, name=message.worker, message=message.error))]
        return []

    def _pose(self, pose: Pose3D, when: Timestamp) -> Iterator[tuple[str, Protobuf]]:
        topic = topic_of(pose.topic, pose.person)
        if not pose.tracking:
            self._people.discard(pose.person)
            if self._changed(topic, False):
                yield "/pose/scene", no_person(when, pose.person if self._people else None)
                yield topic_of("/pose/points", pose.person), cloud(None, when)
        elif self._changed(topic, True) | self._due(topic, pose.t_ns):
            self._people.add(pose.person)
            yield "/pose/scene", scene(pose, when)
            yield topic_of("/pose/points", pose.person), cloud(pose, when)

    def _rig(self, rig: RigState, when: Timestamp) -> Iterator[tuple[str, Protobuf]]:
        solved = [camera for camera in rig.cameras if camera.rotation and camera.translation_m and camera.size_px]
        if self._changed("/tf", [(camera.name, camera.rotation, camera.translation_m) for camera in solved]):
            yield "/tf", transforms(solved, when)
        for camera in solved:
            topic = f"/camera/{camera.name}/calibration"
            if self._changed(
                topic, (camera.focal_px, camera.lens, camera.fisheye, camera.principal_point_px, camera.size_px)
            ):
                yield topic, calibration(camera, when)

    def _due(self, topic: str, t_ns: int, interval_ns: int = MIN_INTERVAL_NS) -> bool:
        """Returns whether a message of a topic is due; also after its clock was reset."""
        if 0 <= t_ns - self._shown_ns.get(topic, t_ns - interval_ns) < interval_ns:
            return False
        self._shown_ns[topic] = t_ns
        return True

    def _changed(self, topic: str, value: object) -> bool:
        """Returns whether a value differs from the last one of its topic."""
        if topic in self._shown and self._shown[topic] == value:
            return False
        self._shown[topic] = value
        return True


def timestamp(unix_ns: int) -> Timestamp:
    """Returns a Unix time as protobuf."""
    return Timestamp(seconds=unix_ns // NS_PER_S, nanos=unix_ns % NS_PER_S)


def schema_of(kind: type[Protobuf]) -> tuple[str, bytes]:
    """Returns the name of a protobuf message and its descriptor set with all imports: an MCAP schema."""
    files: dict[str, FileDescriptor] = {}

    def add(file: FileDescriptor) -> None:
        for imported in file.dependencies:
            add(imported)
        files[file.name] = file

    add(kind.DESCRIPTOR.file)
    out = FileDescriptorSet()
    for file in files.values():
        file.CopyToProto(out.file.add())
    return kind.DESCRIPTOR.full_name, out.SerializeToString()
