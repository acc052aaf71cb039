"""Recorded sessions as training data: the keypoints of the tracked people, and the cameras that the rig estimated.

A session goes through the fusion twice: the first pass solves the rig and the clocks of its cameras, the second
uses them from the start. The data association, left and right, and the samples at each time step are those of the
fusion.

Axes: T time steps, of one person after the other, V views, K landmarks, J = 17 joints.
"""

import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.capture.keypoint_file import load
from pose_rig.config import CameraConfig, Config
from pose_rig.errors import SessionError
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.clocks import FileClock
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.message_file import MessageFile
from pose_rig.fusion.pose.pose_estimate import PoseEstimate
from pose_rig.fusion.pose.sync import Sample
from pose_rig.fusion.time_steps import time_steps
from pose_rig.fusion.two_passes import TwoPasses
from pose_rig.geometry import angle_deg
from pose_rig.graph import Engine
from pose_rig.session.importer import import_keypoints
from pose_rig.session.playback import CameraSource, Playback
from pose_rig.session.reader import Session
from pose_rig.skeleton import J
from pose_rig.training.footage.footage import Footage
from pose_rig.training.footage.tracked_keypoints import tracked_keypoints
from pose_rig.wire.jobs import FusionJob, ReplayJob
from pose_rig.wire.messages import Keypoints2D, Message

Progress = Callable[[float], None]  # gets the share that is done, 0–1

MAX_RATE_HZ = 30.0  # neighbouring time steps of faster cameras are redundant
MIN_STEP_PERIODS = 0.85  # between two that are kept, for cameras are not quite even
MIN_TIME_STEPS = 12  # with a person
KEYPOINTS_SUFFIX = ".npz"
MAX_ROTATION_CHANGE_DEG = 2.0  # a camera that is turned further than this was moved


@dataclass(frozen=True, slots=True, eq=False)
class RecordedFootage:
    """One session.

    Attributes:
        footage: The tracked people, all time steps of one after those of the other. The score is 0 in views that do not
            detect them, and in views whose pose is unknown while that of others is known.
        t_ns: (T,) int64, rig clock; increasing for each person.
        poses: (T,J,3) m, rig frame, before smoothing; NaN without a detected person.
        cameras: The solved cameras, None if the rig could not be solved.
        person: (T,) identity of the person in each time step.
    """

    footage: Footage
    t_ns: NDArray[np.int64]
    poses: NDArray[np.float32]
    cameras: Calibration | None
    person: NDArray[np.int64]


def recordings(paths: Sequence[Path], engine: Engine, progress: Progress = lambda share: None) -> list[RecordedFootage]:
    """Returns the footage of each session.

    Args:
        paths: Sessions, or files of 2D keypoints (``.npz``).
        engine: Runs the graph.
        progress: Called with the share that is done.

    Raises:
        PoseRigError: A file cannot be read, or has no person in it.
    """
    return [
        recorded_footage(path, engine, lambda share, done=number: progress((done + share) / len(paths)))  # type: ignore[misc]
        for number, path in enumerate(paths)
    ]


def recorded_footage(path: Path, engine: Engine, progress: Progress = lambda share: None) -> RecordedFootage:
    """Returns the footage of one session; arguments and errors as in `recordings`."""
    if path.suffix != KEYPOINTS_SUFFIX:
        return _in_session(path, path.stem, engine, progress)
    keypoints = load(path)
    cameras = tuple(
        CameraConfig(source=str(path), name=f"view{v}", member=v, focal_px=focal_px)
        for v, focal_px in enumerate(keypoints.focal_px)
    )
    with tempfile.TemporaryDirectory() as folder:
        imported = Path(folder) / "imported.mcap"
        import_keypoints(keypoints, Config(camera=cameras, pace="all"), imported)
        return _in_session(imported, path.stem, engine, progress)


def _in_session(path: Path, name: str, engine: Engine, progress: Progress) -> RecordedFootage:
    with Session(path) as session:
        config = structs.replace(session.info.config, pace="all", passes=2, save="", record="", rig="")
        frames = [session.topics.get(Keypoints2D.TOPIC + camera, 0) for camera in session.cameras]
        job = ReplayJob(FusionJob(config, (), ""), str(session.path), exact=False, realtime=False)
    if not max(frames, default=0):
        raise SessionError(f"{path} has no keypoints.", "Record a session with cameras, or name another one.")
    estimator, steps, selection = Estimator(config, engine), 2 * max(frames), _Selection()
    number = count(1)

    def advance() -> None:
        progress(min(next(number) / steps, 1.0))

    for poses, samples in _second_pass(job, estimator, advance):
        selection.add(poses, samples, estimator)
    frames_with_person = selection.keep_people(MIN_TIME_STEPS)
    if frames_with_person < MIN_TIME_STEPS:
        raise SessionError(
            f"{name} has a person in only {frames_with_person} frames.",
            "Record a minute of the person, in full view of all cameras.",
        )
    return selection.footage(name, estimator)


@dataclass(frozen=True, slots=True)
class _FirstPass:
    """Reports the progress of the first pass, and nothing else."""

    report: Callable[[], None]

    def forward(self, view: int, message: Message) -> None:
        """Ignores the health of a camera."""

    def reject(self, reason: str) -> None:
        """Ignores what could not be used: its time steps have no pose."""


