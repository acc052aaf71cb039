"""Fine-tuning on many sessions: each process reads its own share of them, some at a time, while it trains."""

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import numpy as np

from pose_rig.errors import SessionError
from pose_rig.fusion.stretches.team import cores
from pose_rig.tools.cli.training.progress import TrainProgress
from pose_rig.tools.cli.training.request import Request
from pose_rig.training.distributed import ProcessGroup
from pose_rig.training.footage.footage import Footage
from pose_rig.training.footage.session_pool import FIRST_SESSIONS, PoolSizes, SessionPool, thinned
from pose_rig.training.footage.session_reader import ReadSession, SessionReader
from pose_rig.training.footage.stored import StoredFootage
from pose_rig.training.job import TrainingJob
from pose_rig.training.pseudo_labels import labelled_session

FOOTAGE, SKIPPED = "footage", "skipped.txt"  # in the folder of the run
VALIDATION_SESSIONS = 8  # none of them is trained on
VALIDATION_FRAMES = 400  # of each
LOCAL_WORLD_SIZE = "LOCAL_WORLD_SIZE"  # environment variable of `torchrun`: its processes on this machine


class ManySessions:
    """The sessions of a run, which are read when they are needed.

    Args:
        request: Has the sessions, and how they are read.
        job: Its seed orders them.
        folder: Of the run.
        group: The processes that train together.
        progress: Is given what is read and skipped.
        read: As in `SessionReader`.
    """

    def __init__(
        self,
        request: Request,
        job: TrainingJob,
        folder: Path,
        group: ProcessGroup,
        progress: TrainProgress,
        read: ReadSession = labelled_session,
    ) -> None:
        paths = request.sources.sessions
        self._request, self._job, self._group, self._progress = request, job, group, progress
        self._order = [paths[index] for index in np.random.default_rng(job.seed).permutation(len(paths))]
        self._folder, self._stored = folder, StoredFootage(folder / FOOTAGE)
        self._read, self._stack = read, ExitStack()

    def __enter__(self) -> Self:
        readers = self._request.readers or max(1, cores() // int(os.environ.get(LOCAL_WORLD_SIZE, "1")) - 1)
        self._reader = self._stack.enter_context(SessionReader(self._stored, readers, self._read))
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)  # type: ignore[arg-type]

    def split(self) -> tuple[SessionPool, list[Footage]]:
        """Returns the training set of this process, and the validation footage, which is the same in all.

        Raises:
            SessionError: Too few sessions can be used.
        """
        if self._group.is_main:
            validation, used = self._validation()
            self._group.barrier(self._job.device)
        else:
            self._group.barrier(self._job.device)
            validation, used = self._validation()  # the main process has stored it
        share = self._order[used:][self._group.rank :: self._group.world_size]
        if not share:
            raise SessionError("There are too few sessions that can be used.", "Train on more of them.")
        pool = self._request.pool
        sizes = PoolSizes(pool=pool, first=min(pool, FIRST_SESSIONS))
        made = SessionPool(
            share, self._reader, self._job.steps, "ray", self._job.device,
            sizes=sizes, skipped=self._skip, progress=self._progress.reading,
        )  # fmt: skip
        total, used_now = len(self._order) - used, made.sessions_of_run * self._group.world_size
        if used_now < total:
            self._progress.print(f"{used_now} of {total} sessions are used in {self._job.steps} steps; more need more.")
        return made, validation

    def report(self) -> None:
        """Prints how many sessions could not be used, and lists them in a file of the run."""
        if not self._group.is_main or not (reasons := self._stored.refused()):
            return
        path = self._folder / SKIPPED
        path.write_text("\n".join(reasons) + "\n", "utf-8")
        self._progress.print(f"{len(reasons)} sessions were skipped: {path} has the reasons.")

    def _validation(self) -> tuple[list[Footage], int]:
        """Returns the footage of the first sessions that can be used, and how many sessions that took."""
        wanted = min(VALIDATION_SESSIONS, max(1, len(self._order) // 4))
        found: list[Footage] = []
        for number, session in enumerate(self._order, 1):
            for ahead in self._order[number - 1 :][: max(wanted - len(found), 1)]:
                self._reader.request(ahead)
            try:
                found.append(thinned(self._reader.footage(session), VALIDATION_FRAMES))
            except SessionError as error:
                self._skip(error.cause)
            self._progress.reading(len(found) / wanted)
            if len(found) == wanted:
                return found, number
        raise SessionError(
            f"{len(found)} of {len(self._order)} sessions can be used, which are too few.", "Train on more of them."
        )

    def _skip(self, reason: str) -> None:
        self._progress.print(f"Skipped: {reason}")
