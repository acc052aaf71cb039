"""Fine-tuning on many sessions: shares of the processes, sessions that cannot be used. The sessions are pretended."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from pose_rig.errors import SessionError, UsageError
from pose_rig.tools.cli.training.many_sessions import VALIDATION_FRAMES, VALIDATION_SESSIONS, ManySessions
from pose_rig.tools.cli.training.progress import TrainProgress
from pose_rig.tools.cli.training.request import Request, Sources, sessions_in
from pose_rig.training.distributed import ProcessGroup
from pose_rig.training.finetune import DEFAULT_JOB
from tests.training.fakes.sessions import read_session, write_sessions

JOB = replace(DEFAULT_JOB, steps=20, rigs=4, per_rig=4)


class Rank(ProcessGroup):
    """A process of a group whose others need not be waited for."""

    def barrier(self, device: str) -> None:
        """Does not wait."""


def request(sessions: list[Path], folder: Path) -> Request:
    return Request(Sources(tuple(sessions)), folder / "my.weights", folder, None, False, {}, pool=4, readers=1)


def test_processes_share_the_sessions_and_validate_on_the_same(tmp_path: Path) -> None:
    sessions = write_sessions(tmp_path, 40, bad=(3, 4, 5))
    console = Console(record=True, width=200)
    used: list[set[str]] = []
    validated = []
    for rank in range(2):
        progress = TrainProgress(console, supervised=False)
        with ManySessions(request(sessions, tmp_path), JOB, tmp_path, Rank(rank, 2), progress, read_session) as many:
            pool, validation = many.split()
            for step in range(JOB.steps):
                pool.advance(step)
            batch = pool.sample(2, 4, np.random.default_rng(0))
            assert len(batch.pose_2d) == 2 * 4
            many.report()
        validated.append([one.name for one in validation])
        used.append({path.stem for path in pool.sessions})
        assert max(one.frames for one in validation) <= VALIDATION_FRAMES
    assert validated[0] == validated[1]
    assert len(set(validated[0])) == VALIDATION_SESSIONS
    assert not used[0] & used[1]
    assert not (used[0] | used[1]) & set(validated[0])
    assert len(used[0] | used[1] | set(validated[0])) >= 37
    text = console.export_text()
    assert {f"take000{number}.mcap is damaged." in text for number in (3, 4, 5)} == {True}
    assert "is damaged." in (tmp_path / "skipped.txt").read_text()


def test_too_few_sessions_that_can_be_used_are_reported(tmp_path: Path) -> None:
    progress = TrainProgress(Console(quiet=True), supervised=False)
    bad = write_sessions(tmp_path, 6, bad=tuple(range(6)))
    with (
        ManySessions(request(bad, tmp_path), JOB, tmp_path, Rank(), progress, read_session) as many,
        pytest.raises(SessionError, match="0 of 6 sessions can be used, which are too few"),
    ):
        many.split()


def test_a_folder_stands_for_its_sessions(tmp_path: Path) -> None:
    inside = write_sessions(tmp_path / "takes" / "day", 3)
    (tmp_path / "takes" / "poses.npz").touch()
    assert sessions_in([tmp_path / "takes", Path("me.npz")]) == [*inside, Path("me.npz")]
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"There is no session in .*empty"):
        sessions_in([tmp_path / "empty"])
    assert Sources(tuple(inside)).names == "take0000.mcap, take0001.mcap, take0002.mcap"
    assert Sources(tuple(inside * 4)).names == "12 sessions"
