"""Which sessions a step draws from, and that no more of them are read or kept; the sessions are pretended."""

import weakref
from pathlib import Path

import numpy as np
import pytest
import torch

from pose_rig.errors import SessionError
from pose_rig.training.footage.dataset import TENSORS, PoseDataset, joined
from pose_rig.training.footage.footage import Footage
from pose_rig.training.footage.session_pool import AHEAD, PoolSizes, SessionPool, thinned
from pose_rig.training.footage.session_reader import SessionReader
from tests.training.fakes.sessions import read_session, write_sessions

SIZES = PoolSizes(pool=6, first=3, frames=20)
RIGS, PER_RIG = 4, 3


class ReadHere(SessionReader):
    """Reads in this process, at once, and knows what was asked for."""

    processes = 1

    def __init__(self) -> None:
        self.requested: list[Path] = []
        self.read: list[Path] = []

    def request(self, session: Path) -> None:
        if session not in self.requested:
            self.requested.append(session)

    def footage(self, session: Path) -> Footage:
        self.request(session)
        self.read.append(session)
        return read_session(session)


def pool(
    sessions: list[Path], steps: int, reader: ReadHere | None = None, skipped: list[str] | None = None
) -> SessionPool:
    reasons = list[str]() if skipped is None else skipped
    return SessionPool(sessions, reader or ReadHere(), steps, "ray", sizes=SIZES, skipped=reasons.append)


def test_sessions_are_read_as_steps_need_them_and_few_are_in_memory(tmp_path: Path) -> None:
    sessions, reader, steps = write_sessions(tmp_path, 60), ReadHere(), 120
    made, in_memory = pool(sessions, steps, reader), weakref.WeakSet[PoseDataset]()
    for step in range(steps):
        made.advance(step)
        in_memory.update(made.datasets)
        assert len(in_memory) <= SIZES.pool
        assert max(map(len, made.datasets)) <= SIZES.frames
        if not step:
            assert reader.read == sessions[: SIZES.first]
            assert len(reader.requested) <= SIZES.first + AHEAD
        if step % 50 == 0:
            assert made.sample(RIGS, PER_RIG, np.random.default_rng(step)).pose_2d.shape[0] == RIGS * PER_RIG
    assert reader.read == sessions, "each once, in their order"


def test_fewer_steps_than_sessions_use_one_more_in_each_step(tmp_path: Path) -> None:
    sessions, reader = write_sessions(tmp_path, 100), ReadHere()
    made = pool(sessions, 20, reader)
    for step in range(20):
        made.advance(step)
    assert reader.read == sessions[: SIZES.first + 19]
    assert made.sessions_of_run == SIZES.first + 19
    assert set(reader.requested) == set(reader.read), "none for after the end"


def test_a_resumed_run_draws_the_same(tmp_path: Path) -> None:
    sessions = write_sessions(tmp_path, 40, bad=(5, 20))
    reader = ReadHere()
    whole, resumed = pool(sessions, 60), pool(sessions, 60, reader)
    for step in range(60):
        whole.advance(step)
        batch = whole.sample(RIGS, PER_RIG, np.random.default_rng(step))
        if step >= 45:
            resumed.advance(step)
            again = resumed.sample(RIGS, PER_RIG, np.random.default_rng(step))
            assert all(torch.equal(getattr(batch, name), getattr(again, name)) for name in TENSORS)
    assert len(reader.read) < 20


def test_sessions_that_cannot_be_used_are_skipped_named_and_counted(tmp_path: Path) -> None:
    sessions, skipped = write_sessions(tmp_path, 12, bad=(1, 7)), list[str]()
    made = pool(sessions, 30, skipped=skipped)
    for step in range(30):
        made.advance(step)
    assert skipped == ["take0001.mcap is damaged.", "take0007.mcap is damaged."]
    assert (made.read, made.unusable) == (12, 2)
    with pytest.raises(SessionError, match=r"None of 3 sessions can be used, such as .*take0000\.mcap\."):
        pool(write_sessions(tmp_path / "bad", 9, bad=tuple(range(9))), 30).advance(0)


def test_few_sessions_stay_in_the_pool(tmp_path: Path) -> None:
    sessions, reader = write_sessions(tmp_path, 2), ReadHere()
    made = pool(sessions, 10, reader)
    for step in range(10):
        made.advance(step)
    assert (reader.read, len(made.datasets)) == (sessions, 2)


def test_batches_of_rigs_with_fewer_cameras_are_padded_as_in_one_dataset(tmp_path: Path) -> None:
    footage = [read_session(path) for path in write_sessions(tmp_path, 2)]
    assert [one.views for one in footage] == [3, 2]
    together = PoseDataset(footage, "ray").all
    apart = joined([PoseDataset([one], "ray").all for one in footage])
    assert all(torch.equal(getattr(together, name), getattr(apart, name)) for name in TENSORS)


def test_long_sessions_are_thinned_evenly(tmp_path: Path) -> None:
    footage = read_session(write_sessions(tmp_path, 1)[0])
    few = thinned(footage, 10)
    assert few.frames == 10
    np.testing.assert_array_equal(few.xy_px[[0, -1]], footage.xy_px[[0, -1]])
    assert few.truth is not None
    assert thinned(footage, footage.frames) is footage
