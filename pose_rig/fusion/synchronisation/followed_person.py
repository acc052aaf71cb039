"""The person of the keyframes in every frame of one camera, and their keypoints at evenly spaced times.

Axes: F frames, T times, P points (`segments.POINTS`), J = 17 joints.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle.segments import POINTS
from pose_rig.fusion.calibration.keyframes import Keyframe
from pose_rig.fusion.synchronisation.camera_clock import CameraClock
from pose_rig.fusion.synchronisation.camera_track import CameraTrack
from pose_rig.skeleton import MIRROR, J

MAX_PERSON_DISTANCE = 0.25  # person sizes, of a detection from where the person was: others are other people
NEAR_KEYFRAME_NS = 100_000_000  # a detection as near as that is compared with the keyframe,
MAX_GAP_NS = 200_000_000  # another one with the last detection, unless that is older than this
GRID_HZ = 50.0
SMOOTHING_S = 0.02  # standard deviation of the Gaussian by which positions are averaged
MIN_DETECTIONS = 3
_REACH = round(3 * SMOOTHING_S * GRID_HZ)
_AROUND = np.ones(2 * _REACH + 1)


@dataclass(frozen=True, slots=True)
class FollowedPerson:
    """One person in the frames of a camera.

    Attributes:
        t_ns: (F,) timestamps, clock of the camera.
        xy_px: (F,J,2), sides as in the keyframes.
        visible: (F,J).
    """

    t_ns: NDArray[np.int64]
    xy_px: Floats
    visible: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Movement:
    """Keypoints at some times.

    Attributes:
        xy_px: (T,P,2), velocity_px: (T,P,2) px per s.
        visible: (T,P) whether there are detections all around that time.
    """

    xy_px: Floats
    velocity_px: Floats
    visible: NDArray[np.bool_]


def follow(track: CameraTrack, keyframes: Sequence[Keyframe], view: int, clock: CameraClock) -> FollowedPerson:
    """Returns the person of the keyframes, which were made with a clock, from frame to frame."""
    used = [keyframe for keyframe in keyframes if keyframe.weight[view] > 0]
    edges = np.flatnonzero(np.diff(track.t_ns, prepend=-1, append=np.iinfo(np.int64).max))
    keyframe_ns = np.array([clock.camera_ns(keyframe.t_ns) for keyframe in used])
    nearest = _nearest(keyframe_ns, track.t_ns[edges[:-1]], NEAR_KEYFRAME_NS)
    sides = _steps_of_one(track)
    found: list[_Detection] = []
    for frame, (start, end) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)):
        last, person = found[-1] if found else None, None
        if nearest[frame] >= 0:
            keyframe = used[nearest[frame]]
            person = _nearest_detection(track, start, end, keyframe.xy_px[view], keyframe.score[view] > 0)
        elif last is not None and track.t_ns[start] - track.t_ns[last.row] < MAX_GAP_NS:
            if end == start + 1 and last.row == start - 1 and sides[start] != SEVERAL:
                side = sides[start]
                person = None if side == NOT_SAME else _Detection(start, last.exchanged ^ (side == EXCHANGED))
            else:
                person = _nearest_detection(track, start, end, *last.joints(track))
        if person is not None:
            found.append(person)
    rows = np.array([one.row for one in found], np.int64)
    exchanged = np.array([one.exchanged for one in found], bool)[:, None]
    xy_px, visible = track.xy_px[rows], track.score[rows] > 0
    mirror = list(MIRROR)
    xy_px = np.where(exchanged[..., None], xy_px[:, mirror], xy_px)
    return FollowedPerson(track.t_ns[rows], xy_px, np.where(exchanged, visible[:, mirror], visible))


class _Detection(NamedTuple):
    """A detection of a track, and whether its sides are exchanged."""

    row: int
    exchanged: bool

    def joints(self, track: CameraTrack) -> tuple[Floats, NDArray[np.bool_]]:
        """Returns its joints (J,2), and (J,) which are known."""
        order = list(MIRROR) if self.exchanged else slice(None)
        return track.xy_px[self.row][order], track.score[self.row][order] > 0


def _nearest(keyframe_ns: NDArray[np.float64], t_ns: NDArray[np.int64], within_ns: int) -> NDArray[np.int64]:
    """Returns (F,) the nearest keyframe of every frame, -1 if none is near enough."""
    if not len(keyframe_ns):
        return np.full(len(t_ns), -1)
    order = np.argsort(keyframe_ns, kind="stable")
    after = np.clip(np.searchsorted(keyframe_ns[order], t_ns), 1, max(len(order) - 1, 1))
    before, after = order[after - 1], order[np.minimum(after, len(order) - 1)]
    nearest = np.where(np.abs(keyframe_ns[before] - t_ns) <= np.abs(keyframe_ns[after] - t_ns), before, after)
    return np.where(np.abs(keyframe_ns[nearest] - t_ns) < within_ns, nearest, -1)


SAME, EXCHANGED, NOT_SAME, SEVERAL = range(4)


def _steps_of_one(track: CameraTrack) -> NDArray[np.int64]:
    """Returns (C,) how each detection follows on the one before, as `_nearest_detection` finds it.

    That is with the same sides or exchanged ones, or not; `SEVERAL` where one of the two is not alone in its frame.
    """
    out = np.full(len(track.t_ns), SEVERAL)
    if len(out) < 2:
        return out
    reference, visible = track.xy_px[:-1], track.score[:-1] > 0
    size = _size_px(reference, visible)
    distance = np.stack(
        [
            _distances(track.xy_px[1:][:, order], track.score[1:][:, order] > 0, reference, visible) / size
            for order in (list(range(J)), list(MIRROR))
        ]
    )
    new = np.diff(track.t_ns, prepend=-1) > 0
    alone = new & np.append(new[1:], True)
    step = np.where(distance.min(0) < MAX_PERSON_DISTANCE, np.argmin(distance, 0), NOT_SAME)
    out[1:] = np.where(alone[1:] & alone[:-1], step, SEVERAL)
    return out


def _size_px(reference: Floats, visible: NDArray[np.bool_]) -> Floats:
    """Returns (...) the larger side of the bounding boxes of joints (...,J,2)."""
    high, low = (np.where(visible[..., None], reference, far) for far in (-np.inf, np.inf))
    side = np.where(visible.any(-1, keepdims=True), high.max(-2) - low.min(-2), 0.0)
    return np.asarray(np.maximum(side.max(-1), 1.0))


def _distances(xy_px: Floats, known: NDArray[np.bool_], reference_px: Floats, visible: NDArray[np.bool_]) -> Floats:
    """Returns (...) mean distances, px, of the joints (...,J,2) that both have, inf with less than half of them."""
    both = known & visible
    count = both.sum(-1)
    mean = np.where(both, np.linalg.norm(xy_px - reference_px, axis=-1), 0.0).sum(-1) / np.maximum(count, 1)
    return np.where((count > 0) & (2 * count >= visible.sum(-1)), mean, np.inf)


def _nearest_detection(
    track: CameraTrack, start: int, end: int, reference_px: Floats, visible: NDArray[np.bool_]
) -> _Detection | None:
    """Returns the detection of a frame, from ``start`` to ``end``, that is nearest to a reference; None if none is."""
    mirror = list(MIRROR)
    xy_px, known = track.xy_px[start:end], track.score[start:end] > 0
    candidates, known = np.concatenate([xy_px, xy_px[:, mirror]]), np.concatenate([known, known[:, mirror]])
    distance = _distances(candidates, known, reference_px, visible)
    best = int(np.argmin(distance))
    if distance[best] >= MAX_PERSON_DISTANCE * _size_px(reference_px, visible):
        return None
    return _Detection(start + best % (end - start), best >= end - start)


def same_person(
    track: CameraTrack, people: NDArray[np.int64], reference_px: Floats, visible: NDArray[np.bool_]
) -> tuple[Floats, NDArray[np.bool_]] | None:
    """Returns the joints (J,2) of the detection nearest to a reference (J,2), with its sides, and (J,) which are known.

    None if there is none near it. The detections ``people`` are those of one frame.
    """
    found = _nearest_detection(track, int(people[0]), int(people[-1]) + 1, reference_px, visible)
    return None if found is None else found.joints(track)


def movement(person: FollowedPerson, camera_s: Floats, blocks: int = 1) -> Movement:
    """Returns the keypoints at times (T,) of the camera, in blocks of equally many; in a block `GRID_HZ` apart."""
    shape = (len(camera_s), len(POINTS))
    xy_px, velocity_px, visible = np.zeros((*shape, 2)), np.zeros((*shape, 2)), np.zeros(shape, bool)
    value, derivative, around = (_band(kernel, len(camera_s) // blocks) for kernel in (*_kernels(), _AROUND))
    for point, joint in enumerate(POINTS):
        known = person.visible[:, joint]
        times = person.t_ns[known] * 1e-9
        if len(times) < MIN_DETECTIONS:
            continue
        after = np.clip(np.searchsorted(times, camera_s), 1, len(times) - 1)
        covered = (times[after] - times[after - 1]) * 1e9 < MAX_GAP_NS
        covered &= (camera_s >= times[0]) & (camera_s <= times[-1])
        visible[:, point] = (covered.reshape(blocks, -1) @ around).ravel() > len(_AROUND) - 0.5
        for axis in range(2):
            line = np.interp(camera_s, times, person.xy_px[known, joint, axis]).reshape(blocks, -1)
            xy_px[:, point, axis], velocity_px[:, point, axis] = (line @ value).ravel(), (line @ derivative).ravel()
    return Movement(xy_px, velocity_px, visible)


def _band(kernel: Floats, count: int) -> Floats:
    """Returns the matrix (T,T) by which a row of ``count`` values is convolved with a kernel, zero outside."""
    reach = len(kernel) // 2
    offset = np.arange(count) - np.arange(count)[:, None]
    return np.where(np.abs(offset) <= reach, kernel[np.clip(offset + reach, 0, len(kernel) - 1)], 0.0)


def _kernels() -> tuple[Floats, Floats]:
    """Returns a Gaussian and its derivative, normalised."""
    time = np.arange(-_REACH, _REACH + 1) / GRID_HZ
    weight = np.exp(-0.5 * (time / SMOOTHING_S) ** 2)
    return weight / weight.sum(), -time * weight / (time**2 * weight).sum()
