"""2D annotations on the image of a camera: the detections in amber, the refined pose in green, or a person's colour.

Frame ``image``, px, rounded to a quarter, which compresses better.
"""

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from foxglove_schemas_protobuf.Color_pb2 import Color
from foxglove_schemas_protobuf.ImageAnnotations_pb2 import ImageAnnotations
from foxglove_schemas_protobuf.PointsAnnotation_pb2 import PointsAnnotation
from google.protobuf.timestamp_pb2 import Timestamp
from numpy.typing import NDArray

from pose_rig.skeleton import BONES, INDEX, J, landmarks
from pose_rig.wire.messages import Keypoints2D, Refined2D
from pose_rig.wire.precision import quantize

STEP_PX = 0.25
RAW, REFINED = (255, 176, 32), (46, 230, 140)  # red, green, blue
PEOPLE = (REFINED, (84, 160, 255), (255, 94, 140), (186, 122, 255), (70, 226, 255), (255, 240, 96))  # by identity
RAW_PX, RAW_LINE_PX, REFINED_PX = 5.0, 1.5, 3.0
_TRUNK = (
    ("l_shoulder", "r_shoulder"), ("l_hip", "r_hip"), ("l_shoulder", "l_hip"), ("r_shoulder", "r_hip"),
)  # fmt: skip


def person_colour(person: int) -> tuple[int, int, int]:
    """Returns the colour of a person's refined pose: red, green, blue; that of the first is `REFINED`."""
    return PEOPLE[person % len(PEOPLE)]


@lru_cache(maxsize=8)
def landmark_bones(schema: str) -> tuple[tuple[int, int], ...]:
    """Returns the pairs of landmarks that are connected by a line: limbs and trunk."""
    weights = landmarks(schema).weights
    column = {joint: int(weights[joint].argmax()) for joint in range(J) if weights[joint].max(initial=0.0) == 1.0}
    pairs = (*BONES, *((INDEX[one], INDEX[other]) for one, other in _TRUNK))
    return tuple((column[one], column[other]) for one, other in pairs if one in column and other in column)


def detections(keypoints: Keypoints2D, when: Timestamp) -> ImageAnnotations:
    """Returns the detections of all people: points, and lines along limbs and trunk."""
    out = ImageAnnotations(timestamp=when)
    bones = landmark_bones(keypoints.landmarks)
    for points, visible in zip(keypoints.xy, (keypoints.score > 0).tolist(), strict=True):
        xy = _rounded(points)
        shown = (k for k, is_visible in enumerate(visible) if is_visible)
        _add(out, xy, shown, PointsAnnotation.POINTS, _colour(RAW), RAW_PX)
        ends = (end for one, other in bones if visible[one] and visible[other] for end in (one, other))
        _add(out, xy, ends, PointsAnnotation.LINE_LIST, _colour(RAW), RAW_LINE_PX)
    return out


def refined(pose: Refined2D, when: Timestamp) -> ImageAnnotations:
    """Returns the refined 2D pose of a person in a camera as lines along its bones."""
    out = ImageAnnotations(timestamp=when)
    ends = (end for bone in BONES for end in bone)
    _add(out, _rounded(pose.xy), ends, PointsAnnotation.LINE_LIST, _colour(person_colour(pose.person)), REFINED_PX)
    return out


@lru_cache(maxsize=16)
def _colour(rgb: tuple[int, int, int]) -> Color:
    red, green, blue = (value / 255 for value in rgb)
    return Color(r=red, g=green, b=blue, a=1.0)


def _add(
    out: ImageAnnotations,
    xy: list[list[float]],
    which: Iterable[int],
    kind: "PointsAnnotation.Type.ValueType",
    colour: Color,
    thickness_px: float,
) -> None:
    drawn = out.points.add(type=kind, outline_color=colour, thickness=thickness_px)
    for i in which:
        point = drawn.points.add()
        point.x, point.y = xy[i]


def _rounded(xy: NDArray[np.float32]) -> list[list[float]]:
    rounded: list[list[float]] = quantize(xy, STEP_PX).tolist()
    return rounded
