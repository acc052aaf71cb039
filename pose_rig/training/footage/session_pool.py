"""The training set of a run over more sessions than fit into memory: some at a time, exchanged as the run goes forward.

Which sessions a step draws from depends on the seed and the step only, so that a resumed run repeats it. Every process
of a group has its own share of the sessions, and draws its share of every batch from them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pose_rig.errors import SessionError, UsageError
from pose_rig.training.footage.dataset import Batch, PoseDataset, joined
from pose_rig.training.footage.footage import Footage, InputFrame
from pose_rig.training.footage.session_reader import SessionReader

MAX_FRAMES = 3600  # of a session, spread over it: two minutes at 30 Hz. Memory: 0.6 kB per frame and view
POOL_SESSIONS = 32  # in memory
FIRST_SESSIONS = 8  # before the first step
AHEAD = 2  # sessions being read for the steps to come, for each process that reads


@dataclass(frozen=True, slots=True)
class PoolSizes:
    """How many sessions a pool has.

    Attributes:
        pool: At most, in memory.
        first: At the first step; one is added from time to time, and then replaces the oldest.
        frames: Of each, at most.
    """

    pool: int = POOL_SESSIONS
    first: int = FIRST_SESSIONS
    frames: int = MAX_FRAMES


class SessionPool:
    """The sessions from which the steps of a run draw.

    Args:
        sessions: Those of this process, in the order in which they are used.
        reader: Reads them.
        steps: Of the whole run. In that time every session is in the pool once, or as many as there are steps.
        frame: Frame of the lifter's input.
        device: Device of the tensors.
        sizes: How many at a time.
        skipped: Is given why a session cannot be used.
        progress: Is given the share of the first sessions that was read.

    Attributes:
        sessions: As given.
        read, unusable: How many were read, and could not be used.

    Raises:
        SessionError: None of the sessions for the first step can be used.
    """

    sharded = True

    def __init__(
        self,
        sessions: Sequence[Path],
        reader: SessionReader,
        steps: int,
        frame: InputFrame,
        device: str = "cpu",
        *,
        sizes: PoolSizes = PoolSizes(),
        skipped: Callable[[str], None] = lambda reason: None,
        progress: Callable[[float], None] = lambda share: None,
    ) -> None:
        self.sessions, self._reader, self._steps = sessions, reader, steps
        self._frame, self._device, self._sizes = frame, device, sizes
        self._skipped, self._progress = skipped, progress
        self._members: dict[int, PoseDataset | None] = {}  # by number; None = cannot be used
        self.read = self.unusable = 0

    @property
    def datasets(self) -> list[PoseDataset]:
        """Those in memory, one of each session."""
        members = (self._members[number] for number in sorted(self._members))
        return [member for member in members if member is not None]

    @property
    def sessions_of_run(self) -> int:
        """How many of the sessions the whole run uses."""
        return self._end(self._steps - 1)

    def advance(self, step: int) -> None:
        """Reads the sessions of a step, and forgets those that are none of it.

        Raises:
            SessionError: None of them can be used.
        """
        end = self._end(step)
        window = range(max(0, end - self._sizes.pool), end)
        for number in [number for number in self._members if number not in window]:
            del self._members[number]
        missing = [number for number in window if number not in self._members]
        if not missing:
            return
        last = min(end + AHEAD * self._reader.processes, self.sessions_of_run)
        for number in (*missing, *range(end, last)):
            self._reader.request(self.sessions[number])
        for done, number in enumerate(missing, 1):
            self._members[number] = self._dataset(self.sessions[number])
            if len(missing) > 1:
                self._progress(done / len(missing))
        if not self.datasets:
            raise SessionError(
                f"None of {len(window)} sessions can be used, such as {self.sessions[window[0]]}.",
                "Leave those out that are damaged, or have no person in them.",
            )

    def sample(self, rigs: int, per_rig: int, rng: np.random.Generator) -> Batch:
        """Returns a random batch of the sessions of the step, as `PoseDataset.sample` does."""
        datasets = self.datasets
        lengths = np.array([len(dataset) for dataset in datasets])
        chosen = rng.choice(len(datasets), rigs, p=lengths / lengths.sum())
        return joined([datasets[index].sample(1, per_rig, rng) for index in chosen])

    def _end(self, step: int) -> int:
        """Returns the number of sessions that were in the pool up to a step."""
        first = min(self._sizes.first, len(self.sessions))
        rate = min(1.0, (len(self.sessions) - first) / max(self._steps - 1, 1))
        return first + int(rate * step + 1e-9)

    def _dataset(self, session: Path) -> PoseDataset | None:
        self.read += 1
        try:
            footage = thinned(self._reader.footage(session), self._sizes.frames)
            return PoseDataset([footage], self._frame, self._device)
        except SessionError as error:
            reason = error.cause
        except UsageError as error:
            reason = f"{session}: {error.cause}"
        self.unusable += 1
        self._skipped(reason)
        return None


def thinned(footage: Footage, frames: int) -> Footage:
    """Returns footage with at most so many frames, spread over it."""
    if footage.frames <= frames:
        return footage
    return footage.at(np.linspace(0, footage.frames - 1, frames).round().astype(int))
