"""Whatever live cameras send, and whenever, every time step has a pose, and it is in the room.

More of them: `check` with other seeds.
"""

from collections.abc import Callable
from threading import Event

import numpy as np
import pytest
from msgspec import structs

from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.camera_inputs import CameraInputs
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.time_steps import time_steps
from pose_rig.graph import Engine
from pose_rig.skeleton import J
from pose_rig.wire.messages import Keypoints2D
from tests.fusion.fakes import config
from tests.fusion.live.live_takes import START_NS, SimulatedClock, arrivals
from tests.fusion.simulated import LENGTH_M, calibration

Sent = tuple[int, Keypoints2D]  # time of arrival, message
Change = Callable[[np.random.Generator, list[Sent]], list[Sent]]
SECONDS, ROOM_M = 3.0, 20.0


def at_almost_the_same_time(rng: np.random.Generator, sent: list[Sent]) -> list[Sent]:
    """As of images that arrive at once and are taken for images of then."""
    out: list[Sent] = []
    for arrival_ns, message in sent:
        before = out[-1][1].t_ns if out and rng.random() < 0.4 else 0
        gap_ns = int(rng.choice([1, 1_000, 1_000_000]))
        out.append((arrival_ns, structs.replace(message, t_ns=before + gap_ns) if before else message))
    return out


def in_bursts(rng: np.random.Generator, sent: list[Sent]) -> list[Sent]:
    """As of a network that stands still now and then."""
    hold_ns = int(rng.choice([300_000_000, 700_000_000]))
    return [((arrival_ns // hold_ns + 1) * hold_ns, message) for arrival_ns, message in sent]


def of_other_sizes(rng: np.random.Generator, sent: list[Sent]) -> list[Sent]:
    """As of a phone that is turned, or changes its resolution."""
    share = float(rng.choice([0.25, 0.5, 1.5]))

    def changed(message: Keypoints2D) -> Keypoints2D:
        width, height = message.size_px
        size = (round(share * width), round(share * height))
        if rng.random() < 0.5:
            return structs.replace(message, size_px=size, xy=np.float32(share) * message.xy)
        return structs.replace(message, size_px=(height, width), xy=message.xy[..., ::-1].copy())

    return [(arrival_ns, changed(message) if rng.random() < 0.1 else message) for arrival_ns, message in sent]


def that_are_wrong(rng: np.random.Generator, sent: list[Sent]) -> list[Sent]:
    """Joints far outside, joints that are not visible, other places, nobody."""

    def wrong(message: Keypoints2D) -> Keypoints2D:
        kind, few = rng.integers(4), np.asarray(rng.random(message.score.shape) < 0.3)
        if kind == 0:
            return structs.replace(message, xy=np.where(few[..., None], 9000, message.xy).astype(np.float32))
        if kind == 1:
            return structs.replace(message, score=message.score * few)
        if kind == 2:
            return structs.replace(message, xy=message.xy + np.float32(rng.normal(0, 200)))
        return structs.replace(message, xy=message.xy[:0], score=message.score[:0])

    return [(arrival_ns, wrong(message) if rng.random() < 0.3 else message) for arrival_ns, message in sent]


def with_a_gap(rng: np.random.Generator, sent: list[Sent]) -> list[Sent]:
    """As of a page that is loaded again, or joins late."""
    start_ns, end_ns = START_NS + np.sort(rng.uniform(-0.3, SECONDS, 2)) * 1e9
    return [(arrival_ns, message) for arrival_ns, message in sent if not start_ns < message.t_ns < end_ns]


CHANGES: tuple[Change, ...] = (at_almost_the_same_time, in_bursts, of_other_sizes, that_are_wrong, with_a_gap)


def any_frames(rng: np.random.Generator, views: int) -> list[Sent]:
    sent = arrivals(rng.uniform(-0.05, 0.05, views).tolist(), SECONDS)
    sent = sent[:: int(rng.choice([1, 3]))]
    for _ in range(int(rng.integers(1, 4))):
        change, view = CHANGES[int(rng.integers(len(CHANGES)))], f"cam{rng.integers(views)}"
        theirs = change(rng, [one for one in sent if one[1].camera == view])
        sent = sorted([*(one for one in sent if one[1].camera != view), *theirs], key=lambda one: one[0])
    return sent


def check(engine: Engine, seed: int) -> None:
    rng = np.random.default_rng(seed)
    views = int(rng.integers(1, 5))
    estimator = Estimator(config(views), engine)
    if views > 1 and rng.random() < 0.5:
        estimator.restart_with(RigSolution(calibration(views), LENGTH_M, np.zeros((0, J, 3)), 1.0, 1.0, np.inf))
    cameras = CameraInputs([f"cam{view}" for view in range(views)], (), follow=True)
    steps = [
        step
        for step in time_steps(cameras, SimulatedClock(any_frames(rng, views), views, 150.0), estimator, Event())
        if step is not None
    ]
    assert steps
    for step in steps:
        assert step.pose is not None, step.failure
        assert np.abs(step.pose.xyz).max() < ROOM_M


@pytest.mark.parametrize("seed", range(4))
def test_whatever_cameras_send_and_whenever_every_time_step_has_a_pose_in_the_room(engine: Engine, seed: int) -> None:
    check(engine, seed)
