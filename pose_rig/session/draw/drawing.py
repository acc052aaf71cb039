"""Messages of the bus as `foxglove.*` messages, which Foxglove, Lichtblick and Rerun draw.

Frames: ``rig`` has y up. Foxglove's 3D panel has z up and looks first for a frame called ``map``; `/tf` therefore says
that ``rig`` lies in ``map`` with its y along z, so that people stand. All places are given in ``rig``.
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
from pose_rig.session.draw.scene import cloud, nobody, scene
from pose_rig.wire.messages import Health, Keypoints2D, Message, Pose3D, Refined2D, RigState

# A stream is drawn no oftener: of 60 Hz every second message, of 30 Hz all, even if they tremble.
SHORTEST_NS = 25_000_000
# 2D without pictures to lie over: often enough to be followed, and a sixth of the room
SHORTEST_BARE_NS = 195_000_000
NS = 1_000_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """One message for a viewer.

    Attributes:
        topic: ``/pose/scene``, ``/pose/points``, ``/camera/<name>/keypoints``, ``/camera/<name>/refined``,
            ``/camera/<name>/calibration``, ``/tf`` or ``/log``.
        t_ns: Its instant, Unix.
        message: The ``foxglove.*`` message.
    """

    topic: str
    t_ns: int
    message: Protobuf


class Drawing:
    """Draws a stream of messages, one after the other, as often as eyes need it.

    Args:
        over_pictures: Whether the pictures of the cameras are there too, over which 2D is drawn.
    """

    def __init__(self, *, over_pictures: bool) -> None:
        self._shortest_2d_ns = SHORTEST_NS if over_pictures else SHORTEST_BARE_NS
        self._drawn_ns: dict[str, int] = {}
        self._said: dict[str, object] = {}

    def of(self, message: Message, unix_from_rig_ns: int) -> list[Drawn]:
        """Returns what viewers are to be shown of a message: nothing if that is old, or too soon to be seen.

        Args:
            message: Any message of the bus.
            unix_from_rig_ns: What turns its ``t_ns`` into the time of day.
        """
        t_ns = getattr(message, "t_ns", 0) + unix_from_rig_ns
        return [Drawn(topic, t_ns, drawn) for topic, drawn in self._drawings(message, timestamp(t_ns))]

    def _drawings(self, message: Message, when: Timestamp) -> Iterable[tuple[str, Protobuf]]:
        match message:
            case Pose3D():
                return self._pose(message, when)
            case Keypoints2D() if self._due(message.topic, message.t_ns, self._shortest_2d_ns):
                return [(f"/camera/{message.camera}/keypoints", detections(message, when))]
            case Refined2D() if self._due(message.topic, message.t_ns, self._shortest_2d_ns):
                return [(f"/camera/{message.camera}/refined", refined(message, when))]
            case RigState():
                return self._rig(message, when)
            case Health() if self._new(message.topic, message.error) and message.error:
                return [("/log", Log(timestamp=when, level=Log.ERROR, name=message.worker, message=message.error))]
        return []

    def _pose(self, pose: Pose3D, when: Timestamp) -> Iterator[tuple[str, Protobuf]]:
        if not pose.tracking:
            if self._new(pose.topic, False):
                yield "/pose/scene", nobody(when)
                yield "/pose/points", cloud(None, when)
        elif self._new(pose.topic, True) | self._due(pose.topic, pose.t_ns):
            yield "/pose/scene", scene(pose, when)
            yield "/pose/points", cloud(pose, when)

    def _rig(self, rig: RigState, when: Timestamp) -> Iterator[tuple[str, Protobuf]]:
        solved = [camera for camera in rig.cameras if camera.rotation and camera.translation_m and camera.size_px]
        if self._new("/tf", [(camera.name, camera.rotation, camera.translation_m) for camera in solved]):
            yield "/tf", transforms(solved, when)
        for camera in solved:
            topic = f"/camera/{camera.name}/calibration"
            if self._new(topic, (camera.focal_px, camera.k1, camera.size_px)):
                yield topic, calibration(camera, when)

    def _due(self, topic: str, t_ns: int, shortest_ns: int = SHORTEST_NS) -> bool:
        """Returns whether it is time to draw a stream again; yes too where its clock has started over."""
        if 0 <= t_ns - self._drawn_ns.get(topic, t_ns - shortest_ns) < shortest_ns:
            return False
        self._drawn_ns[topic] = t_ns
        return True

    def _new(self, topic: str, value: object) -> bool:
        """Returns whether something else was said of a topic last, or nothing."""
        if topic in self._said and self._said[topic] == value:
            return False
        self._said[topic] = value
        return True


def timestamp(unix_ns: int) -> Timestamp:
    """Returns an instant as protobuf says it."""
    return Timestamp(seconds=unix_ns // NS, nanos=unix_ns % NS)


def schema_of(kind: type[Protobuf]) -> tuple[str, bytes]:
    """Returns the name of a protobuf message, and its file with all that it imports: a schema as MCAP wants it."""
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
