"""What the cameras detect and show, for the pages that show them: thumbnails, raw and refined 2D."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.web.page_json import keypoints_message
from pose_rig.wire.live_images import Thumbnail
from pose_rig.wire.messages import Refined2D
from pose_rig.wire.services import REFINED_STALE_S

THUMBNAIL = 1  # first byte of the binary message


@dataclass(slots=True)
class CameraView:
    """The newest messages of one camera, and whether one of them was not sent yet."""

    raw: Thumbnail | None = None
    refined: Refined2D | None = None
    changed: bool = False


class CameraViews:
    """Collects the messages of all cameras.

    Args:
        sizes_px: (width, height) of the images by camera, filled by the caller.
    """

    def __init__(self, sizes_px: dict[str, tuple[int, int]]) -> None:
        self._sizes_px = sizes_px
        self._views: dict[str, CameraView] = {}

    def add(self, message: Thumbnail | Refined2D) -> None:
        """Adds a received message."""
        view = self._views.setdefault(message.camera, CameraView())
        view.changed = True
        if isinstance(message, Thumbnail):
            view.raw = message
        else:
            view.refined = message

    def take(self) -> Iterator[tuple[str, str]]:
        """Yields the name and the 2D poses, as JSON, of every camera that has new ones."""
        for name, view in self._views.items():
            size_px = view.raw.size_px if view.raw else self._sizes_px.get(name)
            if view.changed and size_px is not None:
                view.changed = False
                yield name, _keypoints(name, size_px, view)


def thumbnail_bytes(message: Thumbnail) -> bytes:
    """Returns the binary message of a thumbnail for the page."""
    name = message.camera.encode()
    return bytes((THUMBNAIL, len(name))) + name + message.jpeg


def _keypoints(name: str, size_px: tuple[int, int], view: CameraView) -> str:
    raw, refined = view.raw, view.refined
    newest_ns = max(message.t_ns for message in (raw, refined) if message is not None)
    if refined is not None and newest_ns - refined.t_ns > REFINED_STALE_S * 1e9:
        refined = None
    if raw is not None and newest_ns - raw.t_ns > REFINED_STALE_S * 1e9:
        raw = None
    person = None if raw is None else _person(raw, refined)
    landmarks = raw.landmarks if raw is not None else ""
    return keypoints_message(name, size_px, person, landmarks, refined, newest_ns)


def _person(raw: Thumbnail, refined: Refined2D | None) -> Any:
    """Returns (K,3) px, px, score of one person: the one at the refined pose, else the best detected one."""
    if not len(raw.xy):
        return None
    if refined is None:
        person = int(np.argmax(raw.score.sum(axis=1)))
    else:
        centres = np.stack([_centre(xy, score) for xy, score in zip(raw.xy, raw.score, strict=True)])
        person = int(np.argmin(np.linalg.norm(centres - refined.xy.mean(axis=0), axis=1)))
    return np.column_stack([raw.xy[person], raw.score[person]])


def _centre(xy: Floats, score: Floats) -> Floats:
    """Returns (2,) the middle of the visible points (K,2)."""
    return np.asarray(np.average(xy, axis=0, weights=score if score.any() else None))
