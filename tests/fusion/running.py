"""A fusion process in a thread, and cameras that send to it over real ZeroMQ.

Published messages may be dropped by a busy subscriber. Where tests of files count messages, they receive as the
recorder does, without loss.
"""

import threading
import time
from collections.abc import Callable

import numpy as np

from pose_rig.config import FusionConfig, Pace
from pose_rig.fusion.process import main
from pose_rig.graph import Engine
from pose_rig.session.formats.poses_writer import open_poses
from pose_rig.wire.authentication import Keys
from pose_rig.wire.bus import Delivery, Receiver, Sender
from pose_rig.wire.jobs import FusionJob
from pose_rig.wire.messages import Health, Keypoints2D, Message, Pose3D, State
from tests.fusion.fakes import Scene, config
from tests.fusion.people.scenes import PeopleScene
from tests.ports import free_endpoint

VIEWS = 2
DEADLINE_S = 30.0


class Running:
    """A fusion process in a thread, one sender per camera, and a consumer."""

    def __init__(
        self,
        engine: Engine,
        pace: Pace,
        views: int = VIEWS,
        rate_hz: float = 60.0,
        keys: Keys | None = None,
        **changes: object,
    ) -> None:
        delivery: Delivery = "best-effort" if pace == "realtime" else "lossless"
        inputs = tuple(free_endpoint() for _ in range(views if delivery == "lossless" else 1))
        rig = config(views, pace=pace, fusion=FusionConfig(rate_hz=rate_hz), **changes)
        record = free_endpoint() if delivery == "lossless" else ""
        self.job = FusionJob(rig, inputs, free_endpoint(), record, keys=keys)
        self.stop = threading.Event()
        self.failure: list[BaseException] = []
        self.consumer = Receiver(record, delivery, bind=True, keys=keys) if record else Receiver(self.job.output)
        self.received: list[Message] = []
        self.thread = threading.Thread(target=self._main, args=(engine,))
        self.thread.start()
        self.senders = [Sender(inputs[v % len(inputs)], delivery, keys=keys) for v in range(views)]

    def _main(self, engine: Engine) -> None:
        try:
            main(self.job, self.stop, engine, open_poses)
        except BaseException as error:
            self.failure.append(error)

    def until(self, done: Callable[[], bool], tell: Callable[[], object] = lambda: None) -> None:
        """Receives, and calls ``tell`` now and then, until a condition holds."""
        deadline = time.monotonic() + DEADLINE_S
        while not done():
            assert time.monotonic() < deadline, f"received only {[type(m).__name__ for m in self.received[-20:]]}"
            assert not self.failure, self.failure
            tell()
            self.received += self.consumer.receive(5)

    def wait_for_end(self) -> None:
        """Receives until the process has exited and its last message has arrived."""
        self.until(lambda: not self.thread.is_alive())
        self.until(lambda: any(health.state == "ended" for health in self.health()))

    def poses(self) -> list[Pose3D]:
        return [message for message in self.received if isinstance(message, Pose3D)]

    def health(self) -> list[Health]:
        return [message for message in self.received if isinstance(message, Health) and message.worker == "fusion"]

    def close(self) -> None:
        self.stop.set()
        self.thread.join(10)
        self.consumer.close()
        for sender in self.senders:
            sender.close()
        assert not self.thread.is_alive()


def keypoints(
    scene: Scene | PeopleScene, view: int, index: int, t_ns: int | None = None, schema: str = "rig17"
) -> Keypoints2D:
    xy, score = scene.xy_px[view, index].astype(np.float32), scene.score[view, index].astype(np.float32)
    return Keypoints2D(
        camera=f"cam{view}", index=index, t_ns=scene.t_ns(index) if t_ns is None else t_ns, size_px=(1280, 720),
        landmarks=schema, xy=xy.reshape(-1, *xy.shape[-2:]), score=score.reshape(-1, score.shape[-1]),
    )  # fmt: skip


def health(view: int, state: State, total: int | None = None) -> Health:
    return Health(worker=f"cam{view}", t_ns=0, state=state, total_frames=total)


def play(running: Running, scene: Scene) -> None:
    """Sends a whole scene without loss, one camera after the other, in threads as processes would."""

    def send(view: int) -> None:
        for index in range(len(scene.joints)):
            running.senders[view].send(keypoints(scene, view, index))
        running.senders[view].send(health(view, "ended"))

    threads = [threading.Thread(target=send, args=(view,)) for view in range(len(running.senders))]
    for thread in threads:
        thread.start()
    running.wait_for_end()
    for thread in threads:
        thread.join(5)


class Live:
    """Cameras that send a scene repeatedly at their own rate."""

    def __init__(self, running: Running, scene: Scene | PeopleScene, fps: float = 30.0) -> None:
        self.running, self.scene, self.fps = running, scene, fps
        self.index = [0] * len(running.senders)
        self.on = [True] * len(running.senders)

    def __call__(self) -> None:
        for view, sender in enumerate(self.running.senders):
            now_ns = time.monotonic_ns()
            due = round(now_ns * 1e-9 * self.fps)
            if self.on[view] and due > self.index[view]:
                self.index[view] = due
                one = keypoints(self.scene, view, due % len(self.scene.joints), now_ns)
                sender.send(Keypoints2D(**{**{f: getattr(one, f) for f in one.__struct_fields__}, "index": due}))


def is_finite(pose: Pose3D) -> bool:
    return bool(np.isfinite(pose.xyz).all() and np.isfinite(pose.residual_px).all())
