"""Live cameras that stamp their frames late, in simulated time, and the recording of such a run."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from threading import Event
from typing import Any

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.fusion.camera_inputs import CameraInputs
from pose_rig.fusion.clocks import LiveClock
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.pose.sync import SampleBuffer
from pose_rig.fusion.pose_messages import pose_message
from pose_rig.fusion.recorded_clock import RecordedClock, by_time_step
from pose_rig.fusion.rig.background import BackgroundCompute
from pose_rig.fusion.stretches.following_steps import FollowingSteps
from pose_rig.fusion.time_steps import TimeStep, time_steps
from pose_rig.graph import Engine
from pose_rig.wire.messages import Keypoints2D, Message, RigState
from tests.fusion.fakes import config
from tests.fusion.simulated import SIZE_PX, calibration, images
from tests.fusion.synchronisation.clock_takes import dance

RATE_HZ, FPS = 15.0, 30.0
START_NS = 50_000_000_000
DETECTOR_NS = 30_000_000


def arrivals(
    late_s: Sequence[float], seconds: float, noise_px: float = 2.0, people: int = 1
) -> list[tuple[int, Keypoints2D]]:
    """Time of arrival and message of all frames; camera v stamps them ``late_s[v]`` after the exposure.

    Of several people, the first one in a frame is another one in each camera.
    """
    cameras, rng, found = calibration(len(late_s)), np.random.default_rng(3), []
    for view, late in enumerate(late_s):
        exposed_s = (np.arange(round(seconds * FPS)) + 0.3 * view) / FPS
        danced = [dance(np.asarray(exposed_s, float), 3 * person) for person in range(people)]
        shown = [images(one + np.array([1.3 * n, 0.0, 0.0]), cameras)[:, view] for n, one in enumerate(danced)]
        xy_px = np.stack([*shown[view % people :], *shown[: view % people]], 1)
        xy_px = xy_px + rng.normal(0, noise_px, xy_px.shape)
        for index, (time_s, xy) in enumerate(zip(exposed_s.tolist(), xy_px, strict=True)):
            t_ns = START_NS + round((time_s + late) * 1e9)
            found.append((t_ns + DETECTOR_NS, keypoints_of(view, index, t_ns, xy)))
    return sorted(found, key=lambda pair: pair[0])


def keypoints_of(view: int, index: int, t_ns: int, xy: Floats) -> Keypoints2D:
    return Keypoints2D(
        camera=f"cam{view}", index=index, t_ns=t_ns, size_px=(int(SIZE_PX[0]), int(SIZE_PX[1])), landmarks="rig17",
        xy=xy.astype(np.float32), score=np.full(xy.shape[:2], 0.9, np.float32),
    )  # fmt: skip


class SimulatedClock:
    """A `LiveClock` that delivers what has arrived by the next tick."""

    skipped = 0

    def __init__(self, messages: Sequence[tuple[int, Keypoints2D]], views: int, max_delay_ms: float) -> None:
        self._messages, self._clock = list(messages), LiveClock(RATE_HZ, views, max_delay_ms)
        self.now_ns, self.over = START_NS, False

    def read(self, cameras: CameraInputs) -> None:
        self.now_ns += (self._clock.wait_ms(self.now_ns) + 1) * 1_000_000
        while self._messages and self._messages[0][0] <= self.now_ns:
            arrival_ns, message = self._messages.pop(0)
            view = cameras.take(message)
            assert view is not None
            self._clock.arrived(view, arrival_ns - message.t_ns, arrival_ns)
        self.over = not self._messages

    def tick(self, buffers: Sequence[SampleBuffer]) -> int | None:
        return self._clock.tick(buffers, self.now_ns)


class LateResult(Future[Any]):
    """A result that is not there before it was asked for a few times."""

    def __init__(self, result: object) -> None:
        super().__init__()
        self.set_result(result)
        self._asked = 0

    def done(self) -> bool:
        self._asked += 1
        return self._asked > 4


class Late(Executor):
    """Runs everything at once and delivers it a few time steps later."""

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **more: Any) -> Future[Any]:
        return LateResult(work(*arguments, **more))


class LiveTake:
    """A live run, and everything that a recording has of it."""

    def __init__(self, engine: Engine, views: int, people: int = 1) -> None:
        self.views, self.engine, self.config = views, engine, config(views, people=people)
        self.record: list[Message] = []
        self.steps: list[TimeStep] = []
        self.offsets_s: list[Floats] = []
        self.late: list[list[bool]] = []
        self.ages_s: list[float] = []
        self.estimator = Estimator(self.config, engine)

    def run(
        self, messages: Sequence[tuple[int, Keypoints2D]], max_delay_ms: float = 150.0, *, in_background: bool = False
    ) -> "LiveTake":
        if not in_background:
            return self._run(messages, max_delay_ms)
        self.estimator = Estimator(self.config, self.engine, BackgroundCompute(Late()))
        return self._run(messages, max_delay_ms)

    def _run(self, messages: Sequence[tuple[int, Keypoints2D]], max_delay_ms: float) -> "LiveTake":
        names = [f"cam{view}" for view in range(self.views)]
        cameras = CameraInputs(names, (), accept=lambda view, message: self.record.append(message), follow=True)
        clock = SimulatedClock(messages, self.views, max_delay_ms)
        for step in time_steps(cameras, clock, self.estimator, Event()):
            if step is None or step.pose is None:
                continue
            self.ages_s.append((clock.now_ns - step.t_ns) * 1e-9)
            self.steps.append(step)
            self.offsets_s.append(self.estimator.clocks.offset_s)
            self.late.append([age > 0 for age in cameras.late_age_ns])
            self.record += self.estimator.background_results()
            self.record.append(pose_message(step.pose, len(self.steps) - 1, 0, 1.7, True))
            if self.estimator.rig_changed():
                self.record.append(self.estimator.rig_state())
        return self

    def replayed(self) -> list[TimeStep]:
        """The time steps of the recording, exactly."""
        names = [f"cam{view}" for view in range(self.views)]
        cameras = CameraInputs(names, (), follow=True)
        estimator = Estimator(self.config, self.engine, BackgroundCompute(Late(), replayed=True))
        clock = RecordedClock(by_time_step(self.record), estimator, None)
        return [step for step in time_steps(cameras, clock, estimator, Event()) if step is not None]

    def followed(self) -> tuple[list[TimeStep], Estimator]:
        """The time steps of the recording with its cameras, and the estimator after them."""
        names = [f"cam{view}" for view in range(self.views)]
        cameras, estimator = CameraInputs(names, (), follow=True), Estimator(self.config, self.engine)
        rig = RigState(t_ns=0, mode="cold", cameras=())
        clock = RecordedClock(by_time_step(self.record), estimator, rig, follows=True)
        found = FollowingSteps(self.engine)(cameras, clock, estimator, Event())
        return [step for step in found if step is not None], estimator
