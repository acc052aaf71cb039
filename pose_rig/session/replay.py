"""Fuses a session again: exactly as it was fused live, or every frame as files are fused."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from math import inf

from pose_rig.fusion.camera_inputs import CameraInputs
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.output import FusionOutput
from pose_rig.fusion.process import RecordedSteps, background_compute, fuse_files, open_publisher
from pose_rig.fusion.recorded_clock import RecordedClock, RecordedPoses, by_time_step
from pose_rig.fusion.rig.background import BackgroundCompute
from pose_rig.fusion.time_steps import time_steps
from pose_rig.graph import Engine
from pose_rig.session.formats.poses_writer import open_poses
from pose_rig.session.playback import CameraSource, Playback
from pose_rig.session.reader import Session
from pose_rig.session.replay_comparison import ReplayComparison
from pose_rig.wire.jobs import FusionJob, ReplayJob, Stop
from pose_rig.wire.messages import Command, Health, Keypoints2D, Message, Pose3D, RigState
from pose_rig.wire.records import Learned

TOPICS = (Keypoints2D.TOPIC, Pose3D.TOPIC, Learned.TOPIC, Command.TOPIC, Health.TOPIC, RigState.TOPIC)
READY_S = 0.05


def main(
    job: ReplayJob, stop: Stop, engine: Engine, started: Callable[[], bool], recorded: RecordedSteps | None = None
) -> None:
    """Replays until the session ends, or until it is stopped; then finishes the poses file.

    Args:
        job: What to do.
        stop: Asks the process to end.
        engine: Runs the graph.
        started: Whether all subscribers are connected.
        recorded: As in `pose_rig.fusion.process.main`.

    Raises:
        PoseRigError: The session cannot be read, an endpoint is taken, or the poses file cannot be written.
    """
    fusion = job.fusion
    with ExitStack() as stack:
        session = stack.enter_context(Session(job.path))
        publisher = stack.enter_context(closing(open_publisher(fusion, stop, waits=True)))
        background = stack.enter_context(background_compute(replayed=True)) if job.exact else BackgroundCompute()
        estimator = Estimator(fusion.config, engine, background)
        output = FusionOutput(fusion, estimator, publisher, open_poses(fusion), engine)
        playback = Playback(job.realtime, stop)
        output.expect(total := total_frames(session, job))
        if fusion.config.people > 1:
            recorded = None
        followed = recorded if job.exact and job.follows else None
        if recorded is not None and (followed or (fusion.config.passes == 2 and not fusion.config.exact)):
            recorded.start(total or 0)
        while not started() and not stop.is_set():
            output.ready()
            time.sleep(READY_S)
        if job.exact:
            known = session.warnings  # which are shown before a replay begins
            rig = next((m for m in session.messages((RigState.TOPIC,)) if isinstance(m, RigState)), None)
            messages = _in_time(by_time_step(session.messages(TOPICS)), playback, _last_ns(session, job))
            result = repeat(messages, fusion, estimator, output, stop, rig, followed)
            notes = [*(warning for warning in session.warnings if warning not in known), *result]
        else:
            sources = [
                stack.enter_context(closing(CameraSource(job, camera.name, playback)))
                for camera in fusion.config.camera
            ]
            fuse_files(fusion, sources, estimator, output, stop, recorded)
            notes = list(dict.fromkeys(note for source in sources for note in source.warnings))
            notes = [note for note in notes if note not in session.warnings]
        output.finish(notes)


def repeat(
    messages: Iterator[Message | RecordedPoses],
    job: FusionJob,
    estimator: Estimator,
    output: FusionOutput,
    stop: Stop,
    rig: RigState | None = None,
    followed: RecordedSteps | None = None,
) -> list[str]:
    """Publishes the poses of a recorded live run once more; returns how far they are from the recorded ones.

    Args:
        messages: Those of the recording, poses as of `by_time_step`.
        job: What the fusion does.
        estimator: Computes the poses.
        output: Publishes them.
        stop: Asks to end.
        rig: As in `RecordedClock`.
        followed: Computes many poses at once with the recorded cameras; None = one after the other, cameras included.
    """
    cameras = CameraInputs(
        [camera.name for camera in job.config.camera], (), accept=output.forward, reject=output.reject, follow=True
    )
    clock = RecordedClock(messages, estimator, rig, follows=followed is not None)
    output.exact, comparison = followed is None, ReplayComparison()
    steps = time_steps if followed is None else followed.following
    for step in steps(cameras, clock, estimator, stop):
        if step is not None:
            poses = clock.poses.popleft()
            if clock.follows_from_ns is not None:
                comparison.follows(clock.follows_from_ns)
            comparison.compare(poses, output.publish(step, poses[0]))
        output.report()
    return comparison.summary()


def total_frames(session: Session, job: ReplayJob) -> int | None:
    """Returns how many time steps there will be, None where only a part is replayed."""
    if job.from_s is not None or job.to_s is not None:
        return None
    if job.exact:
        poses = session.topics.get(Pose3D.TOPIC, 0)
        return poses if job.fusion.config.people == 1 else _time_steps(session)
    return max((session.topics.get(Keypoints2D.TOPIC + camera, 0) for camera in session.cameras), default=0)


def _time_steps(session: Session) -> int:
    """Returns the number of time steps that have poses."""
    return sum(isinstance(one, tuple) for one in by_time_step(session.messages((Pose3D.TOPIC,))))


def _in_time(
    messages: Iterable[Message | RecordedPoses], playback: Playback, last_ns: float
) -> Iterator[Message | RecordedPoses]:
    """Yields messages up to the last poses wanted; the frames that directly follow a pose are part of it."""
    for message in messages:
        if isinstance(message, tuple):
            t_ns = message[0].t_ns
            if t_ns > last_ns:
                return
            playback.wait(t_ns)
        yield message


def _last_ns(session: Session, job: ReplayJob) -> float:
    """Returns the last time wanted, rig clock."""
    if job.to_s is None:
        return inf
    return session.start_unix_ns - session.info.unix_from_rig_ns + job.to_s * 1e9
