"""Files in two passes: the first one solves the rig, and finds the clocks of the cameras, for the second one.

Where clocks differ, the first pass is repeated with those found so far:

| clocks | found from | of cameras | kept |
|---|---|---|---|
| coarse | movement signals, which need no rig | all | unless the camera then disagrees with the others |
| searched | resection at all lags | unclear or disagreeing, not confirmed by reprojection | if exactly one lag fits |
| fine | reprojection errors | all | if they differ significantly (`fine_clocks`) |
| none of these | | that disagree with the others | the camera is left out |

Axes: V views.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.keyframes import KEYFRAME_INTERVAL_NS
from pose_rig.fusion.camera_inputs import CameraInputs, MessageSource
from pose_rig.fusion.clocks import FileClock
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.message_file import MessageFile
from pose_rig.fusion.people_at_start import follow_to_start
from pose_rig.fusion.pose.sync import Sample
from pose_rig.fusion.rig.consistency import MIN_AGREEMENT
from pose_rig.fusion.synchronisation.camera_clocks import CameraClocks, coarse_clocks, described, fine_clocks
from pose_rig.fusion.synchronisation.camera_track import CameraTrack
from pose_rig.fusion.synchronisation.clock_adjustment import AdjustedClocks, adjust_clocks
from pose_rig.fusion.synchronisation.clock_offsets import CoarseOffsets, coarse_offsets
from pose_rig.fusion.synchronisation.clock_rates import coarse_rates
from pose_rig.fusion.synchronisation.clock_search import search_offset
from pose_rig.fusion.synchronisation.clock_signals import movement_signals
from pose_rig.fusion.time_steps import TimeSteps, time_steps
from pose_rig.wire.jobs import Stop
from pose_rig.wire.messages import Health, Keypoints2D, Message

MAX_ROUNDS = 3  # of the first pass, with better clocks in each
REPEAT_ABOVE_S = 0.03  # clocks that change by more have cost keypoints: the first pass is repeated
LESS_AGREEMENT = 0.1  # with clear offsets, than with the given clocks; a rig that is solved badly varies by as much
MAX_TRACK_NS = 600_000_000_000  # of each file, by which clocks are compared


class PassOutput(Protocol):
    """Where the first pass reports."""

    def forward(self, view: int, message: Message) -> None:
        """Publishes the health of a camera."""

    def reject(self, reason: str) -> None:
        """Counts a message or a time step that could not be used."""

    def report(self) -> None:
        """Publishes the state of the rig now and then."""


class TwoPasses:
    """The first pass over the messages of all cameras, and what it leaves to the second one.

    Args:
        names: (V) of the cameras.
        files: (V) empty; keep the messages.
        estimator: Solves the rig.
        output: Where health and rejected messages are reported.
        stop: Ends the pass.
        steps: Computes its time steps.
    """

    def __init__(
        self,
        names: Sequence[str],
        files: Sequence[MessageFile],
        estimator: Estimator,
        output: PassOutput,
        stop: Stop,
        steps: TimeSteps = time_steps,
    ) -> None:
        self._steps = steps
        self._names, self._files = names, files
        self._estimator, self._output, self._stop = estimator, output, stop
        self._frames = [0] * len(files)
        self._seen = np.zeros(len(files), bool)  # (V,) whether a camera ever shows a person
        self._still = False  # whether no camera counted as moved in the last first pass
        self._last_adjusted: tuple[NDArray[np.bool_], AdjustedClocks | None] | None = None

    @property
    def frames(self) -> int:
        """How many frames the longest file has, as far as it was read."""
        return max(self._frames)

    def first(self, sources: Sequence[MessageSource]) -> None:
        """Fuses the messages of all cameras, and keeps them."""

        def store(view: int, message: Message) -> None:
            self._files[view].add(message)
            self._frames[view] += isinstance(message, Keypoints2D)
            if isinstance(message, Health):
                self._output.forward(view, message)

        self._fuse(CameraInputs(self._names, sources, accept=store, reject=self._output.reject))

    def inputs(self, accept: Callable[[int, Message], None] = lambda view, message: None) -> CameraInputs:
        """Returns the messages once more, at the clocks that were found."""
        for file in self._files:
            file.rewind()
        return CameraInputs(self._names, self._files, accept=accept, clocks=self._estimator.clocks.by_camera)

    def solve(self) -> None:
        """Solves the rig and the clocks of its cameras, and leaves the estimator with both.

        A camera whose clock is not found, and which disagrees with the others, is left out; one that never shows a
        person is ignored.
        """
        estimator = self._estimator
        tracks = [self._track(view) for view in range(len(self._files))]
        self._seen = np.array([len(track.t_ns) > 0 for track in tracks])
        found = self._found(tracks)
        spans_ns = [(int(track.t_ns[0]), int(track.t_ns[-1])) if len(track.t_ns) else None for track in tracks]
        left_out = [name for name, out in zip(self._names, estimator.left_out.tolist(), strict=True) if out]
        estimator.set_clocks(described(found, self._names, spans_ns, left_out), tracks)
        keyframes = estimator.solve_task().keyframes
        estimator.fix_cameras()
        if estimator.may_show_several and estimator.mode == "solved":
            follow_to_start(self.inputs(), estimator, keyframes, self._stop)

    def _found(self, tracks: Sequence[CameraTrack]) -> CameraClocks:
        """Returns the clocks, after first passes with them."""
        estimator = self._estimator
        movements = [movement_signals(track, several=estimator.may_show_several) for track in tracks]
        signals = coarse_offsets(movements)
        coarse = self._coarse(coarse_clocks(signals, coarse_rates(movements, signals)), signals.found)
        self._keep_still()
        coarse = self._searched(coarse, signals, tracks)
        ambiguous = signals.ambiguous & ~np.isfinite(coarse.sd_s)
        found = self._fine(coarse, ambiguous, tracks)
        spoiling = self._spoiling(found)
        if spoiling.any():
            self._repeat(found, estimator.left_out | spoiling)
            found = self._fine(coarse, ambiguous, tracks)
        return found

    def _coarse(self, coarse: CameraClocks, clear: NDArray[np.bool_]) -> CameraClocks:
        """Returns the clocks that the movement signals support, after a first pass with them; (V,) are ``clear``."""
        estimator = self._estimator
        if coarse.near(estimator.clocks, 0.0):
            return coarse
        before, was_solved = self._agreement(), estimator.mode == "solved"
        self._repeat(coarse)
        wrong = self._disagreeing() & (~clear | was_solved & (self._agreement() < before - LESS_AGREEMENT))
        if estimator.mode != "solved":
            wrong = ~clear | was_solved
        wrong = wrong & ((coarse.offset_s != 0) | (coarse.rates != 1.0))
        if wrong.any():
            coarse = coarse.without(wrong)
            self._repeat(coarse)
        return coarse

    def _keep_still(self) -> None:
        """Repeats the first pass without moved cameras if some counted as moved and all agree no less then.

        A rig that is solved badly at first takes cameras for moved, and loses their keyframes.
        """
        estimator = self._estimator
        if self._still or not estimator.moves:
            return
        before, was_solved = self._agreement(), estimator.mode == "solved"
        self._repeat(estimator.clocks)
        less = self._agreement()[self._seen].mean() < before[self._seen].mean()
        if less or (was_solved and estimator.mode != "solved"):
            self._repeat(estimator.clocks, still=False)

    def _searched(self, coarse: CameraClocks, signals: CoarseOffsets, tracks: Sequence[CameraTrack]) -> CameraClocks:
        """Returns the clocks with those replaced or removed that nothing confirms, after a first pass with them.

        A clock that is far off spoils the rig, so cameras of unclear clocks are left out of it meanwhile; they remain
        so if they disagree and the search finds nothing.
        """
        estimator, unclear, disagreeing = self._estimator, self._seen & ~signals.found, self._disagreeing()
        if signals.found.sum() > 1 and unclear.any() and disagreeing.any():
            self._repeat(coarse, unclear)
        adjusted = self._adjusted(tracks, coarse)
        sure = np.zeros(len(tracks), bool) if adjusted is None else np.isfinite(adjusted.sd_s) & ~signals.ambiguous
        unsure = np.flatnonzero(~sure & (unclear | self._disagreeing()))
        searched = coarse
        if sure.sum() > 1:
            task, several = estimator.solve_task(), estimator.may_show_several
            lags_s = [search_offset(task, tracks[view], sure, view, several=several) for view in unsure.tolist()]
            searched = coarse.searched(unsure, lags_s)
        elif (unclear & np.isfinite(coarse.sd_s)).any():
            searched = coarse.without(unclear)
        if searched.by_camera != coarse.by_camera:
            self._repeat(searched)
        elif estimator.left_out.any():
            self._repeat(searched, unclear & disagreeing & ~np.isfinite(searched.sd_s))
        return searched

    def _fine(self, coarse: CameraClocks, ambiguous: NDArray[np.bool_], tracks: Sequence[CameraTrack]) -> CameraClocks:
        """Returns the clocks of minimal reprojection error, after a first pass with nearly these."""
        estimator = self._estimator
        ends_ns = [int(track.t_ns[end]) for track in tracks if len(track.t_ns) for end in (0, -1)] or [0]
        found = fine_clocks(coarse, self._adjusted(tracks, coarse), ambiguous)
        for _ in range(MAX_ROUNDS - 1):
            if found.near(estimator.clocks, REPEAT_ABOVE_S, ends_ns):
                break
            self._repeat(found, estimator.left_out)
            found = fine_clocks(coarse, self._adjusted(tracks, coarse), ambiguous)
        return found

    def _adjusted(self, tracks: Sequence[CameraTrack], coarse: CameraClocks) -> AdjustedClocks | None:
        """Solves the rig of the last first pass, and returns its clocks; computed once for each."""
        trusted = np.isfinite(coarse.sd_s)
        if self._last_adjusted is None or (self._last_adjusted[0] != trusted).any():
            self._estimator.solve()
            task, clocks = self._estimator.solve_task(), self._estimator.clocks.by_camera
            self._last_adjusted = trusted, adjust_clocks(task, tracks, clocks, rates=True, trusted=trusted)
        return self._last_adjusted[1]

    def _spoiling(self, found: CameraClocks) -> NDArray[np.bool_]:
        """Returns (V,) the cameras of a solved rig whose clock is not known, and which disagree with the others."""
        known = np.isfinite(found.sd_s)
        if self._estimator.mode != "solved" or known.sum() < 2:
            return np.zeros(len(known), bool)
        return self._disagreeing() & ~known & ~self._estimator.left_out

    def _repeat(self, clocks: CameraClocks, left_out: NDArray[np.bool_] | None = None, *, still: bool = True) -> None:
        """Repeats the first pass with other clocks, without the cameras ``left_out`` (V,), unless it was just that.

        Where cameras keep ``still``, none counts as moved: what disagrees may be the clocks.
        """
        estimator = self._estimator
        left_out = np.zeros(len(self._files), bool) if left_out is None else left_out
        same = clocks.by_camera == estimator.clocks.by_camera and (left_out == estimator.left_out).all()
        if self._still and still and same:
            return
        self._still, estimator.clocks, estimator.left_out = still, clocks, left_out
        self._last_adjusted = None
        estimator.restart(may_move=not still)
        self._fuse(self.inputs())

    def _fuse(self, cameras: CameraInputs) -> None:
        for step in self._steps(cameras, FileClock(KEYFRAME_INTERVAL_NS), self._estimator, self._stop):
            if step is not None and step.pose is None:
                self._output.reject(step.failure)
            self._output.report()

    def _track(self, view: int) -> CameraTrack:
        samples: list[Sample] = []
        for message in self._files[view].keypoints():
            if samples and message.t_ns <= samples[-1].t_ns:
                continue
            if samples and message.t_ns - samples[0].t_ns > MAX_TRACK_NS:
                break
            samples.append(Sample.from_message(message))
        return self._estimator.track(view, samples)

    def _agreement(self) -> Floats:
        """Returns (V,) how well each camera agrees with the others."""
        return np.array([camera.agreement or 0.0 for camera in self._estimator.rig_state().cameras])

    def _disagreeing(self) -> NDArray[np.bool_]:
        """Returns (V,) which cameras show a person, but disagree with the others."""
        return self._seen & (self._agreement() < MIN_AGREEMENT)
