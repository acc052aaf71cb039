"""Statistics of a worker process over the last seconds."""

import time
from collections import deque
from statistics import median

from pose_rig.redaction import redacted
from pose_rig.wire.messages import Health, State

WINDOW_S = 2.0
ERROR_SHOWN_S = 5.0


class Meter:
    """Counts processed and dropped frames, and returns them as `Health`.

    Args:
        worker: Name of the worker.
        restarts: How often the supervisor restarted it.
    """

    def __init__(self, worker: str, restarts: int) -> None:
        self._worker, self._restarts = worker, restarts
        self._recent: deque[tuple[float, float, dict[str, float]]] = deque()  # (s, age in ms, stages in ms)
        self._frames = 0
        self._dropped = 0
        self._next_index = 0
        self._started = False
        self._error = ""
        self._error_s = 0.0
        self.detail = ""
        self.total_frames: int | None = None
        self.refused = 0  # connections

    def count_received(self, index: int) -> None:
        """Counts the frames skipped before frame ``index``.

        Frames before the first one received are not dropped; a falling index is that of a restarted camera.
        """
        if self._started:
            self._dropped += max(0, index - self._next_index)
        self._started = True
        self._next_index = index + 1

    def count_dropped(self, reason: str) -> None:
        """Counts a frame that could not be processed."""
        self._dropped += 1
        self.set_fault(reason)

    def set_fault(self, reason: str) -> None:
        """Stores a reason, which is shown for `ERROR_SHOWN_S`, without counting a frame."""
        self._error, self._error_s = reason, time.monotonic()

    def count_sent(self, age_ms: float, stages_ms: dict[str, float]) -> None:
        """Counts a processed frame."""
        self._frames += 1
        self._recent.append((time.monotonic(), age_ms, stages_ms))

    def health(self, state: State, error: str = "", dropped: int = 0) -> Health:
        """Returns the message; without ``error`` it has that of the last dropped frame, for `ERROR_SHOWN_S`.

        Args:
            state: State of the worker.
            error: One sentence.
            dropped: Messages dropped elsewhere, added to those counted here.
        """
        now = time.monotonic()
        while self._recent and self._recent[0][0] < now - WINDOW_S:
            self._recent.popleft()
        if not error and (state == "ended" or now - self._error_s < ERROR_SHOWN_S):
            error = self._error
        return Health(
            worker=self._worker,
            t_ns=time.monotonic_ns(),
            state=state,
            rate_hz=self._rate_hz(),
            age_ms=median(age for _, age, _ in self._recent) if self._recent else 0.0,
            dropped=self._dropped + dropped,
            restarts=self._restarts,
            error=redacted(error),
            detail=redacted(self.detail),
            stages_ms=self._stages_ms(),
            frames=self._frames,
            total_frames=self.total_frames,
            refused=self.refused,
        )

    def _rate_hz(self) -> float:
        if len(self._recent) < 2:
            return 0.0
        return (len(self._recent) - 1) / max(self._recent[-1][0] - self._recent[0][0], 1e-6)

    def _stages_ms(self) -> dict[str, float]:
        if not self._recent:
            return {}
        return {stage: median(stages[stage] for _, _, stages in self._recent) for stage in self._recent[-1][2]}
