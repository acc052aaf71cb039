"""Files in one pass: whether the clocks of their cameras agree. They are used as they are; two passes correct them.

Axes: V views.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.pose.sync import Sample
from pose_rig.fusion.synchronisation.camera_track import CameraTrack
from pose_rig.fusion.synchronisation.clock_offsets import LONG_TAKE_S, MIN_TAKE_S, coarse_offsets, correlate
from pose_rig.fusion.synchronisation.clock_signals import RATE_HZ, MovementSignals, movement_signals, sides_exchanged
from pose_rig.wire.messages import Keypoints2D, Message

FIRST_CHECK_NS = 10_000_000_000  # the next ones are twice as late each, and one is at the end
TRACK_NS = 120_000_000_000  # of each file, by which clocks are compared
ALIKE_S = 0.05  # clocks that differ by less
MIN_OFFSET_S = 0.08  # smaller ones are left to the residuals of the solved rig: right clocks of 24 simulated rigs stay
# below 0.02 s in 12 s of movement, those of a person at a desk reach 0.05 s in 10 s and 0.1 s in 3 s
PAIR_MARGIN = 1.25  # of the correlation of two cameras alone, over that with exchanged sides: 1.16 occurs by chance


class ClockCheck:
    """Compares the clocks by the movement of people, as two passes do.

    Args:
        views: How many cameras there are.
        track: Lifts the detections of one of them.
        report: Called with `offsets_to_most`.
        several: Whether they may show several people.
    """

    def __init__(
        self,
        views: int,
        track: Callable[[int, Sequence[Sample]], CameraTrack],
        report: Callable[[Floats], None],
        *,
        several: bool = False,
    ) -> None:
        self._track, self._report, self._several = track, report, several
        self._new: list[list[Sample]] = [[] for _ in range(views)]
        self._tracks = [CameraTrack.empty() for _ in range(views)]
        self._newest_ns: list[int | None] = [None] * views
        self._start_ns: int | None = None
        self._next_ns = FIRST_CHECK_NS  # after the start

    def add(self, view: int, message: Message) -> None:
        """Keeps the detections of a camera."""
        newest_ns = self._newest_ns[view]
        if not isinstance(message, Keypoints2D) or (newest_ns is not None and message.t_ns <= newest_ns):
            return
        self._newest_ns[view] = message.t_ns
        samples = self._new[view]
        samples.append(Sample.from_message(message))
        if samples[0].t_ns < message.t_ns - 2 * TRACK_NS:
            self._new[view] = [sample for sample in samples if sample.t_ns >= message.t_ns - TRACK_NS]

    def step(self, t_ns: int) -> None:
        """Compares the clocks at a time step at which that is due."""
        self._start_ns = t_ns if self._start_ns is None else self._start_ns
        if t_ns - self._start_ns >= self._next_ns:
            self._next_ns *= 2
            self.finish()

    def finish(self) -> None:
        """Compares the clocks by all detections so far."""
        for view, samples in enumerate(self._new):
            if samples:
                track = self._tracks[view].followed_by(self._track(view, samples))
                self._tracks[view] = track.part(samples[-1].t_ns - TRACK_NS)
        self._new = [[] for _ in self._new]
        self._report(offsets_to_most(self._tracks, several=self._several))


def offsets_to_most(tracks: Sequence[CameraTrack], *, several: bool = False) -> Floats:
    """Returns (V,) by how much each clock is clearly behind that of most cameras, s, 0 where it agrees with that.

    NaN where the movement shows nothing.

    Args:
        tracks: (V) what each camera detected.
        several: As in `movement_signals`.
    """
    out, signals = np.full(len(tracks), np.nan), [movement_signals(track, several=several) for track in tracks]
    taken_s = np.array([one.valid.sum() for one in signals]) / RATE_HZ
    views = np.flatnonzero(taken_s >= MIN_TAKE_S)
    while len(views) > 1:
        found = coarse_offsets([signals[view] for view in views])
        needed_s = MIN_OFFSET_S * max(LONG_TAKE_S / taken_s[views].min(), 1.0) ** (1 / 3)
        views, offset_s = views[found.found], found.offset_s[found.found]
        alike = np.abs(offset_s - offset_s[:, None]) < ALIKE_S
        offset_s = offset_s - offset_s[np.argmax(alike.sum(1))] if len(views) else offset_s
        off = np.abs(offset_s) >= needed_s
        mirrored = [_looks_mirrored(signals, view, views) for view in views[off].tolist()]
        if not any(mirrored):
            out[views] = np.where(off, offset_s, 0.0)
            break
        views = np.setdiff1d(views, views[off][mirrored])
    return out


def _looks_mirrored(signals: Sequence[MovementSignals], view: int, views: NDArray[np.int64]) -> bool:
    """Whether exchanged sides explain a view better than another clock: a walk half a cycle later looks alike."""
    exchanged, kept = (
        sum(float(correlate(signals[other], one).curve.max()) for other in views[views != view].tolist())
        for one in (sides_exchanged(signals[view]), signals[view])
    )
    return exchanged * (PAIR_MARGIN if len(views) == 2 else 1.0) > kept
