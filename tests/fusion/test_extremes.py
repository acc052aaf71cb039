"""Values that no image and no person has."""

import time
from contextlib import suppress
from dataclasses import fields, replace
from typing import Any, Literal

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from pose_rig.errors import MessageError, PoseRigError
from pose_rig.fusion.camera_inputs import MAX_LANDMARKS, MAX_OFFSET_IMAGES, checked
from pose_rig.fusion.pose_messages import is_publishable
from pose_rig.graph import Engine, GraphInput, GraphOutput
from pose_rig.lifting.providers import ProviderEngine
from pose_rig.wire.messages import MAX_COORDINATE_M, MAX_COORDINATE_PX, Health, Keypoints2D, Pose3D
from tests.fusion.fakes import Scene, film, new_estimator, ring, run, walk
from tests.fusion.running import VIEWS, Running, is_finite, keypoints, play

FRAMES = 45
Spoil = Literal["nan", "huge", "raise"]


@pytest.fixture(scope="module")
def scene() -> Scene:
    return film(walk(FRAMES / 30), ring(VIEWS))


def changed(message: Keypoints2D, **values: object) -> Keypoints2D:
    return msgspec.structs.replace(message, **values)


def test_points_far_outside_the_image_are_ignored(scene: Scene) -> None:
    good = keypoints(scene, 0, 0)
    xy = good.xy.copy()
    width, height = good.size_px
    xy[0, :4] = [
        [-MAX_OFFSET_IMAGES * width - 1, 5],
        [5, (1 + MAX_OFFSET_IMAGES) * height + 1],
        [-MAX_OFFSET_IMAGES * width + 1, 5],
        [5, (1 + MAX_OFFSET_IMAGES) * height - 1],
    ]
    got = checked(changed(good, xy=xy), "", live=False)
    np.testing.assert_array_equal(got.score[0, :4] > 0, [False, False, True, True])
    np.testing.assert_array_equal(got.xy[0, 2:], xy[0, 2:])
    assert checked(good, "", live=False) is good


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"xy": np.zeros((17, 17, 2), np.float32), "score": np.zeros((17, 17), np.float32)}, "'xy' has 17 people"),
        (
            {
                "landmarks": ",".join(f"p{i}" for i in range(MAX_LANDMARKS + 1)),
                "xy": np.zeros((1, MAX_LANDMARKS + 1, 2), np.float32),
                "score": np.zeros((1, MAX_LANDMARKS + 1), np.float32),
            },
            f"'xy' has {MAX_LANDMARKS + 1} landmarks",
        ),
        ({"t_ns": 1}, "'t_ns' lies in the past"),
        ({"t_ns": 1 << 61}, "'t_ns' lies in the future"),
    ],
)
def test_messages_that_no_live_camera_sends_are_rejected(scene: Scene, values: dict[str, Any], text: str) -> None:
    good = keypoints(scene, 0, 0, time.monotonic_ns())
    assert checked(good, "", live=True) is good
    with pytest.raises(MessageError, match=text):
        checked(changed(good, **values), "", live=True)


class Spoilt:
    """The real graph, but for some of its answers."""

    def __init__(self, engine: Engine, how: Spoil, calls: range) -> None:
        self._engine, self._how, self._calls = engine, how, calls
        self.provider, self.reason = engine.provider, engine.reason
        self.count = 0

    def run(self, given: GraphInput) -> GraphOutput:
        out = self._engine.run(given)
        self.count += 1
        if self.count - 1 not in self._calls:
            return out
        if self._how == "raise":
            raise np.linalg.LinAlgError("SVD did not converge")
        return GraphOutput(*(_spoil(getattr(out, field.name), self._how) for field in fields(out)))


def _spoil(values: NDArray[np.float32], how: Spoil) -> NDArray[np.float32]:
    return np.full_like(values, np.nan if how == "nan" else 3e38)


def recorded(engine: Engine, scene: Scene) -> Running:
    """Returns a run of a whole scene with all messages that it published."""
    running = Running(engine, "all", views=VIEWS)
    try:
        with suppress(AssertionError):  # of one who waits for poses
            play(running, scene)
    finally:
        running.close()
    return running


def last_of(running: Running) -> Health:
    return [one for one in running.received if isinstance(one, Health) and one.worker == "fusion"][-1]


def poses_of(running: Running) -> list[Pose3D]:
    return [one for one in running.received if isinstance(one, Pose3D)]


@pytest.mark.parametrize("how", ["nan", "huge", "raise"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_graph_that_fails_for_a_while_costs_poses_and_not_the_process(
    engine: Engine, scene: Scene, how: Spoil
) -> None:
    spoilt = Spoilt(engine, how, range(20, 22))
    running = recorded(spoilt, scene)
    assert not running.failure
    assert spoilt.count > 22
    poses, last = poses_of(running), last_of(running)
    assert last.state == "ended"
    assert last.error.startswith("No pose could be computed from the keypoints: ")
    assert 1 <= last.dropped <= 13
    assert last.frames + last.dropped == FRAMES
    assert poses[-1].tracking == 1
    assert all(is_finite(pose) for pose in poses)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_graph_that_always_fails_ends_the_run(engine: Engine) -> None:
    running = recorded(Spoilt(engine, "nan", range(100_000)), film(walk(25.0), ring(VIEWS)))
    (failure,) = running.failure
    assert isinstance(failure, PoseRigError)
    assert failure.cause.startswith("No pose could be computed from the keypoints: ")


def test_the_cpu_takes_over_from_a_gpu_that_fails_and_the_health_says_so(engine: Engine, scene: Scene) -> None:
    failing = Spoilt(engine, "raise", range(20, 100_000))
    failing.provider = "cuda"
    running = recorded(ProviderEngine(failing, engine, "the fastest"), scene)
    assert not running.failure
    healths = [one for one in running.received if isinstance(one, Health) and one.worker == "fusion"]
    assert healths[0].detail == "cuda (the fastest)"
    last = healths[-1]
    assert (last.frames, last.dropped) == (FRAMES, 0)
    assert last.detail == "cpu (cuda failed in mid-run: SVD did not converge)"
    want = poses_of(recorded(engine, scene))
    assert [one.xyz.tobytes() for one in poses_of(running)] == [one.xyz.tobytes() for one in want]


@pytest.mark.parametrize(("field", "value"), [("xyz", np.nan), ("xyz", 2e5), ("score", np.inf), ("residual_px", 1e39)])
def test_a_pose_out_of_bounds_is_not_published(engine: Engine, scene: Scene, field: str, value: float) -> None:
    pose = run(scene, new_estimator(engine, VIEWS))[-1]
    assert is_publishable(pose)
    wrong = np.array(getattr(pose, field))
    wrong.flat[0] = value
    assert not is_publishable(replace(pose, **{field: wrong}))  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(4))
def test_random_points_within_all_bounds_end_no_process(engine: Engine, scene: Scene, seed: int) -> None:
    """Whatever the cameras see, every frame is a pose or is counted."""
    rng = np.random.default_rng(seed)
    scale = np.exp(rng.uniform(0, np.log(MAX_COORDINATE_PX), (VIEWS, FRAMES, 17, 2)))
    wild = replace(scene, xy_px=np.clip(rng.normal(size=scale.shape) * scale, -MAX_COORDINATE_PX, MAX_COORDINATE_PX))
    running = recorded(engine, wild)
    assert not running.failure
    last = last_of(running)
    assert last.frames + last.dropped == FRAMES
    assert all(is_finite(pose) and np.abs(pose.xyz).max() <= MAX_COORDINATE_M for pose in poses_of(running))
