"""A live run once more with its recorded cameras, in stretches."""

from collections.abc import Sequence

import numpy as np
import pytest

from pose_rig.fusion.stretches.stretches import FusedStep, SampledStep
from pose_rig.fusion.stretches.team import Team
from pose_rig.fusion.time_steps import TimeStep
from pose_rig.graph import Engine
from pose_rig.wire.messages import Command, Health, RigState
from pose_rig.wire.services import FUSION
from tests.fusion.live.live_takes import LiveTake, arrivals

SAME_M = 5e-4


def off_m(found: Sequence[TimeStep], wanted: Sequence[TimeStep]) -> list[float]:
    """How far the poses, smoothed as streamed, are from each other."""
    assert [step.t_ns for step in found] == [step.t_ns for step in wanted]
    out = []
    for one, other in zip(found, wanted, strict=True):
        assert one.pose is not None
        assert other.pose is not None
        assert (one.pose.mode, one.pose.tracking) == (other.pose.mode, other.pose.tracking)
        out.append(float(np.abs(one.pose.xyz - other.pose.xyz).max()))
    return out


@pytest.fixture(scope="module")
def live(engine: Engine) -> LiveTake:
    return LiveTake(engine, 3).run(arrivals((0.0, 0.0, 0.0), 6.0), in_background=True)


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many time steps are fused together."""
    counts: list[int] = []
    fuse = Team.fuse

    def counted(self: Team, steps: Sequence[SampledStep]) -> list[FusedStep]:
        counts.append(len(steps))
        return fuse(self, steps)

    monkeypatch.setattr(Team, "fuse", counted)
    return counts


def test_poses_are_those_of_the_run(live: LiveTake, together: list[int]) -> None:
    found, estimator = live.followed()
    assert live.steps[-1].pose is not None
    assert live.steps[-1].pose.mode == "solved"
    assert max(off_m(found, live.steps)) < SAME_M
    assert sum(together) > len(live.steps) // 2
    assert len(together) < len(live.steps) // 4
    assert estimator.calibration is not None
    assert live.estimator.calibration is not None
    np.testing.assert_allclose(estimator.calibration.rotation, live.estimator.calibration.rotation, atol=1e-9)


def test_a_late_camera_is_left_out_as_live(engine: Engine) -> None:
    run = LiveTake(engine, 3).run(arrivals((0.0, 0.0, 0.0), 4.0), max_delay_ms=1.0, in_background=True)
    found, _ = run.followed()
    assert max(off_m(found, run.steps)) < SAME_M


def test_a_restart_of_the_fusion_starts_without_a_person(live: LiveTake) -> None:
    cut = next(i for i, message in enumerate(live.record) if i > 0.8 * len(live.record) and message.topic == "pose")
    again = LiveTake(live.engine, live.views)
    states = [message for message in live.record[: cut + 1] if isinstance(message, RigState)]
    restarted = Health(worker=FUSION, t_ns=0, state="starting")
    again.record = [*live.record[: cut + 1], restarted, states[-1], *live.record[cut + 1 :]]
    found, _ = again.followed()
    assert [step.t_ns for step in found] == [step.t_ns for step in live.steps]
    assert all(step.pose is not None for step in found)


def test_commands_that_the_recorded_rig_has_followed_change_nothing_more(live: LiveTake) -> None:
    again = LiveTake(live.engine, live.views)
    middle = len(live.record) * 3 // 4
    again.record = [*live.record[:middle], Command(t_ns=0, number=1, name="re-solve"), *live.record[middle:]]
    found, _ = again.followed()
    assert max(off_m(found, live.steps)) < SAME_M
