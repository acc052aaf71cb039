import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import numpy as np
import pytest

from pose_rig.capture.source import Detections
from pose_rig.capture.thumbnails import ThumbnailSender
from pose_rig.remote.link import RigLink, SleepDetector
from pose_rig.wire.authentication import generate_keys
from pose_rig.wire.bus import Sender
from pose_rig.wire.live_images import Thumbnail
from pose_rig.wire.messages import Health, Keypoints2D
from pose_rig.wire.records import Gap, VideoFrame
from tests.remote.rigs import RATE, OtherClock, Rig, keypoints, running, until

IMAGE = np.zeros((8, 8, 3), np.uint8)


@contextmanager
def linked(rig: Rig, clock: OtherClock) -> Iterator[tuple[RigLink, Sender]]:
    """Yields a link that has joined, and what its worker sends with."""
    with (
        closing(RigLink("hall", rig.endpoint, rig.keys, clock)) as link,
        Sender(link.endpoint, keys=link.keys) as worker,
    ):

        def connected() -> bool:
            worker.send(Health(worker="hall", t_ns=1, state="ready"))
            link.step(5)
            rig.receive()
            return link.health is not None and link.estimate is not None and link.state == "joined"

        until(connected)
        yield link, worker


def frame(t_ns: int) -> VideoFrame:
    return VideoFrame(camera="hall", index=1, t_ns=t_ns, size_px=(4, 4), format="jpeg", keyframe=True, data=b"x" * 999)


def test_times_of_another_clock_become_those_of_the_rig() -> None:
    clock = OtherClock()
    with running("hall") as rig, linked(rig, clock) as (link, worker):
        until(lambda: link.estimate and link.estimate.uncertainty_s < 0.05, link.step)
        bound_s = 0.05 if link.estimate is None else link.estimate.uncertainty_s
        sent_ns: list[int] = []

        def all_arrived() -> bool:
            if len(sent_ns) < 40:
                sent_ns.append(time.monotonic_ns())
                worker.send(keypoints("hall", clock.of(sent_ns[-1]), len(sent_ns)))
            link.step(10)
            rig.receive()
            return sum(isinstance(one, Keypoints2D) for one in rig.fusion) == 40

        until(all_arrived)
        got = [one for one in rig.fusion if isinstance(one, Keypoints2D)]
        errors_s = [abs(one.t_ns - sent_ns[one.index - 1]) * 1e-9 for one in got]
        assert max(errors_s) < bound_s + 1e-4
        assert link.estimate is not None
        assert abs(link.estimate.drift) < 20 * RATE  # of the first exchanges


def test_health_says_which_machine_and_how_its_clock_differs() -> None:
    clock = OtherClock()
    with running("hall") as rig, linked(rig, clock) as (link, worker):
        worker.send(keypoints("hall", clock.monotonic_ns() - 5_000_000_000))  # too old
        until(lambda: link._dropped, link.step)
        now_ns = time.monotonic_ns()
        link.send(Health(worker="hall", t_ns=clock.monotonic_ns(), state="running", frames=4))
        until(lambda: (one := rig.newest("hall")) and one.state == "running", rig.receive)
        health = rig.newest("hall")
        assert health is not None
        assert health.host
        assert health.clock_offset_s == pytest.approx((now_ns - clock.of(now_ns)) * 1e-9, abs=0.1)
        assert health.clock_uncertainty_s is not None
        assert abs(health.t_ns - now_ns) < 1e9
        assert (health.frames, health.dropped) == (4, 1)
        assert not any(isinstance(one, Keypoints2D) for one in rig.fusion)


def test_video_has_the_times_of_its_keypoints_and_is_sent_on_demand() -> None:
    clock = OtherClock()
    with running("hall", video=True) as rig, linked(rig, clock) as (link, worker):
        assert link.video is True
        t_ns = clock.monotonic_ns()
        with Sender(link.image_endpoint, "lossless", keys=link.keys) as images:
            images.send(frame(t_ns))
            until(lambda: rig.recorder, link.step, rig.receive)
            for _ in range(20):  # the estimate changes in between
                link.step(5)
            worker.send(keypoints("hall", t_ns, 1))
            images.send(Gap(source="hall", what="video", from_ns=t_ns, t_ns=clock.monotonic_ns(), missing=2))
            until(lambda: len(rig.recorder) == 2, link.step, rig.receive)
            until(lambda: any(isinstance(one, Keypoints2D) for one in rig.fusion), link.step, rig.receive)
        image, gap = rig.recorder
        detected = next(one for one in rig.fusion if isinstance(one, Keypoints2D))
        assert isinstance(image, VideoFrame)
        assert isinstance(gap, Gap)
        assert image.t_ns == detected.t_ns == gap.from_ns
        assert image.data == b"x" * 999


