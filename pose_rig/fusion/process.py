"""The fusion process: keypoints in, poses out."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from typing import Protocol

from pose_rig.fusion.camera_inputs import CameraInputs, MessageSource
from pose_rig.fusion.clocks import COLLECTING_S, FileClock, LiveClock
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.message_file import MessageFile
from pose_rig.fusion.output import FusionOutput, OpenPoses
from pose_rig.fusion.publisher import RECORDER_HWM, Publisher
from pose_rig.fusion.recorded_clock import RecordedClock
from pose_rig.fusion.rig.background import BackgroundCompute
from pose_rig.fusion.rig.clock_check import ClockCheck
from pose_rig.fusion.rig.solver_process import SolverProcess
from pose_rig.fusion.time_steps import StepClock, TimeStep, TimeSteps, time_steps
from pose_rig.fusion.two_passes import TwoPasses
from pose_rig.graph import Engine
from pose_rig.wire.bus import Delivery, Receiver, Sender, bind_publisher
from pose_rig.wire.jobs import FusionJob, Stop
from pose_rig.wire.messages import Message


class RecordedSteps(Protocol):
    """Yields what `time_steps` does where cameras are solved and fixed, in less time: many at once."""

    @property
    def learning(self) -> TimeSteps:
        """The loop of a pass that solves the cameras."""

    @property
    def following(self) -> Callable[[CameraInputs, RecordedClock, Estimator, Stop], Iterator[TimeStep | None]]:
        """The loop of a live run whose recorded rig is used."""

    def start(self, steps: int) -> None:
        """Prepares for a number of time steps."""

    def __call__(
        self, cameras: CameraInputs, clock: StepClock, estimator: Estimator, stop: Stop
    ) -> Iterator[TimeStep | None]:
        """Yields every time step, and None now and then."""


def main(
    job: FusionJob, stop: Stop, engine: Engine, open_poses: OpenPoses, recorded: RecordedSteps | None = None
) -> None:
    """Fuses until every camera has ended, or until it is stopped; then finishes the poses file.

    Args:
        job: What to do.
        stop: Asks the process to end.
        engine: Runs the graph.
        open_poses: Opens the poses file.
        recorded: Fuses recordings whose cameras are known; None = one time step after the other.

    Raises:
        PoseRigError: An endpoint is taken, or the poses file cannot be written.
    """
    # after an error the poses so far are left to the fusion that is started next, or to `recover`
    config, live = job.config, job.config.pace == "realtime"
    delivery: Delivery = "best-effort" if live else "lossless"
    with ExitStack() as stack:
        receivers = [
            stack.enter_context(Receiver(endpoint, delivery, bind=True, keys=job.keys)) for endpoint in job.inputs
        ]
        publisher = stack.enter_context(closing(open_publisher(job, stop, waits=not live)))
        background = stack.enter_context(background_compute()) if live else BackgroundCompute()
        estimator = Estimator(config, engine, background)
        output = FusionOutput(job, estimator, publisher, open_poses(job), engine, receivers)
        if live:
            names = [camera.name for camera in config.camera]
            cameras = CameraInputs(
                names, receivers, live=True, accept=output.forward, reject=output.reject, follow=True
            )
            clock = LiveClock(config.fusion.rate_hz, len(names), config.fusion.max_delay_ms)
            fuse(cameras, clock, estimator, output, stop)
        else:
            fuse_files(job, receivers, estimator, output, stop, recorded, collecting_s=COLLECTING_S)
        output.finish()


def fuse(
    cameras: CameraInputs,
    clock: StepClock,
    estimator: Estimator,
    output: FusionOutput,
    stop: Stop,
    steps: TimeSteps = time_steps,
) -> None:
    """Publishes the pose of every time step."""
    for step in steps(cameras, clock, estimator, stop):
        if step is not None:
            output.publish(step)
        output.report(clock.skipped)


def fuse_files(
    job: FusionJob,
    sources: Sequence[MessageSource],
    estimator: Estimator,
    output: FusionOutput,
    stop: Stop,
    recorded: RecordedSteps | None = None,
    *,
    collecting_s: float = 0.0,
) -> None:
    """Fuses every frame of the fastest file; with two passes, the first one solves the rig for the second one.

    In one pass, ``collecting_s`` is as in `FileClock`.
    """
    names = [camera.name for camera in job.config.camera]
    if job.config.people > 1:  # the identities of a time step depend on those before it
        recorded = None
    if job.config.passes == 1:
        fuse_once(names, sources, estimator, output, stop, FileClock(collecting_s=collecting_s))
        return
    with ExitStack() as stack:
        files = [stack.enter_context(closing(MessageFile())) for _ in names]
        steps = time_steps if recorded is None else recorded.learning
        passes = TwoPasses(names, files, estimator, output, stop, steps)
        passes.first(sources)
        output.in_first_pass = stop.is_set()
        if not stop.is_set():
            recorded = None if job.config.exact else recorded
            if recorded is not None:
                recorded.start(passes.frames)
            passes.solve()
            cameras = passes.inputs(output.record_keypoints)
            output.exact = recorded is None or estimator.mode != "solved"
            steps = time_steps if recorded is None or output.exact else recorded
            fuse(cameras, FileClock(), estimator, output, stop, steps)


def fuse_once(
    names: Sequence[str],
    sources: Sequence[MessageSource],
    estimator: Estimator,
    output: FusionOutput,
    stop: Stop,
    clock: FileClock,
) -> None:
    """Fuses every frame of the fastest file with the clocks as they are, and reports those that are off."""
    check = ClockCheck(len(names), estimator.track, estimator.report_clocks, several=estimator.may_show_several)

    def accept(view: int, message: Message) -> None:
        output.forward(view, message)
        check.add(view, message)

    cameras = CameraInputs(names, sources, accept=accept, reject=output.reject)
    for step in time_steps(cameras, clock, estimator, stop):
        if step is not None:
            output.publish(step)
            check.step(step.t_ns)
        output.report(clock.skipped)
    check.finish()


def open_publisher(job: FusionJob, stop: Stop, *, waits: bool) -> Publisher:
    """Returns where the messages of a job go; ``waits`` as in `Publisher`.

    Raises:
        UsageError: An endpoint is taken.
    """
    subscribers = bind_publisher(job.output, job.internal, job.keys)
    recorder = Sender(job.record, "lossless", keys=job.keys, send_hwm=RECORDER_HWM) if job.record else None
    publisher = Publisher(subscribers, recorder, waits=waits, stopped=stop.is_set)
    publisher.recording &= job.records
    return publisher


@contextmanager
def background_compute(*, replayed: bool = False) -> Iterator[BackgroundCompute]:
    """Averages rotations, groups detections by person, and lifts, in threads; solves and compares clocks in a process.

    Args:
        replayed: As in `BackgroundCompute`.
    """
    solver = SolverProcess()
    solver.start()
    executor = ThreadPoolExecutor(5, thread_name_prefix="rig")
    try:
        yield BackgroundCompute(executor, solver.solve, solver.run, replayed)
    finally:
        solver.close()
        executor.shutdown(wait=False, cancel_futures=True)
