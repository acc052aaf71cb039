"""What strangers and broken senders put on the fusion process's sockets."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import zmq

from pose_rig.fusion.output import CONNECTION_REFUSED
from pose_rig.wire.authentication import generate_keys
from pose_rig.wire.messages import Health, Keypoints2D, Message
from tests.fusion.fakes import Scene, film, ring, walk
from tests.fusion.running import VIEWS, Live, Running, health, is_finite, keypoints, play
from tests.untrusted_clients import attacker

RNG = np.random.default_rng(0)


@pytest.fixture
def wire() -> Iterator[Callable[[str], "zmq.Socket[bytes]"]]:
    opened = []

    def connect(endpoint: str) -> "zmq.Socket[bytes]":
        made: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PUB)
        made.setsockopt(zmq.LINGER, 0)
        made.connect(endpoint)
        opened.append(made)
        return made

    yield connect
    for made in opened:
        made.close()


def stranger_of(scene: Scene) -> Keypoints2D:
    one = keypoints(scene, 0, 0)
    return Keypoints2D(**{**{name: getattr(one, name) for name in one.__struct_fields__}, "camera": "cam9"})


def tell_of(running: Running, scene: Scene) -> None:
    running.senders[1].send(stranger_of(scene))


UNKNOWN_CAMERA = "Unknown camera 'cam9': not in this rig's configuration."


def test_random_bytes_are_counted_and_change_nothing(
    start: Callable[..., Running], wire: Callable[[str], "zmq.Socket[bytes]"]
) -> None:
    running = start("realtime")
    live, vandal = Live(running, film(walk(1.0), ring(VIEWS))), wire(running.job.inputs[0])
    running.until(lambda: sum(pose.tracking for pose in running.poses()) > 10, live)
    rng = np.random.default_rng(0)

    def garbage() -> None:
        live()
        vandal.send(rng.bytes(200))
        vandal.send(b"keypoints/cam0\0" + RNG.bytes(50))
        vandal.send_multipart([b"keypoints/cam0", b"in", b"parts"])

    running.received.clear()
    running.until(lambda: bool(running.health()) and running.health()[-1].dropped > 30, garbage)
    assert "Message on topic" in running.health()[-1].error
    assert all(pose.tracking == 1 and is_finite(pose) for pose in running.poses())


def test_an_unknown_camera_is_named(start: Callable[..., Running]) -> None:
    running = start("realtime")
    scene = film(walk(1.0), ring(VIEWS))
    live = Live(running, scene)

    def strange() -> None:
        live()
        tell_of(running, scene)

    running.until(lambda: bool(running.health()) and running.health()[-1].dropped > 5, strange)
    assert running.health()[-1].error == UNKNOWN_CAMERA
    assert all(is_finite(pose) for pose in running.poses())


def test_a_program_of_another_run_changes_nothing_and_is_counted(start: Callable[..., Running]) -> None:
    keys, scene = generate_keys(), film(walk(1.0), ring(VIEWS))
    running = start("realtime", keys=keys)
    live = Live(running, scene)
    running.until(lambda: sum(pose.tracking for pose in running.poses()) > 10, live)
    running.received.clear()
    ended = [health(view, "ended") for view in range(VIEWS)]
    with attacker(running.job.inputs, keys.public) as stranger:
        stranger.post(*ended)

        def attack() -> None:
            live()
            stranger.send(*ended, keypoints(scene, 0, 0, time.monotonic_ns()))

        running.until(lambda: any(health.refused >= 3 for health in running.health()), attack)
    assert CONNECTION_REFUSED in {health.error for health in running.health()}
    assert all(pose.tracking == 1 and is_finite(pose) for pose in running.poses())
    assert all("Message on topic" not in health.error for health in running.health())


def test_old_bad_bytes_do_not_hide_a_new_fault(
    start: Callable[..., Running], wire: Callable[[str], "zmq.Socket[bytes]"]
) -> None:
    running, scene = start("realtime"), film(walk(1.0), ring(VIEWS))
    vandal = wire(running.job.inputs[0])
    running.until(lambda: any(health.error for health in running.health()), lambda: vandal.send(b"nonsense"))
    end = time.monotonic() + 1.0
    running.until(lambda: time.monotonic() > end, lambda: tell_of(running, scene))
    assert running.health()[-1].error == UNKNOWN_CAMERA


@pytest.mark.parametrize("passes", [1, 2])
def test_dropped_messages_are_counted_to_the_end(start: Callable[..., Running], passes: int) -> None:
    running = start("all", passes=passes)
    for _ in range(3):
        running.senders[0].send_bytes(b"nonsense")
    play(running, film(walk(0.5), ring(VIEWS)))
    counts = [health.dropped for health in running.health()]
    assert counts == sorted(counts)  # a count that falls reads as that of a restarted process
    assert counts[-1] == 3


def wrong_count(scene: Scene, schema: str = "coco17") -> Keypoints2D:
    """A message that promises K landmarks and brings another number."""
    return Keypoints2D(
        camera="cam0", index=0, t_ns=1, size_px=(640, 480), landmarks=schema,
        xy=np.full((1, 5, 2), 9.0, np.float32), score=np.ones((1, 5), np.float32),
    )  # fmt: skip


def lossless(
    start: Callable[..., Running], path: Path, messages: list[Message], total: int
) -> tuple[Health, np.ndarray]:
    """Sends messages for camera 0 and a plain scene for camera 1; returns the last health and xy of camera 0."""
    running = start("all", save=str(path))
    scene = film(walk(1.0), ring(VIEWS))
    for message in messages:
        running.senders[0].send(message)
    for index in range(total):
        running.senders[1].send(keypoints(scene, 1, index))
    running.until(lambda: bool(running.health()))
    for view in range(VIEWS):
        running.senders[view].send(health(view, "ended"))
    running.wait_for_end()
    assert not running.failure
    with np.load(path) as got:
        return running.health()[-1], got["xy"][:, 0]


def test_a_message_with_the_wrong_number_of_landmarks_is_counted(start: Callable[..., Running], tmp_path: Path) -> None:
    scene = film(walk(1.0), ring(VIEWS))
    good = [keypoints(scene, 0, index) for index in range(30)]
    bad = wrong_count(scene, "rig17")
    health, xy = lossless(start, tmp_path / "poses.npz", [*good[:10], bad, bad, *good[10:]], 30)
    assert health.dropped == 2
    assert health.error.startswith("Message on topic 'keypoints/cam0': field 'xy' has 5 landmarks")
    assert np.isfinite(xy).all()


def test_a_refused_message_changes_nothing(start: Callable[..., Running], tmp_path: Path) -> None:
    scene = film(walk(1.0), ring(VIEWS))
    good = [keypoints(scene, 0, index) for index in range(30)]
    bad = wrong_count(scene, "mediapipe33")
    health, xy = lossless(start, tmp_path / "poses.npz", [*good[:10], bad, *good[10:]], 30)
    assert health.dropped == 1
    assert np.isfinite(xy).all()


def test_a_frame_that_is_not_newer_is_counted(start: Callable[..., Running], tmp_path: Path) -> None:
    scene = film(walk(1.0), ring(VIEWS))
    good = [keypoints(scene, 0, index) for index in range(30)]
    health, xy = lossless(start, tmp_path / "poses.npz", [*good[:10], good[9], good[2], *good[10:]], 30)
    assert health.dropped == 2
    assert health.error == "cam0 sent a frame that is not newer than the one before."
    assert np.isfinite(xy).all()


def in_body25(one: Keypoints2D) -> Keypoints2D:
    """The same person as OpenPose would send them: another number of landmarks."""
    xy = np.zeros((1, 25, 2), np.float32)
    for body25, rig17 in (
        (0, 9),
        (1, 8),
        (2, 14),
        (5, 11),
        (8, 0),
        (9, 1),
        (10, 2),
        (11, 3),
        (12, 4),
        (13, 5),
        (14, 6),
    ):
        xy[:, body25] = one.xy[:, rig17]
    fields = {name: getattr(one, name) for name in one.__struct_fields__}
    score = (xy != 0).any(-1).astype(np.float32)
    return Keypoints2D(**{**fields, "landmarks": "body25", "xy": xy, "score": score})


def test_a_camera_may_come_back_with_another_detector(start: Callable[..., Running], tmp_path: Path) -> None:
    scene = film(walk(1.0), ring(VIEWS))
    messages = [keypoints(scene, 0, index, scene.t_ns(index) + 7_000_000) for index in range(30)]
    messages[15:] = [in_body25(one) for one in messages[15:]]
    health, _ = lossless(start, tmp_path / "poses.npz", list(messages), 30)
    assert health.frames == 30


def test_a_sample_from_the_future_does_not_end_a_camera(start: Callable[..., Running]) -> None:
    running = start("realtime", views=1)
    scene = film(walk(1.0), ring(1))
    live = Live(running, scene)
    running.until(lambda: sum(pose.tracking for pose in running.poses()) > 5, live)
    running.senders[0].send(keypoints(scene, 0, 0, time.monotonic_ns() + 3_600_000_000_000))
    end = time.monotonic() + 1.0
    running.until(lambda: time.monotonic() > end, live)
    assert running.poses()[-1].tracking == 1
