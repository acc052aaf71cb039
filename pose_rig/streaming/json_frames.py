"""Poses as JSON, in the axes of the receiver (docs/wire.md).

Axes: J joints, B bones.
"""

from importlib.metadata import version

import msgspec
import numpy as np

from pose_rig.arrays import Floats
from pose_rig.humanoid.bones import BONES
from pose_rig.humanoid.bones import PARENTS as BONE_PARENTS
from pose_rig.skeleton import INDEX, PARENTS, J, parent_of
from pose_rig.streaming.axes import Axes
from pose_rig.streaming.live_pose import LivePose

JSON_VERSION = 1
DIGITS_M, DIGITS_PX = 4, 1  # a tenth of a millimetre, and of a pixel
SCHEMA_INTERVAL_NS = 1_000_000_000  # over UDP, where new receivers are not announced
_encode = msgspec.json.Encoder().encode


def schema(pose: LivePose, axes: Axes) -> bytes:
    """Returns the message that describes the frames after it.

    Args:
        pose: One of the poses.
        axes: Axes of the receiver.
    """
    fields: dict[str, object] = {
        "type": "schema",
        "version": JSON_VERSION,
        "generator": f"pose-rig {version('pose-rig')}",
        "axes": axes.name,
        "unit": axes.unit,
        "handedness": axes.handedness,
        "up": axes.up,
        "forward": axes.forward,
        "quaternion": "xyzw",
        "mode": pose.mode,
        "joints": pose.joints,
        "parents": [*PARENTS, *(INDEX[parent_of(name)] for name in pose.joints[J:])],
        "bones": BONES,
        "bone_parents": BONE_PARENTS,
        "rest": _lengths(pose.rest.offset, axes),
        "cameras": pose.cameras,
        "height_m": pose.height_m,
        "height_assumed": pose.height_assumed,
    }
    if pose.people is not None:
        fields["people"] = [
            {
                "person": one.person,
                "rest": _lengths(one.rest.offset, axes),
                "height_m": one.height_m,
                "height_assumed": one.height_assumed,
            }
            for one in pose.people
        ]
    return _encode(fields)


def frame(pose: LivePose, axes: Axes, *, refined: bool = False) -> bytes:
    """Returns a frame.

    Args:
        pose: The pose.
        axes: Axes of the receiver.
        refined: Whether to include the 2D pose of each camera.
    """
    fields: dict[str, object] = {
        "type": "frame",
        "index": pose.index,
        "t_ns": pose.t_ns,
        "age_ms": round(pose.age_ms, 1),
        "lead_ms": round(pose.lead_ms, 1),
        "mode": pose.mode,
        **_person_fields(pose, axes, refined=refined),
    }
    if pose.person or pose.people is not None:
        fields["person"] = pose.person
    if pose.people is not None:
        fields["people"] = [{"person": one.person, **_person_fields(one, axes, refined=refined)} for one in pose.people]
    return _encode(fields)


def _person_fields(pose: LivePose, axes: Axes, *, refined: bool) -> dict[str, object]:
    """Returns what a frame has of one person."""
    fields: dict[str, object] = {
        "tracking": pose.tracking,
        "joints": _lengths(pose.xyz, axes),
        "score": np.round(pose.score, 2).tolist(),
        "root": _lengths(pose.root, axes),
        "rotations": (np.round(axes.rotations(pose.rotation), DIGITS_M) + 0.0).tolist(),
    }
    if refined:
        fields["refined"] = {
            camera: {
                "xy": np.round(view.xy.astype(np.float64), DIGITS_PX).tolist(),
                "inlier": np.round(view.inlier.astype(np.float64), 2).tolist(),
            }
            for camera, view in pose.refined.items()
        }
    return fields


class SchemaCache:
    """Encodes the schema again only when something in it changes.

    Args:
        axes: Axes of the receiver.
    """

    def __init__(self, axes: Axes) -> None:
        self._axes = axes
        self._key: tuple[object, ...] = ()
        self._schema = b""

    def get(self, pose: LivePose) -> bytes:
        """Returns the schema of a pose; the same object as before where nothing changed."""
        people = tuple((one.person, one.rest, one.height_m, one.height_assumed) for one in pose.people or ())
        key = (pose.rest, pose.mode, pose.joints, pose.cameras, pose.height_m, pose.height_assumed, people)
        if key != self._key:
            self._key, self._schema = key, schema(pose, self._axes)
        return self._schema


class JsonEncoder:
    """Encodes poses as datagrams: frames, and the schema once a second and whenever it changes.

    Args:
        axes: Axes of the receiver.
    """

    def __init__(self, axes: Axes) -> None:
        self._axes, self._schemas = axes, SchemaCache(axes)
        self._sent, self._sent_ns = b"", 0

    def encode(self, pose: LivePose, now_ns: int) -> list[bytes]:
        """Returns the datagrams of a frame."""
        current = self._schemas.get(pose)
        due = current is not self._sent or now_ns - self._sent_ns > SCHEMA_INTERVAL_NS
        if due:
            self._sent, self._sent_ns = current, now_ns
        return [current, frame(pose, self._axes)] if due else [frame(pose, self._axes)]


def _lengths(xyz: Floats, axes: Axes) -> object:
    digits = DIGITS_M - round(np.log10(axes.per_m))
    return (np.round(axes.points(np.asarray(xyz, np.float64)), digits) + 0.0).tolist()  # no -0.0
