"""What the frames of a rig's cameras have: image size, landmark set, and the focal length that is assumed for them.

Axes: V views.
"""

from collections.abc import Sequence

import numpy as np

from pose_rig.config import FOCAL_PER_LARGER_SIDE, CameraConfig
from pose_rig.fusion.pose.landmarks import ExtraLandmarks
from pose_rig.intrinsics import Intrinsics
from pose_rig.lens import five_coefficients
from pose_rig.skeleton import JOINTS, Landmarks, landmarks


class CameraProperties:
    """The properties of every camera, known from its first frame on.

    Args:
        cameras: As configured.

    Attributes:
        size_px: (V,2) width, height; 1 until known.
        landmarks: (V) landmark sets, None until known.
        extra: The landmarks beyond the joints, fixed with the first time step; None until then.
    """

    def __init__(self, cameras: Sequence[CameraConfig]) -> None:
        self._given_focal_px = np.array([camera.focal_px or np.nan for camera in cameras])
        self._given_point_px = np.array([camera.principal_point_px or (np.nan, np.nan) for camera in cameras])
        self._dist = np.array([five_coefficients(camera.distortion) for camera in cameras])
        self._fisheye = np.array([camera.fisheye for camera in cameras])
        self.size_px = np.ones((len(cameras), 2))
        self.landmarks: list[Landmarks | None] = [None] * len(cameras)
        self.extra: ExtraLandmarks | None = None

    def set(self, view: int, size_px: tuple[int, int], schema: str) -> bool:
        """Sets the image size and landmark set of a camera; returns whether they are new.

        Raises:
            UsageError: The landmark set is unknown.
        """
        marks = landmarks(schema)
        if marks is self.landmarks[view] and tuple(self.size_px[view]) == size_px:
            return False
        self.landmarks[view] = marks
        self.size_px = self.size_px.copy()
        self.size_px[view] = size_px
        return True

    def fix_joints(self) -> None:
        """Fixes the joints of poses to those of the landmark sets that are known."""
        if self.extra is None and any(marks is not None for marks in self.landmarks):
            self.extra = ExtraLandmarks(self.landmarks)

    @property
    def joints(self) -> tuple[str, ...]:
        """Names of the joints of a pose: the 17, then the landmarks that only a solved rig can place."""
        return JOINTS + (() if self.extra is None else self.extra.names)

    @property
    def intrinsics(self) -> Intrinsics:
        """As given, else assumed: usual focal lengths, principal points in the image centres, no distortion."""
        assumed_px, given_px = FOCAL_PER_LARGER_SIDE * self.size_px.max(-1), self._given_focal_px
        return Intrinsics(
            np.where(np.isfinite(given_px), given_px, assumed_px),
            self.size_px,
            np.where(np.isfinite(self._given_point_px), self._given_point_px, 0.5 * self.size_px),
            self._dist,
            self._fisheye,
        )
