"""Files in two passes: the first one solves the rig, and finds the clocks of the cameras, for the second one."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.camera_inputs import CameraInputs, MessageSource
from pose_rig.fusion.clocks import FileClock
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.message_file import MessageFile
from pose_rig.fusion.pose.sync import Sample
from pose_rig.fusion.rig.camera_clocks import CameraClocks, coarse_clocks, described, fine_clocks
from pose_rig.fusion.rig.consistency import MIN_AGREEMENT
from pose_rig.fusion.synchronisation.camera_track import CameraTrack
from pose_rig.fusion.synchronisation.clock_adjustment import AdjustedClocks
from pose_rig.fusion.synchronisation.clock_offsets import CoarseOffsets, coarse_offsets
from pose_rig.fusion.synchronisation.clock_rates import coarse_rates
from pose_rig.fusion.synchronisation.clock_signals import movement_signals
from pose_rig.fusion.time_steps import time_steps
from pose_rig.wire.jobs import Stop
from pose_rig.wire.messages import Health, Message

MAX_ROUNDS = 3  # of the first pass, with better clocks in each
REPEAT_ABOVE_S = 0.03  # clocks that change by more have cost keypoints: the first pass is repeated
LESS_AGREEMENT = 0.1  # with the clocks that clear movement signals give; a rig that is solved badly varies by as much
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
    """

    def __init__(
        self, names: Sequence[str], files: Sequence[MessageFile], estimator: Estimator, output: PassOutput, stop: Stop
    ) -> None:
        self._names, self._files = names, files
        self._estimator, self._output, self._stop = estimator, output, stop

    def first(self, sources: Sequence[MessageSource]) -> None:
        """Fuses the messages of all cameras, and keeps them."""

        def store(view: int, message: Message) -> None:
            self._files[view].add(message)
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

        A camera whose clock is not found, and which disagrees with the others, is left out.
        """
        estimator = self._estimator
        tracks = [self._track(view) for view in range(len(self._files))]
        coarse, ambiguous = self._coarse(tracks)
        found = self._fine(coarse, ambiguous, tracks)
        out = self._spoiling(found, tracks)
        if out.any():
            self._repeat(found, ~out)
            found = self._fine(coarse.without(out), ambiguous, tracks)
        spans_ns = [(int(track.t_ns[0]), int(track.t_ns[-1])) if len(track.t_ns) else None for track in tracks]
        left_out = [name for name, one in zip(self._names, out.tolist(), strict=True) if one]
        estimator.set_clocks(described(found, self._names, spans_ns, left_out), tracks)
        estimator.fix_cameras()

    def _coarse(self, tracks: Sequence[CameraTrack]) -> tuple[CameraClocks, NDArray[np.bool_]]:
        """Returns coarse clocks, after a first pass with them, and (V,) where the movement repeats itself.

        The movement signals need no rig; a clock that they give is not used if its camera then disagrees.
        """
        estimator = self._estimator
        movements = [movement_signals(track) for track in tracks]
        signals = coarse_offsets(movements)
        coarse = coarse_clocks(signals, coarse_rates(movements, signals))
        ambiguous, clear = signals.ambiguous, signals.found
        if not coarse.near(estimator.clocks, 0.0):
            before, was_solved = self._agreement(), estimator.mode == "solved"
            self._repeat(coarse)
            after = self._agreement()
            worse = after < np.where(clear, np.minimum(before - LESS_AGREEMENT, MIN_AGREEMENT), MIN_AGREEMENT)
            if was_solved and estimator.mode != "solved":
                worse[:] = True
            wrong = worse & ((coarse.offset_s != 0) | (coarse.rates != 1.0))
            if wrong.any():
                coarse = coarse.without(wrong)
                self._repeat(coarse)
        if clear.sum() > 1 and not clear.all() and (self._agreement() < MIN_AGREEMENT).any():
            self._repeat(coarse, clear)  # a clock that is far off spoils the rig
        searched = self._searched(coarse, self._solved(tracks, coarse), signals, tracks)
        if searched is not coarse or estimator.left_out.any():
            self._repeat(searched)
        return searched, ambiguous & ~np.isfinite(searched.sd_s)

    def _fine(self, coarse: CameraClocks, ambiguous: NDArray[np.bool_], tracks: Sequence[CameraTrack]) -> CameraClocks:
        """Returns the clocks after the bundle adjustment, after a pass with nearly these."""
        estimator = self._estimator
        ends_ns = [int(track.t_ns[end]) for track in tracks if len(track.t_ns) for end in (0, -1)] or [0]
        found = fine_clocks(coarse, self._solved(tracks, coarse), ambiguous)
        for _ in range(MAX_ROUNDS - 1):
            if found.near(estimator.clocks, REPEAT_ABOVE_S, ends_ns):
                break
            self._repeat(found, ~estimator.left_out)
            found = fine_clocks(coarse, self._solved(tracks, coarse), ambiguous)
        return found

    def _solved(self, tracks: Sequence[CameraTrack], coarse: CameraClocks) -> AdjustedClocks | None:
        self._estimator.solve()
        return self._estimator.adjusted_clocks(tracks, np.isfinite(coarse.sd_s))

    def _searched(
        self,
        coarse: CameraClocks,
        adjusted: AdjustedClocks | None,
        signals: CoarseOffsets,
        tracks: Sequence[CameraTrack],
    ) -> CameraClocks:
        """Returns the coarse clocks with those corrected or discarded that the bundle adjustment does not confirm."""
        sure = np.zeros(len(tracks), bool)
        if adjusted is not None:
            sure = np.isfinite(adjusted.sd_s) & ~signals.ambiguous
        clear = np.isfinite(coarse.sd_s) & signals.found & (self._agreement() >= MIN_AGREEMENT)
        unsure = np.flatnonzero(~sure & ~clear)
        if not len(unsure):
            return coarse
        if sure.sum() < 2:
            unconfirmed = np.isfinite(coarse.sd_s) & ~signals.found
            return coarse.without(unconfirmed) if unconfirmed.any() else coarse
        lags_s = [self._estimator.searched_offset(tracks, sure, view) for view in unsure.tolist()]
        return coarse.searched(unsure, lags_s)

    def _spoiling(self, found: CameraClocks, tracks: Sequence[CameraTrack]) -> NDArray[np.bool_]:
        """Returns (V,) the cameras of a solved rig whose clock is not known, and which disagree with the others."""
        known = np.isfinite(found.sd_s)
        if self._estimator.mode != "solved" or known.sum() < 2:
            return np.zeros(len(tracks), bool)
        seen = np.array([len(track.t_ns) > 0 for track in tracks])
        return seen & ~known & (self._agreement() < MIN_AGREEMENT)

    def _repeat(self, clocks: CameraClocks, used: NDArray[np.bool_] | None = None) -> None:
        """Repeats the first pass with other clocks, of all cameras or of those ``used`` (V,)."""
        self._estimator.clocks = clocks
        self._estimator.left_out = np.zeros(len(self._files), bool) if used is None else ~used
        self._estimator.restart()
        self._fuse(self.inputs())

    def _fuse(self, cameras: CameraInputs) -> None:
        for step in time_steps(cameras, FileClock(), self._estimator, self._stop):
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
