"""What the cameras detect and show, for the pages that show them: thumbnails, raw and refined 2D."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.web.page_json import Keypoints, keypoints_message
from pose_rig.wire.live_images import Thumbnail
from pose_rig.wire.messages import Refined2D
from pose_rig.wire.services import REFINED_STALE_S

THUMBNAIL = 1  # first byte of the binary message


@dataclass(slots=True)
class CameraView:
    """The newest messages of one camera, of refined poses by person, and whether one of them was not sent yet."""

    raw: Thumbnail | None = None
    refined: dict[int, Refined2D] = field(default_factory=dict)
    changed: bool = False

    def drop_old(self) -> int:
        """Removes what is older than `REFINED_STALE_S` by the newest message, and returns the time of that."""
        messages = [*([self.raw] if self.raw else ()), *self.refined.values()]
        newest_ns = max(message.t_ns for message in messages)
        oldest_ns = newest_ns - REFINED_STALE_S * 1e9
        self.refined = {person: one for person, one in sorted(self.refined.items()) if one.t_ns >= oldest_ns}
        if self.raw is not None and self.raw.t_ns < oldest_ns:
            self.raw = None
        return int(newest_ns)


class CameraViews:
    """Collects the messages of all cameras.

    Args:
        sizes_px: (width, height) of the images by camera, filled by the caller.
        people: How many are tracked at most.
    """

    def __init__(self, sizes_px: dict[str, tuple[int, int]], people: int = 1) -> None:
        self._sizes_px, self._several = sizes_px, people > 1
        self._views: dict[str, CameraView] = {}

    def add(self, message: Thumbnail | Refined2D) -> None:
        """Adds a received message."""
        view = self._views.setdefault(message.camera, CameraView())
        view.changed = True
        if isinstance(message, Thumbnail):
            view.raw = message
        else:
            view.refined[message.person] = message

    def take(self) -> Iterator[tuple[str, str]]:
        """Yields the name and the 2D poses, as JSON, of every camera that has new ones."""
        for name, view in self._views.items():
            size_px = view.raw.size_px if view.raw else self._sizes_px.get(name)
            if view.changed and size_px is not None:
                view.changed = False
                yield name, _message(name, size_px, view, several=self._several)


def thumbnail_bytes(message: Thumbnail) -> bytes:
    """Returns the binary message of a thumbnail for the page."""
    name = message.camera.encode()
    return bytes((THUMBNAIL, len(name))) + name + message.jpeg


def _message(name: str, size_px: tuple[int, int], view: CameraView, *, several: bool) -> str:
    newest_ns = view.drop_old()
    raw, first = view.raw, next(iter(view.refined.values()), None)
    shown = Keypoints(None if raw is None else _person(raw, first), first)
    people = _people(raw, list(view.refined.values())) if several else None
    return keypoints_message(name, size_px, shown, people, "" if raw is None else raw.landmarks, newest_ns)


def _people(raw: Thumbnail | None, refined: Sequence[Refined2D]) -> list[Keypoints]:
    """Returns all people: each refined pose with the nearest detection, then detections without one."""
    found = [] if raw is None else [np.column_stack([xy, score]) for xy, score in zip(raw.xy, raw.score, strict=True)]
    centres = np.array([_centre(one[:, :2], one[:, 2]) for one in found]).reshape(-1, 2)
    wanted = np.array([one.xy.mean(axis=0) for one in refined]).reshape(-1, 2)
    distance = np.nan_to_num(np.linalg.norm(wanted[:, None] - centres, axis=-1), nan=np.inf)
    nearest: dict[int, int] = {}  # refined pose → detection
    while distance.size and np.isfinite(distance.min()):
        row, column = np.unravel_index(distance.argmin(), distance.shape)
        nearest[int(row)] = int(column)
        distance[row], distance[:, column] = np.inf, np.inf
    people = [Keypoints(found[nearest[row]] if row in nearest else None, one) for row, one in enumerate(refined)]
    return people + [Keypoints(one, None) for index, one in enumerate(found) if index not in nearest.values()]


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
