"""The people in the frames of one camera, each followed from frame to frame.

Axes: C detections.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.synchronisation.camera_track import CameraTrack

MAX_GAP_S = 0.2  # longer gaps are not interpolated
MAX_PERSON_STEP = 0.5  # person sizes between frames; a larger one is another person


def main_person(track: CameraTrack) -> NDArray[np.int64]:
    """Returns the detections of the largest person, one per frame, who is followed from frame to frame."""
    size, centre = track.size_px, track.xy_px[:, 0]
    chosen: list[int] = []
    for start, end in _frames(track):
        best = start + int(np.argmax(size[start:end]))
        if chosen and track.t_ns[start] - track.t_ns[chosen[-1]] < MAX_GAP_S * 1e9:
            step = np.linalg.norm(centre[start:end] - centre[chosen[-1]], axis=-1) / size[chosen[-1]]
            best = start + int(np.argmin(step)) if step.min() < MAX_PERSON_STEP else best
        chosen.append(best)
    return np.array(chosen, np.int64)


def people_in_view(track: CameraTrack) -> list[NDArray[np.int64]]:
    """Returns the detections of each person, at most one per frame; who is lost for `MAX_GAP_S` is another one then."""
    size, centre = track.size_px, track.xy_px[:, 0]
    gone: list[list[int]] = []
    people: list[list[int]] = []
    for start, end in _frames(track):
        recent = [track.t_ns[start] - track.t_ns[person[-1]] < MAX_GAP_S * 1e9 for person in people]
        gone += [person for person, here in zip(people, recent, strict=True) if not here]
        people = [person for person, here in zip(people, recent, strict=True) if here]
        last = np.array([person[-1] for person in people], np.int64)
        step = np.linalg.norm(centre[start:end] - centre[last][:, None], axis=-1) / size[last][:, None]
        followed = _nearest_first(step)
        new = np.setdiff1d(np.arange(end - start), [detection for _, detection in followed])
        for person, detection in followed:
            people[person].append(start + detection)
        people += [[start + detection] for detection in new.tolist()]
    return [np.array(person, np.int64) for person in gone + people]


def _frames(track: CameraTrack) -> list[tuple[int, int]]:
    """Returns the first detection of every frame, and the one after its last."""
    edges = np.flatnonzero(np.diff(track.t_ns, prepend=-1, append=np.iinfo(np.int64).max)).tolist()
    return list(pairwise(edges))


def _nearest_first(step: Floats) -> list[tuple[int, int]]:
    """Returns pairs of a person and a detection, nearest ones first, given how far apart (people, detections) are."""
    pairs: list[tuple[int, int]] = []
    left = step.copy()
    while left.size and left.min() < MAX_PERSON_STEP:
        person, detection = np.unravel_index(int(np.argmin(left)), left.shape)
        pairs.append((int(person), int(detection)))
        left[person], left[:, detection] = np.inf, np.inf
    return pairs
