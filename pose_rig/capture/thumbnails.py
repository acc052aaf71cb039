"""Thumbnails of one camera for the live page, made only while a page shows them."""

import time
from typing import Any

import cv2

from pose_rig.arrays import Image
from pose_rig.capture.source import Detections
from pose_rig.wire.authentication import Keys
from pose_rig.wire.bus import OnDemandSender
from pose_rig.wire.live_images import Thumbnail

INTERVAL_S = 0.095  # ten per second at most
LONG_SIDE_PX = 320
JPEG_QUALITY = 70


class ThumbnailSender:
    """Sends thumbnails to the web worker.

    Args:
        camera: Name of the camera.
        endpoint: The web worker receives here.
        keys: Keys of this run.
    """

    def __init__(self, camera: str, endpoint: str, keys: Keys | None) -> None:
        self._camera = camera
        self._sender = OnDemandSender(endpoint, keys)
        self._sent_s = 0.0

    @property
    def due(self) -> bool:
        """Whether a thumbnail is wanted, and none was sent just now."""
        return time.monotonic() - self._sent_s >= INTERVAL_S and self._sender.wanted

    def offer(
        self, image: Image | None, detections: Detections, *, t_ns: int, size_px: tuple[int, int], landmarks: str
    ) -> None:
        """Sends a thumbnail, if one is wanted and due.

        Args:
            image: (H,W,3) uint8 BGR; None where the source has keypoints only.
            detections: The people in it.
            t_ns: Capture time.
            size_px: (width, height) of the image.
            landmarks: Landmark schema of the detections.
        """
        if not self.due:
            return
        self._sent_s = time.monotonic()
        jpeg = b"" if image is None else small_jpeg(image)
        self._sender.send(
            Thumbnail(
                camera=self._camera, t_ns=t_ns, size_px=size_px, landmarks=landmarks, xy=detections.xy,
                score=detections.score, jpeg=jpeg,
            )
        )  # fmt: skip

    def close(self) -> None:
        """Closes the socket."""
        self._sender.close()


def small_jpeg(image: Image) -> bytes:
    """Returns a (H,W,3) uint8 BGR image as JPEG with at most `LONG_SIDE_PX`."""
    height, width = image.shape[:2]
    scale = min(LONG_SIDE_PX / max(height, width), 1.0)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    small: Any = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if scale < 1 else image
    return cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()
