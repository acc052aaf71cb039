"""A 3D pose for viewers: a skeleton for Foxglove, and a point cloud for Rerun, which has no skeletons in files.

Frame ``rig``, m, rounded to a millimetre in steps of a power of two, which compresses far better.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from foxglove_schemas_protobuf.Color_pb2 import Color
from foxglove_schemas_protobuf.LinePrimitive_pb2 import LinePrimitive
from foxglove_schemas_protobuf.PackedElementField_pb2 import PackedElementField
from foxglove_schemas_protobuf.Point3_pb2 import Point3
from foxglove_schemas_protobuf.PointCloud_pb2 import PointCloud
from foxglove_schemas_protobuf.Pose_pb2 import Pose
from foxglove_schemas_protobuf.Quaternion_pb2 import Quaternion
from foxglove_schemas_protobuf.SceneEntity_pb2 import SceneEntity
from foxglove_schemas_protobuf.SceneEntityDeletion_pb2 import SceneEntityDeletion
from foxglove_schemas_protobuf.SceneUpdate_pb2 import SceneUpdate
from foxglove_schemas_protobuf.Vector3_pb2 import Vector3
from google.protobuf.timestamp_pb2 import Timestamp
from numpy.typing import NDArray

from pose_rig.session.draw.people import tinted
from pose_rig.skeleton import BONES, INDEX, J, joint_names, parent_of
from pose_rig.wire.messages import Pose3D
from pose_rig.wire.precision import quantize

FRAME = "rig"
STEP_M = 1 / 1024
THICKNESS_M, BALL_M = 0.024, 0.05
RIGHT, LEFT, MIDDLE = (242, 92, 84), (61, 145, 255), (222, 226, 232)  # red, green, blue
OPAQUE, GUESSED = 255, 70  # alpha
_POINT = np.dtype([("xyz", "<f4", 3), ("rgba", "u1", 4)])
_FIELDS = [
    *(PackedElementField(name=name, offset=4 * i, type=PackedElementField.FLOAT32) for i, name in enumerate("xyz")),
    *(
        PackedElementField(name=name, offset=12 + i, type=PackedElementField.UINT8)
        for i, name in enumerate(("red", "green", "blue", "alpha"))
    ),
]
_HERE = Pose(orientation=Quaternion(w=1))
_BALL = Vector3(x=BALL_M, y=BALL_M, z=BALL_M)


def side_colour(joint: str) -> tuple[int, int, int]:
    """Returns the colour of a joint or landmark by its side of the body."""
    if joint.startswith(("r_", "right_")) or joint.endswith("_right"):
        return RIGHT
    return LEFT if joint.startswith(("l_", "left_")) or joint.endswith("_left") else MIDDLE


def skeleton_bones(names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Returns (parent, child) of the bones to draw, with hands and feet but not the face."""
    further = [(INDEX[parent_of(name)], child) for child, name in enumerate(names[J:], J)]
    return (*BONES, *((parent, child) for parent, child in further if parent != INDEX["head"]))


def scene(pose: Pose3D, when: Timestamp) -> SceneUpdate:
    """Returns the skeleton: a line per bone and a sphere per joint, transparent where guessed."""
    out = SceneUpdate()
    template, joints = _template(pose.joints, (pose.score > 0).tobytes(), pose.person)
    entity = out.entities.add()
    entity.CopyFrom(template)
    entity.timestamp.CopyFrom(when)
    entity.id = f"person {pose.person}"
    points = iter(quantize(pose.xyz[joints], STEP_M).tolist())
    for line in entity.lines:
        for point in line.points:
            point.x, point.y, point.z = next(points)
    for ball in entity.spheres:
        point = ball.pose.position
        point.x, point.y, point.z = next(points)
    return out


def no_person(when: Timestamp, person: int | None = None) -> SceneUpdate:
    """Returns the deletion of the skeleton of a person; None: of all."""
    deletion = SceneEntityDeletion(timestamp=when, type=SceneEntityDeletion.ALL)
    if person is not None:
        deletion = SceneEntityDeletion(timestamp=when, type=SceneEntityDeletion.MATCHING_ID, id=f"person {person}")
    return SceneUpdate(deletions=[deletion])


def cloud(pose: Pose3D | None, when: Timestamp) -> PointCloud:
    """Returns the joints and landmarks as coloured points; none if ``pose`` is None."""
    points = np.zeros(0, _POINT)
    if pose is not None:
        points = np.zeros(len(pose.xyz), _POINT)
        points["xyz"] = quantize(pose.xyz, STEP_M)
        points["rgba"][:, :3] = _colours(pose.joints, pose.person)
        points["rgba"][:, 3] = np.where(pose.score > 0, OPAQUE, GUESSED)
    return PointCloud(
        timestamp=when, frame_id=FRAME, pose=_HERE, point_stride=_POINT.itemsize, fields=_FIELDS, data=points.tobytes()
    )


@lru_cache(maxsize=256)
def _template(joint_set: str, visible: bytes, person: int) -> tuple[SceneEntity, NDArray[np.int64]]:
    """Returns a skeleton without positions (copying one is five times as fast as building it) and their joints.

    Args:
        joint_set: The joints.
        visible: (J,) bool, as bytes.
        person: Identity of the person.

    Returns:
        The entity, and the joint of every end of a line, then of every sphere.
    """
    entity = SceneEntity(frame_id=FRAME)
    names = joint_names(joint_set)
    colours = [
        (*tinted(side_colour(name), person), OPAQUE if shown else GUESSED)
        for name, shown in zip(names, visible, strict=True)
    ]
    bones = skeleton_bones(names)
    ends, balls = [], []
    for shade in dict.fromkeys(colours):
        colour = Color(**{channel: value / 255 for channel, value in zip("rgba", shade, strict=True)})
        drawn = [joint for bone in bones if colours[bone[1]] == shade for joint in bone]
        points = [Point3() for _ in drawn]
        entity.lines.add(type=LinePrimitive.LINE_LIST, pose=_HERE, thickness=THICKNESS_M, color=colour, points=points)
        ends += drawn
        for joint in (joint for joint in range(J) if colours[joint] == shade):
            entity.spheres.add(pose=_HERE, size=_BALL, color=colour)
            balls.append(joint)
    return entity, np.array(ends + balls)


@lru_cache(maxsize=16)
def _colours(joint_set: str, person: int) -> NDArray[np.uint8]:
    return np.array([tinted(side_colour(name), person) for name in joint_names(joint_set)], np.uint8)
