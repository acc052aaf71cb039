"""Pictures that are mirrored, turned round before anything else sees them."""

from dataclasses import replace

import numpy as np

from pose_rig.capture.source import Detections, Frame, Source
from pose_rig.skeleton import landmarks, other_side


class Unmirrored:
    """A source whose pictures are mirrored, as it would be without.

    Keypoints that were found in mirrored pictures are on the other side, and are called by the other side's names.

    Args:
        source: Closed together with this one.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._columns = list(other_side(landmarks(source.landmarks).names)) if source.landmarks else []
        self.identity, self.size_px, self.fps = source.identity, source.size_px, source.fps
        self.detail = f"{source.detail}, mirrored back"
        self.total_frames, self.landmarks = source.total_frames, source.landmarks

    @property
    def fault(self) -> str:
        """As that of the source."""
        return self._source.fault

    def poll(self, timeout_s: float) -> bool:
        """As that of the source."""
        return self._source.poll(timeout_s)

    def read(self) -> Frame | None:
        """Returns the frame as it would be in a picture that is not mirrored, None at the end."""
        frame = self._source.read()
        if frame is None:
            return None
        image = (
            frame.image if frame.image is None or frame.image.ndim < 2 else np.ascontiguousarray(frame.image[:, ::-1])
        )
        return replace(frame, image=image, detections=self._turned(frame.detections, frame.size_px[0]))

    def close(self) -> None:
        """Closes the source."""
        self._source.close()

    def _turned(self, people: Detections | None, width_px: int) -> Detections | None:
        if people is None:
            return None
        xy, score = people.xy[:, self._columns].copy(), people.score[:, self._columns]
        xy[..., 0] = np.where(score > 0, width_px - xy[..., 0], 0)  # the picture's middle is at half its width
        return Detections(xy, score)
