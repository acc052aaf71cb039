from contextlib import ExitStack
from itertools import count

from pose_rig.remote.gateway import LOST_AFTER_S
from pose_rig.wire.authentication import generate_keys
from pose_rig.wire.messages import Health, Keypoints2D, Message, Streams
from pose_rig.wire.records import Gap, VideoFrame
from pose_rig.wire.remote_messages import TimeReply, TimeRequest
from pose_rig.wire.router import Dealer, new_session
from tests.remote.rigs import Rig, keypoints, running, until


class Camera:
    """The end of a camera, by hand."""

    def __init__(self, stack: ExitStack, rig: Rig, name: str = "hall") -> None:
        self.rig, self.name = rig, name
        self.dealer = stack.enter_context(Dealer(rig.endpoint, rig.keys, new_session()))
        self.replies: list[TimeReply] = []

    def ask(self) -> TimeReply:
        """Returns the reply to a request."""
        before = len(self.replies)

        def replied() -> bool:
            self.dealer.send(TimeRequest(camera=self.name, host="laptop", sent_ns=5))
            self.rig.receive()
            self.replies += [one for one in self.dealer.receive() if isinstance(one, TimeReply)]
            return len(self.replies) > before

        until(replied)
        return self.replies[-1]

    def send(self, message: Message) -> None:
        assert self.dealer.send(message)


def health(name: str = "hall", **more: object) -> Health:
    return Health(worker=name, t_ns=1, state="running", host="laptop", **more)  # type: ignore[arg-type]


def test_a_camera_that_has_asked_is_one_of_the_rig() -> None:
    with running("hall") as rig, ExitStack() as stack:
        camera = Camera(stack, rig)
        rig.start.value = 77
        until(lambda: camera.ask().start_ns == 77)
        reply = camera.replies[-1]
        assert (reply.refusal, reply.video, reply.sent_ns) == ("", False, 5)
        assert 0 < reply.received_ns <= reply.answered_ns
        camera.send(keypoints("hall", 3))
        camera.send(health())
        until(lambda: any(isinstance(one, Keypoints2D) for one in rig.fusion), rig.receive)
        until(lambda: (newest := rig.newest("hall")) and newest.state == "running", rig.receive)


def test_the_rig_waits_for_a_camera_and_says_when_it_is_lost() -> None:
    with running("hall", "door") as rig, ExitStack() as stack:
        until(lambda: rig.newest("door"), rig.receive)
        waiting = rig.newest("door")
        assert waiting is not None
        assert (waiting.state, waiting.frames) == ("starting", 0)
        assert waiting.detail == "waiting for its machine: pose-rig camera --name door"
        camera = Camera(stack, rig)
        camera.ask()
        camera.send(health(frames=30, rate_hz=25.0))
        until(lambda: (one := rig.newest("hall")) and one.frames == 30, rig.receive)
        until(lambda: (one := rig.newest("hall")) and one.state == "starting", rig.receive)
        lost = rig.newest("hall")
        assert lost is not None
        assert lost.error == "No message from its machine laptop: waiting for it."
        assert (lost.frames, lost.rate_hz) == (30, 0.0)  # frames are not counted again
        camera.ask()
        camera.send(health(frames=31))
        until(lambda: (one := rig.newest("hall")) and one.state == "running", rig.receive)


def test_a_camera_of_another_name_is_refused_with_a_remedy() -> None:
    with running("hall", "door") as rig, ExitStack() as stack:
        reply = Camera(stack, rig, "attic").ask()
        assert reply.refusal == (
            "This rig has no remote camera attic. Start with --name hall or door, or run the rig with remote:NAME in "
            "--cams."
        )


def test_messages_of_others_are_counted_and_go_nowhere() -> None:
    with running("hall", "door") as rig, ExitStack() as stack:
        camera, silent = Camera(stack, rig), Camera(stack, rig)
        camera.ask()
        until(lambda: silent.dealer.send(keypoints("hall", 1)))  # has not asked
        camera.send(keypoints("door", 2))
        camera.send(Health(worker="fusion", t_ns=1, state="ended"))
        camera.send(Gap(source="door", what="video", from_ns=1, t_ns=2, missing=1))
        camera.send(Streams(t_ns=1, targets=()))
        camera.send(keypoints("hall", 9))
        until(lambda: any(isinstance(one, Keypoints2D) for one in rig.fusion), rig.receive)
        until(lambda: (own := rig.newest("gateway")) and own.dropped == 5, rig.receive)
        assert [one.t_ns for one in rig.fusion if isinstance(one, Keypoints2D)] == [9]
        own = rig.newest("gateway")
        assert own is not None
        assert "not of a camera that has joined" in own.error


def image(index: int, *, keyframe: bool) -> VideoFrame:
    return VideoFrame(
        camera="hall", index=index, t_ns=index, size_px=(4, 4), format="h264", keyframe=keyframe, data=b"x" * 100_000
    )  # fmt: skip


def test_images_after_one_that_the_recorder_could_not_take_wait_for_a_keyframe() -> None:
    with running("hall", video=True) as rig, ExitStack() as stack:
        camera = Camera(stack, rig)
        assert camera.ask().video
        index = 0

        def is_behind() -> bool:
            nonlocal index
            index += camera.dealer.send(image(index + 1, keyframe=index == 0))
            return (own := rig.newest("gateway")) is not None and own.dropped > 0

        until(is_behind, lambda: rig.receive(recorder=False))
        later = count(10**6)

        def send_keyframe(number: int) -> None:
            camera.dealer.send(image(number, keyframe=True))

        until(
            lambda: [one for one in rig.recorder if isinstance(one, VideoFrame) and one.index >= 10**6],
            lambda: send_keyframe(next(later)),  # one may come too early, too
            rig.receive,
        )
        taken = [one.index for one in rig.recorder if isinstance(one, VideoFrame) and one.index < 10**6]
        assert taken == list(range(1, len(taken) + 1))  # no image without those before it
        assert len(taken) < index


def test_the_newest_process_of_a_camera_counts_while_it_lives() -> None:
    with running("hall") as rig, ExitStack() as stack:
        first = Camera(stack, rig)
        assert first.ask().refusal == ""
        with ExitStack() as shorter:
            second = Camera(shorter, rig)
            assert second.ask().refusal == ""
            until(lambda: first.ask().refusal.startswith("Another machine sends as hall now."))
            assert second.ask().refusal == ""
        until(lambda: first.ask().refusal == "", within_s=10 * LOST_AFTER_S)


def test_without_the_key_nothing_happens_and_the_health_says_so() -> None:
    with running("hall") as rig, Dealer(rig.endpoint, generate_keys(), new_session()) as wrong:

        def counted() -> bool:
            assert not wrong.send(keypoints("hall", 1))
            rig.receive()
            own = rig.newest("gateway")
            return own is not None and own.refused > 0

        until(counted)
        own = rig.newest("gateway")
        assert own is not None
        assert own.error == "A program without the key of this machine tried to connect and was refused."
        assert not any(isinstance(one, Keypoints2D) for one in rig.fusion)
