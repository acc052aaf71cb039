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
from pose_rig.fusion.synchronisation.clock_offsets import coarse_offsets
from pose_rig.fusion.synchronisation.clock_signals import movement_signals
from pose_rig.fusion.time_steps import time_steps
from pose_rig.wire.jobs import Stop
from pose_rig.wire.messages import Health, Message

MAX_ROUNDS = 3  # of the first pass, with better clocks in each
REPEAT_ABOVE_S = 0.03  # clocks that change by more have cost keypoints: the first pass is repeated
MAX_TRACK_NS = 300_000_000_000  # of each file, by which clocks are compared


class PassOutput(Protocol):
    """Where the first pass reports."""

    def forward(self, view: int, message: Message) -> None:
        """Publishes the health of a camera."""

    def reject(self, reason: str) -> None:
        """Counts a message or a time step that could not be used."""

    def report(self) -> None:
        """Publishes the state of the rig now and then."""


class _Absent:
    """A camera that is left out of a pass."""

    def __init__(self, name: str) -> None:
        self._ended = [Health(worker=name, t_ns=0, state="ended")]

    def receive(self, timeout_ms: int, max_messages: int = 1) -> list[Message]:
        """Returns that it has ended, once."""
        del timeout_ms, max_messages
        messages, self._ended = self._ended, []
        return list(messages)


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

        The movement signals need no rig; a clock that they give is not used if its camera then disagrees.
        """
        estimator = self._estimator
        tracks = [self._track(view) for view in range(len(self._files))]
        signals = coarse_offsets([movement_signals(track) for track in tracks])
        coarse = coarse_clocks(signals)
        if not coarse.near(estimator.clocks, 0.0):
            before, was_solved = self._agreement(), estimator.mode == "solved"
            self._repeat(coarse)
            after = self._agreement()
            worse = after < np.minimum(before, MIN_AGREEMENT)
            if was_solved and estimator.mode != "solved":
                worse[:] = True
            wrong = worse & (coarse.offset_s != 0)
            if wrong.any():
                coarse = coarse.without(wrong)
                self._repeat(coarse)
        clear = signals.found
        if clear.sum() > 1 and not clear.all() and (self._agreement() < MIN_AGREEMENT).any():
            self._repeat(coarse, clear)  # a clock that is far off spoils the rig
        adjusted, ambiguous = self._solved(tracks, coarse), signals.ambiguous
        searched = self._searched(coarse, adjusted, ambiguous, tracks)
        if searched is not coarse:
            coarse, ambiguous = searched, ambiguous & ~np.isfinite(searched.sd_s)
            self._repeat(coarse)
            adjusted = self._solved(tracks, coarse)
        ends_ns = [int(track.t_ns[end]) for track in tracks if len(track.t_ns) for end in (0, -1)] or [0]
        for rounds in range(MAX_ROUNDS):
            found = fine_clocks(coarse, adjusted, ambiguous)
            if found.near(estimator.clocks, REPEAT_ABOVE_S, ends_ns) or rounds == MAX_ROUNDS - 1:
                break
            self._repeat(found)
            adjusted = self._solved(tracks, coarse)
        spans_ns = [(int(track.t_ns[0]), int(track.t_ns[-1])) if len(track.t_ns) else None for track in tracks]
        estimator.set_clocks(described(found, self._names, spans_ns), tracks)
        estimator.fix_cameras()

    def _solved(self, tracks: Sequence[CameraTrack], coarse: CameraClocks) -> AdjustedClocks | None:
        self._estimator.solve()
        return self._estimator.adjusted_clocks(tracks, np.isfinite(coarse.sd_s))

    def _searched(
        self,
        coarse: CameraClocks,
        adjusted: AdjustedClocks | None,
        ambiguous: NDArray[np.bool_],
        tracks: Sequence[CameraTrack],
    ) -> CameraClocks:
        """Returns the coarse clocks with those corrected or discarded that the bundle adjustment does not confirm."""
        sure = np.zeros(len(tracks), bool) if adjusted is None else np.isfinite(adjusted.sd_s) & ~ambiguous
        unsure = ~sure & ~(np.isfinite(coarse.sd_s) & (self._agreement() >= MIN_AGREEMENT))
        if sure.sum() < 2 or not unsure.any():
            return coarse
        lags_s = [self._estimator.searched_offset(tracks, sure, view) for view in np.flatnonzero(unsure).tolist()]
        return coarse.searched(np.flatnonzero(unsure), lags_s)

    def _repeat(self, clocks: CameraClocks, used: NDArray[np.bool_] | None = None) -> None:
        """Repeats the first pass with other clocks, of all cameras or of those ``used`` (V,)."""
        self._estimator.clocks = clocks
        self._estimator.restart()
        cameras = self.inputs()
        if used is not None:
            cameras.sources = [
                source if use else _Absent(name)
                for source, name, use in zip(self._files, self._names, used.tolist(), strict=True)
            ]
        self._fuse(cameras)

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
            samples.append(Sample(message.t_ns, message.xy.astype(float), message.score.astype(float)))
        return self._estimator.track(view, samples)

    def _agreement(self) -> Floats:
        """Returns (V,) how well each camera agrees with the others."""
        return np.array([camera.agreement or 0.0 for camera in self._estimator.rig_state().cameras])
