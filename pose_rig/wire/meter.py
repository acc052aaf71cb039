"""How a worker process is doing, over the last seconds."""

import time
from collections import deque
from statistics import median

from pose_rig.redaction import redacted
from pose_rig.wire.messages import Health, State

WINDOW_S = 2.0
FAULT_SHOWN_S = 5.0


class Meter:
    """Counts frames and drops, and makes a `Health` of them.

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
        self._joined = False
        self._fault = ""
        self._fault_s = 0.0
        self.detail = ""
        self.total_frames: int | None = None
        self.refused = 0  # connections

    def count_received(self, index: int) -> None:
        """Counts the frames skipped before frame ``index``.

        Those before the first one were nobody's loss; numbers that fall belong to a camera that was restarted.
        """
        if self._joined:
            self._dropped += max(0, index - self._next_index)
        self._joined = True
        self._next_index = index + 1

    def count_dropped(self, reason: str) -> None:
        """Counts a frame that could not be used."""
        self._dropped += 1
        self._fault, self._fault_s = reason, time.monotonic()

    def count_sent(self, age_ms: float, stages_ms: dict[str, float]) -> None:
        """Counts a frame that was sent."""
        self._frames += 1
        self._recent.append((time.monotonic(), age_ms, stages_ms))

    def health(self, state: State, error: str = "", lost: int = 0) -> Health:
        """Returns the message; without ``error`` it tells of the last unusable frame, if that was just now.

        Args:
            state: Where the worker is in its life.
            error: One sentence.
            lost: Messages lost elsewhere, added to those counted here.
        """
        now = time.monotonic()
        while self._recent and self._recent[0][0] < now - WINDOW_S:
            self._recent.popleft()
        if not error and (state == "ended" or now - self._fault_s < FAULT_SHOWN_S):
            error = self._fault
        return Health(
            worker=self._worker,
            t_ns=time.monotonic_ns(),
            state=state,
            rate_hz=self._rate_hz(),
            age_ms=median(age for _, age, _ in self._recent) if self._recent else 0.0,
            dropped=self._dropped + lost,
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
