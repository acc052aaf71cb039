"""The 2D detector: MediaPipe's pose landmarker.

MediaPipe follows as many people as it is asked for, and while it sees fewer it searches the whole image in every frame:
asked for two with one present, it does 0.42 times as many frames per second (two cores, *full*, 1080×1920). So one
person is followed, and every `SEARCH_EVERY` frames the image is searched for more; as many as there are, are followed
from then on. Frames are counted, not milliseconds, so that two runs agree to the bit.

Axes: P people, K = 33 landmarks.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import mediapipe
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision

from pose_rig.capture.source import Detections, Frame
from pose_rig.config import DetectorConfig
from pose_rig.errors import AssetError

LANDMARKS = "mediapipe33"
K = 33
# A search costs as much as 2.2 frames: at every 60th frame, 4 % of the throughput.
SEARCH_EVERY = 60
# Finds both people of a two-person take in 13 of 20, 13, 5 and 19 frames (four cameras); 0.5 in 9, 9, 0 and 14.
# A second person where there is none: in 1 of 80 frames with either.
SEARCH_CONFIDENCE = 0.3


class MediaPipeDetector:
    """MediaPipe's pose landmarker on a row of frames of one camera.

    Args:
        config: ``model`` is the path of a ``.task`` file.

    Raises:
        AssetError: MediaPipe does not accept the model.
    """

    landmarks = LANDMARKS

    def __init__(self, config: DetectorConfig) -> None:
        self._config = config
        self._followers: dict[int, Any] = {}
        self._following = 1
        self._seen = 1  # in the last frame
        self._frames = 0
        self._t_ms = -1
        self._noisy = True  # until MediaPipe has said all it says on stderr
        self._search = self._landmarker(config.people, vision.RunningMode.IMAGE) if config.people > 1 else None
        self._follower(1)

    def warm_up(self, size_px: tuple[int, int]) -> None:
        """Runs the models once on a black image, dated before all frames of a live run: nobody is followed from it."""
        black = np.zeros((size_px[1], size_px[0], 3), np.uint8)
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=black)
        self._t_ms += 1
        with _quiet(True):
            if self._search is not None:
                self._search.detect(image)
            self._follower(1).detect_for_video(image, self._t_ms)

    def detect(self, frame: Frame) -> Detections:
        """Returns the people of a frame; xy as MediaPipe says, also outside the image; score = its visibility."""
        if frame.image is None:
            return _people([], frame.size_px)
        with _quiet(self._noisy):
            image = mediapipe.Image(
                image_format=mediapipe.ImageFormat.SRGB, data=cv2.cvtColor(frame.image, cv2.COLOR_BGR2RGB)
            )
            if self._frames % SEARCH_EVERY == 0:
                self._following = self._count(image)
            self._frames += 1
            self._t_ms = max(self._t_ms + 1, frame.t_ns // 1_000_000)
            found = self._follower(self._following).detect_for_video(image, self._t_ms).pose_landmarks
        self._seen = len(found)
        self._noisy = self._noisy and not found
        return _people(found, frame.size_px)

    def close(self) -> None:
        """Frees the models."""
        with _quiet(True):  # MediaPipe 1 tells there what it frees
            for landmarker in (*self._followers.values(), self._search):
                if landmarker is not None:
                    landmarker.close()

    def _count(self, image: mediapipe.Image) -> int:
        """Returns how many people to follow: those seen in the last frame, or more if a search finds them."""
        if self._search is None or self._seen == self._config.people:
            return max(1, self._seen)
        return max(1, self._seen, len(self._search.detect(image).pose_landmarks))

    def _follower(self, people: int) -> Any:
        """Returns the landmarker that follows so many people."""
        if people not in self._followers:
            self._followers[people] = self._landmarker(people, vision.RunningMode.VIDEO)
        return self._followers[people]

    def _landmarker(self, people: int, mode: vision.RunningMode) -> Any:
        alone = people == 1
        sure = self._config.min_confidence
        options = vision.PoseLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=self._config.model),
            running_mode=mode,
            num_poses=people,
            min_pose_detection_confidence=sure if alone else min(sure, SEARCH_CONFIDENCE),
            min_pose_presence_confidence=sure,
            min_tracking_confidence=sure,
        )
        try:
            with _quiet(True):
                return vision.PoseLandmarker.create_from_options(options)
        except (RuntimeError, ValueError, OSError) as error:
            raise AssetError(
                f"MediaPipe does not accept the model {Path(self._config.model).name}: {error}.",
                "Delete it, so that it is fetched again, or choose another with --model.",
            ) from error


def _people(found: list[Any], size_px: tuple[int, int]) -> Detections:
    """Returns people from MediaPipe's landmarks, which are fractions of the image."""
    rows = [[(mark.x, mark.y, mark.visibility) for mark in person] for person in found]
    values = np.array(rows, np.float64).reshape(len(rows), K, 3)
    return Detections.from_arrays(values[..., :2] * size_px, values[..., 2])


@contextmanager
def _quiet(wanted: bool) -> Iterator[None]:
    """Keeps the process's stderr from MediaPipe's log lines, which no setting stops; exceptions pass."""
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