def _second_pass(
    job: ReplayJob, estimator: Estimator, advance: Callable[[], None]
) -> Iterator[tuple[Sequence[PoseEstimate], Sequence[Sample | None]]]:
    """Yields the poses of each time step and the samples of each view, with cameras and clocks of the first pass."""
    names = [camera.name for camera in job.fusion.config.camera]
    stop = threading.Event()
    with ExitStack() as stack:
        playback = Playback(False, stop)
        sources = [stack.enter_context(closing(CameraSource(job, name, playback))) for name in names]
        files = [stack.enter_context(closing(MessageFile())) for _ in names]
        passes = TwoPasses(names, files, estimator, _FirstPass(advance), stop)
        passes.first(sources)
        passes.solve()
        for step in time_steps(passes.inputs(), FileClock(), estimator, stop):
            advance()
            if step is not None and step.pose is not None:
                yield (step.pose, *step.others), step.samples


@dataclass(frozen=True, slots=True)
class _Row:
    """A person at a time step, with the keypoints of each view."""

    pose: PoseEstimate
    xy_px: Floats
    score: Floats
    depth_px: Floats


class _Selection:
    """The time steps that are kept, at most `MAX_RATE_HZ` of them."""

    def __init__(self) -> None:
        self._next_ns = -1.0
        self._rows: list[_Row] = []

    def add(self, poses: Sequence[PoseEstimate], samples: Sequence[Sample | None], estimator: Estimator) -> None:
        """Adds the people of a time step, unless it is too near to the last one."""
        t_ns = poses[0].t_ns
        if t_ns < self._next_ns:
            return
        self._next_ns = t_ns + MIN_STEP_PERIODS * 1e9 / MAX_RATE_HZ
        self._rows += [_Row(pose, *tracked_keypoints(pose, samples, estimator.landmarks)) for pose in poses]

    def keep_people(self, min_time_steps: int) -> int:
        """Keeps the people who are detected in so many time steps; returns the largest number of any person."""
        counts = Counter(row.pose.person for row in self._rows if row.score.any())
        self._rows = [row for row in self._rows if counts[row.pose.person] >= min_time_steps]
        return max(counts.values(), default=0)

    def footage(self, name: str, estimator: Estimator) -> RecordedFootage:
        """Returns the footage, under a name."""
        states = estimator.rig_state().cameras
        moving = any(state.moving for state in states)
        score, rotation, cameras = np.stack([row.score for row in self._rows]), None, estimator.calibration
        if not moving and any(row.pose.mode == "solved" for row in self._rows):
            rotation, valid = self._longest_rotations()
            score = score * valid[..., None]
        elif not moving and any(state.rotation is not None for state in states):
            known = np.array([state.rotation is not None for state in states])
            rotation = np.array([np.reshape(state.rotation or np.eye(3), (3, 3)) for state in states])
            score = score * known[:, None]
        if cameras is not None and rotation is not None:  # a camera that was moved later still has its pose
            same = angle_deg(cameras.rotation, rotation) < MAX_ROTATION_CHANGE_DEG
            cameras = replace(cameras, known=same & (score > 0).any((0, 2)))
        person = np.array([row.pose.person for row in self._rows])
        order = np.argsort(person, kind="stable")
        footage = Footage(
            name=name,
            subject=name,
            xy_px=np.stack([row.xy_px for row in self._rows]).astype(np.float32),
            score=score.astype(np.float32),
            size_px=np.array([state.size_px or (1, 1) for state in states], np.float32),
            focal_px=np.array([state.focal_px for state in states], np.float32),
            moving=moving,
            camera_from_rig=None if rotation is None else rotation.astype(np.float32),
            depth_px=np.stack([row.depth_px for row in self._rows]).astype(np.float32),
        )
        poses = [np.where(row.pose.tracking, row.pose.xyz_raw[:J], np.nan) for row in self._rows]
        t_ns = np.array([row.pose.t_ns for row in self._rows], np.int64)
        xyz = np.stack(poses).astype(np.float32)
        return RecordedFootage(footage.at(order), t_ns[order], xyz[order], cameras, person[order])

    def _longest_rotations(self) -> tuple[Floats, NDArray[np.bool_]]:
        """Returns the rotation (V,3,3) that each camera of a solved rig had for the longer time, and when (T,V).

        A camera that was moved had two; one that was never placed gets the identity. Time steps at which the rig was
        not solved do not count, such as those with the person only in cameras that are not placed.
        """
        solved = np.array([row.pose.mode == "solved" for row in self._rows])[:, None]
        used = np.stack([row.pose.camera_from_rig for row in self._rows])
        placed = np.isfinite(used).all((2, 3)) & solved
        used = np.where(placed[..., None, None], used, np.eye(3))
        first, last = placed.argmax(0), len(placed) - 1 - placed[::-1].argmax(0)
        views = np.arange(used.shape[1])
        candidates = [used[first, views], used[last, views]]
        valid = [placed & (angle_deg(used, rotation) < MAX_ROTATION_CHANGE_DEG) for rotation in candidates]
        is_first = valid[0].sum(0) >= valid[1].sum(0)
        return np.where(is_first[:, None, None], *candidates), np.where(is_first, *valid)
