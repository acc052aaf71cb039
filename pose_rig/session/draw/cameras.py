"""The solved cameras for viewers: extrinsics and intrinsics.

Foxglove's camera frame is OpenCV's and ours: x right, y down, z forward.
"""

from collections.abc import Sequence

import numpy as np
from foxglove_schemas_protobuf.CameraCalibration_pb2 import CameraCalibration
from foxglove_schemas_protobuf.FrameTransform_pb2 import FrameTransform
from foxglove_schemas_protobuf.FrameTransforms_pb2 import FrameTransforms
from foxglove_schemas_protobuf.Quaternion_pb2 import Quaternion
from google.protobuf.timestamp_pb2 import Timestamp
from numpy.typing import NDArray

from pose_rig.geometry import quaternion
from pose_rig.session.draw.scene import FRAME
from pose_rig.wire.messages import CameraState

ROOT = "map"
_MAP_FROM_RIG = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])


def camera_frame(camera: str) -> str:
    """Returns the name of a camera's frame, for its transform, calibration and images."""
    return f"camera/{camera}"


def transforms(solved: Sequence[CameraState], when: Timestamp) -> FrameTransforms:
    """Returns the poses of the solved cameras in ``rig``, and of ``rig`` in ``map``, which has z up."""
    out = FrameTransforms(transforms=[_transform(ROOT, FRAME, _MAP_FROM_RIG, np.zeros(3), when)])
    for camera in solved:
        camera_from_rig = np.reshape(camera.rotation or (), (3, 3))
        position = -camera_from_rig.T @ np.array(camera.translation_m)
        out.transforms.append(_transform(FRAME, camera_frame(camera.name), camera_from_rig.T, position, when))
    return out


def calibration(camera: CameraState, when: Timestamp) -> CameraCalibration:
    """Returns the intrinsics of a solved camera; a fisheye lens has ROS's model ``kannala_brandt``."""
    width, height = camera.size_px or (0, 0)
    f, (x, y) = camera.focal_px, camera.principal_point_px or (width / 2, height / 2)
    return CameraCalibration(
        timestamp=when,
        frame_id=camera_frame(camera.name),
        width=width,
        height=height,
        distortion_model="kannala_brandt" if camera.fisheye else "plumb_bob",
        D=camera.lens[:4] if camera.fisheye else camera.lens,
        K=[f, 0, x, 0, f, y, 0, 0, 1],
        R=[1, 0, 0, 0, 1, 0, 0, 0, 1],
        P=[f, 0, x, 0, 0, f, y, 0, 0, 0, 1, 0],
    )


def _transform(
    parent: str, child: str, parent_from_child: NDArray[np.float64], origin_m: NDArray[np.float64], when: Timestamp
) -> FrameTransform:
    out = FrameTransform(timestamp=when, parent_frame_id=parent, child_frame_id=child)
    out.translation.x, out.translation.y, out.translation.z = origin_m.tolist()
    x, y, z, w = quaternion(parent_from_child).tolist()
    out.rotation.CopyFrom(Quaternion(x=x, y=y, z=z, w=w))
    return out
