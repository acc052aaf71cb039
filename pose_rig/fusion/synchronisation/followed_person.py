"""The person of the keyframes in every frame of one camera, and their keypoints at evenly spaced times.

Axes: F frames, T times, P points (`segments.POINTS`), J = 17 joints.
"""

from collections.abc import Sequence
from dataclasses import dataclass

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
    keyframe_ns = np.array([clock.camera_ns(keyframe.t_ns) for keyframe in used])
    edges = np.flatnonzero(np.diff(track.t_ns, prepend=-1, append=np.iinfo(np.int64).max))
    t_ns: list[int] = []
    found: list[tuple[Floats, NDArray[np.bool_]]] = []
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        time = int(track.t_ns[start])
        nearest = int(np.argmin(np.abs(keyframe_ns - time))) if used else 0
        person = None
        if used and abs(keyframe_ns[nearest] - time) < NEAR_KEYFRAME_NS:
            keyframe = used[nearest]
            person = same_person(track, np.arange(start, end), keyframe.xy_px[view], keyframe.score[view] > 0)
        elif found and time - t_ns[-1] < MAX_GAP_NS:
            person = same_person(track, np.arange(start, end), *found[-1])
        if person is not None:
            t_ns.append(time)
            found.append(person)
    if not found:
        return FollowedPerson(np.zeros(0, np.int64), np.zeros((0, J, 2)), np.zeros((0, J), bool))
    xy_px, visible = zip(*found, strict=True)
    return FollowedPerson(np.array(t_ns, np.int64), np.stack(xy_px), np.stack(visible))


def same_person(
    track: CameraTrack, people: NDArray[np.int64], reference_px: Floats, visible: NDArray[np.bool_]
) -> tuple[Floats, NDArray[np.bool_]] | None:
    """Returns the joints (J,2) of the detection nearest to a reference (J,2), with its sides, and (J,) which are known.

    None if there is none near it.
    """
    score = np.concatenate([track.score[people], track.score[people][:, list(MIRROR)]]) > 0
    candidates = np.concatenate([track.xy_px[people], track.xy_px[people][:, list(MIRROR)]])
    both = score & visible
    if not both.any():
        return None
    size = max(float(np.ptp(reference_px[visible], axis=0).max()), 1.0)
    distance = np.where(both, np.linalg.norm(candidates - reference_px, axis=-1), 0.0).sum(1) / both.sum(1).clip(1)
    distance = np.where(2 * both.sum(1) >= visible.sum(), distance, np.inf) / size
    best = int(np.argmin(distance))
    return (candidates[best], score[best]) if distance[best] < MAX_PERSON_DISTANCE else None


def movement(person: FollowedPerson, camera_s: Floats) -> Movement:
    """Returns the keypoints at evenly spaced times (T,) of the camera, `GRID_HZ` apart."""
    shape = (len(camera_s), len(POINTS))
    xy_px, velocity_px, visible = np.zeros((*shape, 2)), np.zeros((*shape, 2)), np.zeros(shape, bool)
    value, derivative = _kernels()
    for point, joint in enumerate(POINTS):
        known = person.visible[:, joint]
        times = person.t_ns[known] * 1e-9
        if len(times) < MIN_DETECTIONS:
            continue
        after = np.clip(np.searchsorted(times, camera_s), 1, len(times) - 1)
        covered = (times[after] - times[after - 1]) * 1e9 < MAX_GAP_NS
        covered &= (camera_s >= times[0]) & (camera_s <= times[-1])
        visible[:, point] = np.convolve(covered, np.ones(len(value)), "same") > len(value) - 0.5
        for axis in range(2):
            line = np.interp(camera_s, times, person.xy_px[known, joint, axis])
            xy_px[:, point, axis] = np.convolve(line, value, "same")
            velocity_px[:, point, axis] = np.convolve(line, derivative, "same")
    return Movement(xy_px, velocity_px, visible)


def _kernels() -> tuple[Floats, Floats]:
    """Returns a Gaussian and its derivative, normalised."""
    reach = round(3 * SMOOTHING_S * GRID_HZ)
    time = np.arange(-reach, reach + 1) / GRID_HZ
    weight = np.exp(-0.5 * (time / SMOOTHING_S) ** 2)
    return weight / weight.sum(), -time * weight / (time**2 * weight).sum()