def test_thumbnails_are_sent_while_a_page_shows_them() -> None:
    clock, found = OtherClock(), []
    with running("hall") as rig, linked(rig, clock) as (link, _):
        with closing(ThumbnailSender("hall", link.thumbnail_endpoint, link.keys)) as thumbnails:

            def offer() -> None:
                nothing = Detections.from_arrays(np.zeros((0, 17, 2)), np.zeros((0, 17)))
                t_ns = clock.monotonic_ns()
                thumbnails.offer(IMAGE, nothing, t_ns=t_ns, size_px=(8, 8), landmarks="coco17")
                found.extend(rig.pages.receive(0))

            for _ in range(10):
                offer()
                link.step()
            assert not found
            rig.pages.set_topics((Thumbnail.TOPIC,))
            until(lambda: found, link.step, offer)
        first = found[0]
        assert isinstance(first, Thumbnail)
        assert first.jpeg
        assert abs(first.t_ns - time.monotonic_ns()) < 2e9


def test_the_start_of_files_is_converted() -> None:
    clock = OtherClock()
    with running("hall") as rig, linked(rig, clock) as (link, _):
        assert (link.start_ns, link.video) == (0, False)
        rig.start.value = time.monotonic_ns()
        until(lambda: link.start_ns, link.step)
        assert link.start_ns == pytest.approx(clock.of(rig.start.value), abs=5e7)


def test_the_states_of_a_link() -> None:
    with running("hall") as rig:
        with closing(RigLink("hall", rig.endpoint, generate_keys())) as wrong:
            assert wrong.state == "no reply"
            until(lambda: wrong.state == "wrong key", wrong.step)
        with closing(RigLink("attic", rig.endpoint, rig.keys)) as other:
            until(lambda: other.state == "refused", other.step)
            assert "no remote camera attic" in other.refusal
            assert other.video is None
    with closing(RigLink("hall", rig.endpoint, rig.keys)) as alone:
        alone.send(keypoints("hall", time.monotonic_ns()))
        alone.step(5)
        assert alone.state == "no reply"


def test_a_rig_that_restarts_is_joined_again() -> None:
    clock = OtherClock()
    with ExitStack() as stack:
        with running("hall") as rig:
            link, worker = stack.enter_context(linked(rig, clock))
        until(lambda: link.state == "no reply", link.step)
        with running("hall", endpoint=rig.endpoint, keys=rig.keys) as again:

            def arrived() -> bool:
                worker.send(keypoints("hall", clock.monotonic_ns()))
                return any(isinstance(one, Keypoints2D) for one in again.fusion)

            until(arrived, link.step, again.receive)
            assert link.state == "joined"


class StoppedClock(OtherClock):
    """A clock that can stand still, as it does while a machine sleeps."""

    def stand_still(self, seconds: float) -> None:
        self.shift_ns -= round(seconds * 1e9)


def test_a_machine_that_has_slept_sends_nothing_until_its_clock_is_known_again() -> None:
    clock = StoppedClock()
    with running("hall") as rig, linked(rig, clock) as (link, worker):
        clock.stand_still(4.0)
        link.step(0)
        assert link.estimate is None
        worker.send(keypoints("hall", clock.monotonic_ns()))
        until(lambda: link.estimate, link.step, rig.receive)
        shown_ns = time.monotonic_ns()
        index = 0

        def arrived() -> bool:
            nonlocal index
            index += 1
            worker.send(keypoints("hall", clock.monotonic_ns(), index))
            link.step(5)
            rig.receive()
            return any(isinstance(one, Keypoints2D) for one in rig.fusion)

        until(arrived)
        first = next(one for one in rig.fusion if isinstance(one, Keypoints2D))
        assert first.t_ns > shown_ns - 1e9  # not four seconds ago


def test_a_clock_that_only_drifts_has_not_slept() -> None:
    detector = SleepDetector(OtherClock())
    for _ in range(3):
        time.sleep(0.01)
        assert not detector.happened()
