from collections.abc import Iterable

import numpy as np
import pytest

from pose_rig.streaming.send_timer import CATCH_UP_FRACTION, SendTimer

MS = 1_000_000


def ticks(rate_hz: float, poses_ms: Iterable[float], until_ms: int) -> list[tuple[int, bool]]:
    """Returns when (ms) it sent, and whether something new, on a clock of whole milliseconds."""
    timer, sent, new, coming = SendTimer(rate_hz), [], False, sorted(poses_ms)
    for now in range(until_ms):
        while coming and coming[0] <= now:
            coming.pop(0)
            new = True
        if timer.ready(now * MS, new=new):
            timer.sent(now * MS, new=new)
            sent.append((now, new))
            new = False
    return sent


def test_poses_at_its_rate_are_sent_on_arrival() -> None:
    rng = np.random.default_rng(1)
    poses = np.arange(60) * 1000 / 60 + rng.uniform(0, 3, 60)
    sent = ticks(60.0, poses, 1000)
    fresh = [at for at, new in sent if new]
    assert len(fresh) == 60
    assert np.abs(np.array(fresh) - np.ceil(poses)).max() <= 4
    assert len(sent) <= 62


@pytest.mark.parametrize("late_ms", [3.0, 8.0, 14.0])
def test_it_locks_its_phase_to_the_poses(late_ms: float) -> None:
    """Whatever the initial phase, no pose waits after a second."""
    poses = late_ms + np.arange(1, 180) * 1000 / 60
    sent = ticks(60.0, [0.0, *poses], 3000)
    waited = [at - poses[poses <= at].max() for at, new in sent if new and at > 1100]
    assert len(waited) > 100
    assert max(waited) <= 2.0


@pytest.mark.parametrize("rate_hz", [10.0, 60.0])
def test_the_mean_rate_is_limited(rate_hz: float) -> None:
    sent = ticks(rate_hz, np.arange(0, 5000, 4), 5000)
    assert len(sent) <= 5 * rate_hz * (1 + CATCH_UP_FRACTION) + 2
    assert len(sent) >= 5 * rate_hz - 2
    assert all(new for _, new in sent)


def test_without_new_poses_the_last_is_repeated() -> None:
    sent = ticks(50.0, [0.0], 1000)
    assert len(sent) == pytest.approx(50, abs=2)
    assert np.diff([at for at, _ in sent]).max() <= 30


def test_slow_cameras_do_not_slow_down_the_stream() -> None:
    sent = ticks(60.0, np.arange(0, 2000, 100), 2000)
    assert np.diff([at for at, _ in sent]).max() <= 1.75 * 1000 / 60 + 1
    late = [min(at - pose for at, new in sent if new and at >= pose) for pose in range(0, 2000, 100)]
    assert max(late) <= 14


def test_after_a_pause_it_does_not_catch_up() -> None:
    timer = SendTimer(50.0)
    timer.sent(0, new=True)
    now = 10_000 * MS
    assert timer.ready(now, new=True)
    timer.sent(now, new=True)
    assert not timer.ready(now + 5 * MS, new=True)


def test_waiting_is_until_it_is_ready() -> None:
    timer = SendTimer(50.0)
    timer.sent(1_000 * MS, new=True)
    for new in (True, False):
        wait_ms = round(timer.wait_s(1_000 * MS, new=new) * 1e3)
        assert not timer.ready((1_000 + wait_ms - 1) * MS, new=new)
        assert timer.ready((1_000 + wait_ms) * MS, new=new)
