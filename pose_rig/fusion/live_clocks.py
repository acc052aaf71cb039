"""The clocks of live cameras: found from the movement of people, and followed.

Axes: V views.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.solve_task import SolveTask
from pose_rig.fusion.lifted_track import lifted_track
from pose_rig.fusion.pose.sync import Sample, SampleBuffer
from pose_rig.fusion.rig.background import BackgroundCompute, BackgroundTask
from pose_rig.fusion.rig.camera_properties import CameraProperties
from pose_rig.fusion.rig.consistency import AVERAGING_TIME_S
from pose_rig.fusion.synchronisation.camera_track import CameraTrack
from pose_rig.fusion.synchronisation.clock_steps import OffsetStep
from pose_rig.fusion.synchronisation.live_comparison import (
    MIN_COARSE_CHANGE_S,
    Comparison,
    ComparisonTask,
    compare_clocks,
)
from pose_rig.graph import Engine
from pose_rig.intrinsics import Intrinsics
from pose_rig.skeleton import Landmarks
from pose_rig.wire.records import Learned

TRACK_NS = 20_000_000_000  # of each camera, by which clocks are compared
INTERVALS_NS = (1_000_000_000, 3_000_000_000)  # between comparisons, until every clock is confirmed, and then
CHECK_AFTER_S = 0.7  # of disagreement, for which a step of the clock is searched
CHECK_WINDOW_NS = 2_500_000_000
CHECK_INTERVAL_NS = 400_000_000  # a step is used when a second comparison confirms it, too
MAX_STEP_DIFFERENCE_S, MAX_STEP_AGE_NS = 0.08, 4_000_000_000  # of the two; it is refined later
MAX_CHECK_S = 3.0  # a camera that disagrees for longer was moved, checked or not,
CONFIRMING_S = 0.5  # unless a step was found that is to be confirmed, for which there is so much time
REFINED_NS = 4_500_000_000  # after a step, during which later detections refine it
ADJUST_INTERVALS_NS = (2_500_000_000, 20_000_000_000)  # doubled from the one to the other while nothing changes,
SLOW_GROWTH = 1.35  # multiplied by this while some clocks are not confirmed
NEVER_NS = -(1 << 60)
CONFIRMED_SD_S = 0.007
MIN_ADJUSTED_NS = 6_000_000_000  # of keyframes


class LiveClocks:
    """Compares the clocks in the background.

    Args:
        views: How many cameras there are.
        engine: Lifts their detections.
        background: Where that runs.
        several: Whether they may show several people.

    Attributes:
        sd_s: (V,) standard deviations of the offsets, NaN where they are not known.
        confirmed: (V,) whether the bundle adjustment has confirmed them.
    """

    def __init__(self, views: int, engine: Engine, background: BackgroundCompute, *, several: bool = False) -> None:
        self._engine, self._background, self._several = engine, background, several
        self._comparing: BackgroundTask[tuple[list[CameraTrack], Comparison]] = BackgroundTask(background)
        self._new: list[list[Sample]] = [[] for _ in range(views)]  # by the clocks of the cameras
        self._formats: list[tuple[str, tuple[int, int]]] = [("", (1, 1))] * views
        self._newest_ns = [-1] * views
        self._tracks = [CameraTrack.empty() for _ in range(views)]
        self._started_ns = self._adjusted_ns = self._checking_ns = NEVER_NS
        self._checked_ns = np.full(views, NEVER_NS)  # when each camera was last found not to have stepped
        self._adjust_interval_ns = ADJUST_INTERVALS_NS[0]
        self._agrees, self._known, self._changes = np.zeros(views, bool), np.zeros(views, bool), 0
        self._adjusted = np.zeros(views, bool)  # of which cameras
        self._coarse_s = np.full(views, np.nan)
        self._step: tuple[int, OffsetStep] | None = None  # found once, and when
        self._recent: OffsetStep | None = None  # in use, and refined
        self._offset_s = np.zeros(views)  # of the comparison that was started last
        self.sd_s, self.confirmed = np.full(views, np.nan), np.zeros(views, bool)

    @property
    def busy(self) -> bool:
        """Whether a comparison is running or its result was not taken."""
        return self._comparing.busy

    def collect(self, buffers: Sequence[SampleBuffer]) -> None:
        """Takes the new samples of each camera."""
        for view, buffer in enumerate(buffers):
            if self._formats[view] != (buffer.landmarks, buffer.size_px):  # the camera was started again
                self._formats[view] = (buffer.landmarks, buffer.size_px)
                self._new[view], self._tracks[view] = [], CameraTrack.empty()
            for sample in buffer.since(buffer.clock.rig_ns(self._newest_ns[view])):
                self._newest_ns[view] = round(buffer.clock.camera_ns(sample.t_ns))
                self._new[view].append(replace(sample, t_ns=self._newest_ns[view]))
            while self._new[view] and self._new[view][0].t_ns < self._newest_ns[view] - TRACK_NS:
                del self._new[view][0]

    def unchecked(self, t_ns: int, inconsistent_s: Floats) -> NDArray[np.bool_]:
        """Returns (V,) which cameras disagree for reasons that may be their clock: that was not checked yet.

        Args:
            t_ns: Time.
            inconsistent_s: (V,) for how long each camera has disagreed.
        """
        checked_s = (self._checked_ns - t_ns) * 1e-9 + inconsistent_s
        confirming = self._step is not None
        limit_s = MAX_CHECK_S + CONFIRMING_S * confirming
        undecided = (checked_s < CHECK_AFTER_S) | confirming
        return np.asarray((inconsistent_s > 0) & (inconsistent_s < limit_s) & undecided)

    def start(
        self,
        t_ns: int,
        offset_s: Floats,
        inconsistent_s: Floats,
        cameras: CameraProperties,
        solve: SolveTask | None,
        changes: int = 0,
    ) -> None:
        """Starts a comparison if one is due.

        Args:
            t_ns: Time.
            offset_s: (V,) rig time minus camera time, as applied.
            inconsistent_s: (V,) for how long each camera of a solved rig has disagreed.
            cameras: Their landmark sets, image sizes and assumed focal lengths.
            solve: The task of solving the rig; None until it is solved.
            changes: `Calibrator.changes`, of its keyframes.
        """
        disagree_s = float(inconsistent_s.max(initial=0.0))
        known = np.zeros(len(inconsistent_s), bool) if solve is None else solve.known
        interval_ns = INTERVALS_NS[int(known.any() and bool(self.confirmed[known].all()))]
        urgent = bool((self.unchecked(t_ns, inconsistent_s) & (inconsistent_s >= CHECK_AFTER_S)).any())
        urgent = urgent or self._step is not None
        if self._comparing.busy or t_ns - self._started_ns < (CHECK_INTERVAL_NS if urgent else interval_ns):
            return
        self._started_ns = self._checking_ns = t_ns
        self._offset_s, self._known, self._changes = offset_s, known, changes
        self._agrees = known & (inconsistent_s == 0)
        steps = bool((self.confirmed & known).any())
        window_ns = CHECK_WINDOW_NS  # a step is confirmed, too, from as much as there is
        if disagree_s >= CHECK_AFTER_S and self._step is None:
            window_ns = min(window_ns, round((disagree_s + AVERAGING_TIME_S) * 1e9))
        adjust = solve is not None and self._adjustment_due(t_ns, solve)
        if self._recent is not None and t_ns - self._recent.from_ns > REFINED_NS:
            self._recent = None
        task = ComparisonTask(
            tracks=(),
            offset_s=offset_s,
            unsure=~self.confirmed | ~known,
            agrees=self._agrees,
            coarse_s=self._coarse_s,
            solve=solve,
            adjust=adjust,
            step_ns=(t_ns - window_ns, t_ns) if steps else None,
            refines=self._recent if steps else None,
            several=self._several,
        )
        intrinsics = [cameras.intrinsics.at(np.array([view])) for view in range(len(self._new))]
        formats = (tuple(cameras.landmarks), intrinsics)
        new, self._new = self._new, [[] for _ in self._new]
        self._comparing.start(_compare, self._engine, self._background.run, self._tracks, new, formats, task)

    def take(self, changes: int = 0) -> Comparison | None:
        """Returns the result of a comparison once, when it is finished; ``changes`` as in `start`."""
        result = self._comparing.take()
        if result is None:
            return None
        self._tracks, found = result
        if found.adjusted:
            self._adjusted_ns, self._adjusted = self._started_ns, self._known
        if found.keyframes is not None and changes != self._changes:  # they are no longer those of the rig
            self._adjusted_ns = NEVER_NS
            found = Comparison(self._offset_s, np.full(len(self.sd_s), np.nan), found.coarse_s)
        found = self._confirmed_step(found)
        self._coarse_s = found.coarse_s
        if self._step is None:
            undecided = False if found.undecided is None else found.undecided & self.confirmed
            self._checked_ns = np.where(undecided, self._checked_ns, self._checking_ns)
        if found.step is not None:
            view = found.step.view
            change_ns = round(found.step.change_s * 1e9)
            before_ns = found.step.from_ns - (found.offset_s[view] - found.step.change_s) * 1e9
            self._tracks[view] = self._tracks[view].moved(before_ns, -change_ns)
            self.confirmed[view] = False
            self._recent = found.step
        if (found.offset_s != self._offset_s).any():
            self._adjust_interval_ns = ADJUST_INTERVALS_NS[0]
            if not found.adjusted:
                self._adjusted_ns = NEVER_NS
        elif found.adjusted:
            growth = 2.0 if self.confirmed[self._known].all() else SLOW_GROWTH
            self._adjust_interval_ns = min(round(growth * self._adjust_interval_ns), ADJUST_INTERVALS_NS[1])
        trusted = self._agrees | (found.offset_s != self._offset_s)
        self.sd_s = np.where(np.isfinite(found.sd_s) & trusted, found.sd_s, self.sd_s)
        if found.adjusted:
            self.confirmed |= (found.sd_s < CONFIRMED_SD_S) & self._agrees & self._is_supported(found)
        return found

    def _is_supported(self, found: Comparison) -> NDArray[np.bool_]:
        """Returns (V,) whose offsets are not those of a pair alone: two views may agree with clocks far off."""
        supported = np.abs(np.nan_to_num(found.coarse_s - found.offset_s, nan=np.inf)) < MIN_COARSE_CHANGE_S
        return np.asarray(supported | (self._known.sum() > 2))

    def _confirmed_step(self, found: Comparison) -> Comparison:
        """Returns a result without its step, if that is not the second of its kind."""
        before, self._step = self._step, None
        if found.step is None or self._refines(found.step):
            return found
        if before is not None and before[1].view == found.step.view:
            recent = self._checking_ns - before[0] < MAX_STEP_AGE_NS
            if recent and abs(before[1].change_s - found.step.change_s) < MAX_STEP_DIFFERENCE_S:
                return replace(found, step=replace(found.step, from_ns=min(found.step.from_ns, before[1].from_ns)))
        self._step = (self._checking_ns, found.step)
        return Comparison(self._offset_s, np.full(len(self.sd_s), np.nan), self._coarse_s)

    def _refines(self, step: OffsetStep) -> bool:
        recent = self._recent
        return recent is not None and (recent.view, recent.from_ns) == (step.view, step.from_ns)

    def used_results(self) -> list[Learned]:
        """Returns which results were taken since this was last called."""
        return [Learned(work="clocks", asked=asked) for asked in self._comparing.taken()]

    def expect(self, result: Learned) -> None:
        """Adds when a result was taken in the run that is replayed."""
        self._comparing.expect(result.asked)

    def _adjustment_due(self, t_ns: int, solve: SolveTask) -> bool:
        frames = solve.keyframes
        span_ns = frames[-1].t_ns - frames[0].t_ns if frames else 0
        new = bool((solve.known & ~self._adjusted & ~self.confirmed).any())
        interval_ns = ADJUST_INTERVALS_NS[0] if new else self._adjust_interval_ns
        return span_ns >= MIN_ADJUSTED_NS and t_ns - self._adjusted_ns >= interval_ns


def _compare(
    engine: Engine,
    run: Callable[..., Comparison],
    tracks: Sequence[CameraTrack],
    new: Sequence[Sequence[Sample]],
    formats: tuple[Sequence[Landmarks | None], Sequence[Intrinsics]],
    task: ComparisonTask,
) -> tuple[list[CameraTrack], Comparison]:
    """Returns the tracks with new samples, and the comparison of the clocks."""
    grown = []
    for track, samples, marks, intrinsics in zip(tracks, new, *formats, strict=True):
        if samples and marks is not None:
            later = lifted_track(samples, marks, intrinsics, engine)
            grown.append(track.followed_by(later).part(samples[-1].t_ns - TRACK_NS))
        else:
            grown.append(track)
    return grown, run(compare_clocks, replace(task, tracks=grown))
