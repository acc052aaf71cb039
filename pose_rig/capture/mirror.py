"""Flipping the images and keypoints of a mirrored camera."""

from dataclasses import replace

import numpy as np

from pose_rig.capture.source import Detections, Frame, Source, SourceInfo
from pose_rig.skeleton import landmarks, other_side


class UnmirroredSource:
    """A mirrored source, with its images flipped horizontally.

    Keypoints that were detected in mirrored images are flipped too, and left and right landmarks are swapped.

    Args:
        source: The mirrored source; closed together with this one.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        schema = source.info.landmarks
        self._columns = list(other_side(landmarks(schema).names)) if schema else []

    @property
    def info(self) -> SourceInfo:
        """As in `Source`; that of a phone changes."""
        return replace(self._source.info, detail=f"{self._source.info.detail}, unmirrored")

    @property
    def fault(self) -> str:
        """As in `Source`."""
        return self._source.fault

    def poll(self, timeout_s: float) -> bool:
        """As in `Source`."""
        return self._source.poll(timeout_s)

    def read(self) -> Frame | None:
        """Returns the flipped frame, None at the end."""
        frame = self._source.read()
        if frame is None:
            return None
        image = (
            frame.image if frame.image is None or frame.image.ndim < 2 else np.ascontiguousarray(frame.image[:, ::-1])
        )
        return replace(frame, image=image, detections=self._flipped(frame.detections, frame.size_px[0]))

    def close(self) -> None:
        """Closes the source."""
        self._source.close()

    def _flipped(self, detections: Detections | None, width_px: int) -> Detections | None:
        if detections is None:
            return None
        xy, score = detections.xy[:, self._columns].copy(), detections.score[:, self._columns]
        xy[..., 0] = np.where(score > 0, width_px - xy[..., 0], 0)
        depth = detections.depth[:, self._columns] if detections.depth.size else detections.depth
        return Detections(xy, score, depth)
