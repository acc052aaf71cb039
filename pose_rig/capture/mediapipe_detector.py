"""MediaPipe's pose landmarker as a `Detector`.

MediaPipe tracks up to ``num_poses`` people, and while it tracks fewer it searches the whole image in every frame: with
two requested and one present it processes 0.42 times as many frames per second (two cores, *full*, 1080×1920). So it is
asked for as many people as are present, at first one, and every `SEARCH_INTERVAL` frames the image is searched for
more. The interval is in frames, not in time, so that two runs are identical to the bit.

Axes: P people, K = 33 landmarks.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pose_rig.arrays import Floats, Image
from pose_rig.capture.empty_modules import empty_modules
from pose_rig.capture.source import Detections
from pose_rig.config import DetectorConfig
from pose_rig.errors import AssetError

# To plot landmarks and record sound, which takes two thirds of the time of the import, in every camera process.
with empty_modules("matplotlib", "matplotlib.pyplot", "sounddevice"):
    import mediapipe
    from mediapipe.tasks.python import BaseOptions, vision

K = 33
HIPS = [23, 24]
MIN_SIZE_M = 0.1  # of a person
SEARCH_INTERVAL = 60  # frames. A search takes as long as 2.2 frames: 4 % of the throughput
# Detects both people of a two-person take in 13 of 20, 13, 5 and 19 frames (four cameras); 0.5 in 9, 9, 0 and 14.
# False positives in a one-person take: in 1 of 80 frames with either.
SEARCH_CONFIDENCE = 0.3


class MediaPipeDetector:
    """MediaPipe's pose landmarker on the frames of one camera.

    Args:
        config: ``model`` is the path of a ``.task`` file.

    Raises:
        AssetError: MediaPipe does not accept the model.
    """

    landmarks = "mediapipe33"

    def __init__(self, config: DetectorConfig) -> None:
        self._config = config
        self._trackers: dict[int, Any] = {}  # by number of people
        self._tracked = 1  # people
        self._detected = 1  # people in the last frame
        self._frames = 0
        self._t_ms = -1
        self._logging = True  # until MediaPipe has written its messages to stderr
        self._search = self._landmarker(config.people, vision.RunningMode.IMAGE) if config.people > 1 else None
        self._tracker(1)

    def warm_up(self, size_px: tuple[int, int]) -> None:
        """Runs the models on a black image, timestamped before all frames of a live run: it detects no person."""
        black = np.zeros((size_px[1], size_px[0], 3), np.uint8)
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=black)
        self._t_ms += 1
        with _stderr_discarded(True):
            if self._search is not None:
                self._search.detect(image)
            self._tracker(1).detect_for_video(image, self._t_ms)

    def detect(self, image: Image, t_ns: int) -> Detections:
        """Returns the people in an image; xy may lie outside of it; score = MediaPipe's visibility."""
        with _stderr_discarded(self._logging):
            rgb = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
            if self._frames % SEARCH_INTERVAL == 0:
                self._tracked = self._count(rgb)
            self._frames += 1
            self._t_ms = max(self._t_ms + 1, t_ns // 1_000_000)
            found = self._tracker(self._tracked).detect_for_video(rgb, self._t_ms)
        people = found.pose_landmarks
        self._detected = len(people)
        self._logging = self._logging and not people
        rows = [[(mark.x, mark.y, mark.visibility) for mark in person] for person in people]
        values = np.array(rows, np.float64).reshape(len(rows), K, 3)
        xy_px = values[..., :2] * (image.shape[1], image.shape[0])
        world = [[(mark.x, mark.y, mark.z) for mark in person] for person in found.pose_world_landmarks]
        depth_px = depths_px(xy_px, np.array(world, np.float64).reshape(len(rows), K, 3))
        return Detections.from_arrays(xy_px, values[..., 2], depth_px)

    def close(self) -> None:
        """Frees the models."""
        with _stderr_discarded(True):  # MediaPipe 1 logs what it frees
            for landmarker in (*self._trackers.values(), self._search):
                if landmarker is not None:
                    landmarker.close()

    def _count(self, image: mediapipe.Image) -> int:
        """Returns how many people to track: those of the last frame, or more if a search detects more."""
        if self._search is None or self._detected == self._config.people:
            return max(1, self._detected)
        return max(1, self._detected, len(self._search.detect(image).pose_landmarks))

    def _tracker(self, people: int) -> Any:
        """Returns the landmarker that tracks up to ``people`` people."""
        if people not in self._trackers:
            self._trackers[people] = self._landmarker(people, vision.RunningMode.VIDEO)
        return self._trackers[people]

    def _landmarker(self, people: int, mode: vision.RunningMode) -> Any:
        confidence = self._config.min_confidence
        options = vision.PoseLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=self._config.model),
            running_mode=mode,
            num_poses=people,
            min_pose_detection_confidence=confidence if people == 1 else min(confidence, SEARCH_CONFIDENCE),
            min_pose_presence_confidence=confidence,
            min_tracking_confidence=confidence,
        )
        try:
            with _stderr_discarded(True):
                return vision.PoseLandmarker.create_from_options(options)
        except (RuntimeError, ValueError, OSError) as error:
            raise AssetError(
                f"MediaPipe does not accept the model {Path(self._config.model).name}: {error}.",
                "Delete it, so that it is downloaded again, or choose another with --model.",
            ) from error


def depths_px(xy_px: Floats, world_m: Floats) -> Floats:
    """Returns (P,K) px how much farther than the hips landmarks are, from MediaPipe's world landmarks.

    The ``z`` of its image landmarks correlates with the true depth as well (both 0.76–0.94 by camera, on a real take),
    but is 3.5 to 6 times too large, by a factor that depends on the view; that of the world landmarks 1.04 to 1.6.

    Args:
        xy_px: (P,K,2).
        world_m: (P,K,3) m, relative to the hips: x right, y down, z away from the camera.
    """
    across = xy_px - xy_px[:, HIPS].mean(1, keepdims=True)
    square = np.maximum((world_m[..., :2] ** 2).sum((1, 2)), MIN_SIZE_M**2)
    px_per_m = (across * world_m[..., :2]).sum((1, 2)) / square
    return np.asarray(px_per_m[:, None] * world_m[..., 2])


@contextmanager
def _stderr_discarded(wanted: bool) -> Iterator[None]:
    """Discards what native code writes to stderr: no setting silences MediaPipe. Exceptions pass."""
    if not wanted:
        yield
        return
    with tempfile.TemporaryFile() as sink:
        stderr = os.dup(2)
        os.dup2(sink.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
