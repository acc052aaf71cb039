"""The appearance of the people in an image: a colour histogram of the trunk and one of the legs.

Axes: P people, K landmarks, A numbers: those of the trunk, then those of the legs.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Image
from pose_rig.capture.appearance.body_points import leg_points, trunk_points
from pose_rig.capture.appearance.colour_histogram import B, colour_histogram
from pose_rig.skeleton import landmarks
from pose_rig.wire.precision import APPEARANCE_STEP, quantize

A = 2 * B
INTERVAL_NS = 100_000_000  # clothes do not change from one frame to the next


class AppearanceDescriptor:
    """Describes the people of some frames of a camera, ten a second at most."""

    def __init__(self) -> None:
        self._described_ns: int | None = None

    def of_frame(
        self, image: Image, xy_px: NDArray[Any], score: NDArray[Any], schema: str, t_ns: int
    ) -> NDArray[np.float32]:
        """Returns what `describe` does, or an empty array (0,) for a frame that comes too early; ``t_ns``: its time."""
        if self._described_ns is not None and 0 <= t_ns - self._described_ns < INTERVAL_NS:
            return np.zeros(0, np.float32)
        self._described_ns = t_ns
        return describe(image, xy_px, score, schema)


def describe(image: Image, xy_px: NDArray[Any], score: NDArray[Any], schema: str) -> NDArray[np.float32]:
    """Returns (P,A) shares of the colours of trunk and legs, each with the sum 1, or 0 throughout where not visible.

    Points outside the image, and those where another person's trunk or legs may be, are not used.

    Args:
        image: (H,W,3) uint8 BGR.
        xy_px: (P,K,2) the people in it.
        score: (P,K) 0–1.
        schema: Landmark set of the detections.
    """
    joints_px, joints_score = landmarks(schema).to_joints(xy_px, score)
    height, width = image.shape[:2]
    parts = [points(joints_px, joints_score, (width, height)) for points in (trunk_points, leg_points)]
    shares = [colour_histogram(image[part.xy_px[..., 1], part.xy_px[..., 0]], part.weight) for part in parts]
    return quantize(np.concatenate(shares, 1), APPEARANCE_STEP)
