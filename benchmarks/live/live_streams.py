"""Streams of simulated live cameras that stamp their frames late, fused in simulated time.

Axes: V views, T frames, J = 17 joints.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any

import numpy as np

from benchmarks.accuracy.movement import FPS
from benchmarks.accuracy.rig_run import LIMB
from benchmarks.accuracy.similarity import pa_mm
from benchmarks.accuracy.simulated_rigs import RigTake, detections_of
from pose_rig.arrays import Floats
from pose_rig.config import CameraConfig, Config
from pose_rig.fusion.camera_inputs import CameraInputs
from pose_rig.fusion.clocks import LiveClock
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.pose.sync import SampleBuffer
from pose_rig.fusion.rig.background import BackgroundCompute
from pose_rig.fusion.synchronisation.camera_clocks import CameraClocks
from pose_rig.fusion.time_steps import TimeStep, time_steps
from pose_rig.graph import Engine
from pose_rig.simulation.cameras import Cameras
from pose_rig.skeleton import JOINT_SET
from pose_rig.wire.messages import Health, Keypoints2D, Message

RATE_HZ = 30.0  # of poses; twice the usual rate would take twice as long and show the same
START_NS = 10_000_000_000  # of the simulated clock
DETECTOR_S, DETECTOR_SD_S = 0.035, 0.004
STAMP_SD_S = 0.002  # of the time stamps of one camera


@dataclass(frozen=True, slots=True)
class Lateness:
    """How late the time stamps of cameras are.

    Attributes:
        before_s: (V,) after the exposure.
        step_at_s: When they change; inf = never.
        after_s: (V,) from then on.
    """

    before_s: Floats
    step_at_s: float
    after_s: Floats

    @classmethod
    def constant(cls, late_s: Floats) -> "Lateness":
        """Returns a lateness that never changes."""
        return cls(late_s, np.inf, late_s)

    def at(self, time_s: float) -> Floats:
        """Returns (V,) the lateness at an exposure."""
        return self.after_s if time_s >= self.step_at_s else self.before_s


@dataclass(frozen=True, slots=True)
class LiveStep:
    """One time step of a live run.

    Attributes:
        time_s: Simulated time since the start, when it was computed.
        step: The result.
        clocks: The clocks in use.
        late: (V) which cameras were left out of the pose.
    """

    time_s: float
    step: TimeStep
    clocks: CameraClocks
    late: Sequence[bool]


class SimulatedClock:
    """A `LiveClock` in simulated time: it delivers the messages that have arrived by the next tick.

    Args:
        arrivals: Time of arrival and message, in this order.
        views: How many cameras there are.
        max_delay_ms: As in `LiveClock`.
    """

    skipped = 0

    def __init__(self, arrivals: Sequence[tuple[int, Message]], views: int, max_delay_ms: float) -> None:
        self._arrivals, self._next = arrivals, 0
        self._clock = LiveClock(RATE_HZ, views, max_delay_ms)
        self.now_ns = START_NS
        self.over = False

    def read(self, cameras: CameraInputs) -> None:
        """Moves on to the next tick, and takes the messages until then."""
        self.now_ns += (self._clock.wait_ms(self.now_ns) + 1) * 1_000_000
        while self._next < len(self._arrivals) and self._arrivals[self._next][0] <= self.now_ns:
            arrival_ns, message = self._arrivals[self._next]
            view = cameras.take(message)
            if view is not None and isinstance(message, Keypoints2D):
                self._clock.arrived(view, arrival_ns - message.t_ns, arrival_ns)
            self._next += 1
        self.over = self._next == len(self._arrivals)

    def tick(self, buffers: Sequence[SampleBuffer]) -> int | None:
        """Returns the time step that is due."""
        return self._clock.tick(buffers, self.now_ns)


def arrivals_of(rig: RigTake, late: Lateness, rng: np.random.Generator) -> list[tuple[int, Message]]:
    """Returns the messages of all cameras, each with frames at times of its own, in order of arrival."""
    found: list[tuple[int, Message]] = []
    people, cameras = rig.take.joints, rig.take.cameras
    for view in range(len(cameras.focal_px)):
        phase = float(rng.uniform(0, 1))
        shown = (1 - phase) * people[:-1] + phase * people[1:]
        one = _camera(cameras, view)
        xy, score = (values[0] for values in detections_of(shown, one, rng, rig.bias))
        found += camera_arrivals(view, phase, one, xy[:, None], score[:, None], late, rng)
    return sorted(found, key=lambda pair: pair[0])


def camera_arrivals(
    view: int, phase: float, camera: Cameras, xy_px: Floats, score: Floats, late: Lateness, rng: np.random.Generator
) -> list[tuple[int, Message]]:
    """Returns the messages of one camera, and when they arrive.

    Args:
        view: Its number.
        phase: When its frames are exposed, from 0 to 1 frame periods after those of the truth.
        camera: The camera.
        xy_px: (F,P,J,2) detections in its frames.
        score: (F,P,J) their scores, 0 where there is none.
        late: How late its time stamps are.
        rng: Random generator.
    """
    found: list[tuple[int, Message]] = []
    width, height = camera.size_px[0].astype(int).tolist()
    last_ns = 0
    for frame in range(len(xy_px)):
        exposure_s = (frame + phase) / FPS
        stamp_s = exposure_s + late.at(exposure_s)[view] + abs(rng.normal(0, STAMP_SD_S))
        t_ns = max(START_NS + round(stamp_s * 1e9), last_ns + 1_000_000)
        arrival_ns = t_ns + round(1e9 * max(rng.normal(DETECTOR_S, DETECTOR_SD_S), 0.001))
        last_ns, seen = t_ns, score[frame].any(-1)
        message = Keypoints2D(
            camera=f"cam{view}", index=frame, t_ns=t_ns, size_px=(width, height), landmarks=JOINT_SET,
            xy=xy_px[frame][seen].astype(np.float32), score=score[frame][seen].astype(np.float32),
        )  # fmt: skip
        found.append((arrival_ns, message))
    found.append((last_ns + 1_000_000_000, Health(worker=f"cam{view}", t_ns=0, state="ended")))
    return found


def _camera(cameras: Cameras, view: int) -> Cameras:
    return cameras.each(lambda values: values[view : view + 1])


def live_run(
    rig: RigTake,
    late: Lateness,
    engine: Engine,
    seed: int,
    max_delay_ms: float = 150.0,
    *,
    follow: bool = True,
    background: BackgroundCompute | None = None,
) -> Iterator[LiveStep]:
    """Yields the time steps of a live run.

    Args:
        rig: The take.
        late: Of its cameras.
        engine: Runs the graph.
        seed: Of detections and timing.
        max_delay_ms: As in `LiveClock`.
        follow: Whether clocks are followed; without, all cameras count as having one.
        background: Where long computations run; None = within the time step.
    """
    arrivals = arrivals_of(rig, late, np.random.default_rng(seed))
    yield from live_steps(
        arrivals, len(rig.take.xy_px), engine, max_delay_ms, follow=follow, background=background, height_m=rig.height_m
    )


def live_steps(
    arrivals: Sequence[tuple[int, Message]],
    views: int,
    engine: Engine,
    max_delay_ms: float = 150.0,
    *,
    follow: bool = True,
    background: BackgroundCompute | None = None,
    **options: Any,
) -> Iterator[LiveStep]:
    """Yields the time steps of a live run.

    Args:
        arrivals: The messages of all cameras, in order of arrival.
        views: How many cameras there are.
        engine: As in `live_run`, as what follows.
        max_delay_ms: See there.
        follow: See there.
        background: See there.
        options: Of the `Config`.
    """
    cameras = tuple(CameraConfig(source="sim", name=f"cam{view}") for view in range(views))
    estimator = Estimator(Config(camera=cameras, **options), engine, background)
    inputs = CameraInputs([camera.name for camera in cameras], (), follow=follow)
    clock = SimulatedClock(arrivals, views, max_delay_ms)
    for step in time_steps(inputs, clock, estimator, Event()):
        if step is not None:
            time_s = (clock.now_ns - START_NS) * 1e-9
            yield LiveStep(time_s, step, estimator.clocks, [age > 0 for age in inputs.late_age_ns])


def pa_errors_mm(rig: RigTake, late: Lateness, steps: Sequence[LiveStep]) -> Floats:
    """Returns the errors of the poses of time steps, NaN where there is none."""
    out = np.full(len(steps), np.nan)
    for at, one in enumerate(steps):
        if one.step.pose is None or not one.step.pose.tracking:
            continue
        camera_s = (one.step.t_ns - START_NS) * 1e-9 - one.clocks.offset_s[0]
        frame = (camera_s - late.at(camera_s - late.after_s[0])[0]) * FPS
        if not 0 <= frame < len(rig.take.joints) - 1:
            continue
        before, share = int(frame), frame % 1
        truth = (1 - share) * rig.take.joints[before] + share * rig.take.joints[before + 1]
        out[at] = pa_mm(one.step.pose.xyz[None, LIMB], truth[None, LIMB])[0]
    return out
