"""Keyframes at other clocks.

Axes: V views, J = 17 joints.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.keyframes import Keyframe
from pose_rig.fusion.synchronisation.camera_clock import CameraClock
from pose_rig.fusion.synchronisation.camera_track import CameraTrack
from pose_rig.fusion.synchronisation.followed_person import same_person
from pose_rig.skeleton import J

WINDOW_NS, WINDOW_PERIODS = 45_000_000, 1.1  # of the fit of a trajectory, to each side; the larger one counts


def resampled(
    keyframes: Sequence[Keyframe],
    tracks: Sequence[CameraTrack],
    before: Sequence[CameraClock],
    clocks: Sequence[CameraClock],
) -> list[Keyframe]:
    """Returns the keyframes with the keypoints at other clocks.

    Args:
        keyframes: Made with the clocks ``before`` (V).
        tracks: (V) what each camera detected.
        before: (V) see above.
        clocks: (V) the new clocks.
    """
    out: list[Keyframe] = []
    for keyframe in keyframes:
        xy_px, weight = keyframe.xy_px.copy(), keyframe.weight.copy()
        for view, track in enumerate(tracks):
            if weight[view] > 0 and clocks[view] != before[view]:
                times = clocks[view].camera_ns(keyframe.t_ns), before[view].camera_ns(keyframe.t_ns)
                found = _position(track, *times, keyframe.xy_px[view], keyframe.score[view] > 0)
                if found is None:
                    weight[view] = 0.0
                else:
                    xy_px[view] = found
        out.append(replace(keyframe, xy_px=xy_px, weight=weight))
    return out


def _position(
    track: CameraTrack, t_ns: float, before_ns: float, reference_px: Floats, visible: NDArray[np.bool_]
) -> Floats | None:
    """Returns the joints (J,2) of a person at a time, by a local parabola; None without detections.

    Args:
        track: Of the camera.
        t_ns: The time, clock of the camera.
        before_ns: The time of ``reference_px``.
        reference_px: (J,2) the person.
        visible: (J,) which joints of the person are known.
    """
    window_ns = max(WINDOW_NS, WINDOW_PERIODS * track.period_ns)
    then = np.arange(*track.near(before_ns, window_ns).indices(len(track.t_ns)))
    start = same_person(track, then, reference_px, visible) if len(then) else None
    if start is None:
        return None
    near = np.arange(*track.near(t_ns, window_ns).indices(len(track.t_ns)))
    times, chosen = [], []
    for time in np.unique(track.t_ns[near]):
        found = same_person(track, near[track.t_ns[near] == time], start[0], visible)
        if found is not None and found[1][visible].all():
            times.append((int(time) - t_ns) * 1e-9)
            chosen.append(found[0])
    if len(times) < 2 or min(times) > 0 or max(times) < 0:
        return None
    basis = np.vander(np.array(times), min(len(times), 3), increasing=True)
    return np.asarray((np.linalg.pinv(basis)[0] @ np.stack(chosen).reshape(len(times), -1)).reshape(J, 2))
