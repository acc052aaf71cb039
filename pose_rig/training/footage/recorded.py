"""Recorded sessions as training data: the keypoints of the tracked person, and the cameras that the rig estimated.

A session goes through the fusion twice: the first pass solves the rig and the clocks of its cameras, the second
uses them from the start. The data association, left and right, and the samples at each time step are those of the
fusion.

Axes: T time steps, V views, K landmarks, J = 17 joints.
"""

import tempfile
import threading
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
        footage: The tracked person. The score is 0 in views that do not detect them, and in views whose pose is unknown
            while that of others is known.
        t_ns: (T,) int64, rig clock.
        poses: (T,J,3) m, rig frame, before smoothing; NaN without a detected person.
        cameras: The solved cameras, None if the rig could not be solved.
    """

    footage: Footage
    t_ns: NDArray[np.int64]
    poses: NDArray[np.float32]
    cameras: Calibration | None


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

    for pose, samples in _second_pass(job, estimator, advance):
        selection.add(pose, samples, estimator)
    frames_with_person = sum(1 for score in selection.score if score.any())
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
) -> Iterator[tuple[PoseEstimate, Sequence[Sample | None]]]:
    """Yields the poses of a session and the samples of each view, with the cameras and clocks of the first pass."""
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
                yield step.pose, step.samples


class _Selection:
    """The time steps that are kept, at most `MAX_RATE_HZ` of them."""

    def __init__(self) -> None:
        self._next_ns = -1.0
        self._poses: list[PoseEstimate] = []
        self._xy_px: list[Floats] = []
        self.score: list[Floats] = []
        self._depth_px: list[Floats] = []

    def add(self, pose: PoseEstimate, samples: Sequence[Sample | None], estimator: Estimator) -> None:
        """Adds a time step, unless it is too near to the last one."""
        if pose.t_ns < self._next_ns:
            return
        self._next_ns = pose.t_ns + MIN_STEP_PERIODS * 1e9 / MAX_RATE_HZ
        xy_px, score, depth_px = tracked_keypoints(pose, samples, estimator.landmarks)
        self._poses.append(pose)
        self._xy_px.append(xy_px)
        self.score.append(score)
        self._depth_px.append(depth_px)

    def footage(self, name: str, estimator: Estimator) -> RecordedFootage:
        """Returns the footage, under a name."""
        states = estimator.rig_state().cameras
        moving = any(state.moving for state in states)
        score, rotation, cameras = np.stack(self.score), None, estimator.calibration
        if not moving and any(pose.mode == "solved" for pose in self._poses):
            rotation, valid = self._longest_rotations()
            score = score * valid[..., None]
        elif not moving and any(state.rotation is not None for state in states):
            known = np.array([state.rotation is not None for state in states])
            rotation = np.array([np.reshape(state.rotation or np.eye(3), (3, 3)) for state in states])
            score = score * known[:, None]
        if cameras is not None and rotation is not None:  # a camera that was moved later still has its pose
            same = angle_deg(cameras.rotation, rotation) < MAX_ROTATION_CHANGE_DEG
            cameras = replace(cameras, known=same & (score > 0).any((0, 2)))
        footage = Footage(
            name=name,
            subject=name,
            xy_px=np.stack(self._xy_px).astype(np.float32),
            score=score.astype(np.float32),
            size_px=np.array([state.size_px or (1, 1) for state in states], np.float32),
            focal_px=np.array([state.focal_px for state in states], np.float32),
            moving=moving,
            camera_from_rig=None if rotation is None else rotation.astype(np.float32),
            depth_px=np.stack(self._depth_px).astype(np.float32),
        )
        poses = [np.where(pose.tracking, pose.xyz_raw[:J], np.nan) for pose in self._poses]
        t_ns = np.array([pose.t_ns for pose in self._poses], np.int64)
        return RecordedFootage(footage, t_ns, np.stack(poses).astype(np.float32), cameras)

    def _longest_rotations(self) -> tuple[Floats, NDArray[np.bool_]]:
        """Returns the rotation (V,3,3) that each camera of a solved rig had for the longer time, and when (T,V).

        A camera that was moved had two; one that was never placed gets the identity. Time steps at which the rig was
        not solved do not count, such as those with the person only in cameras that are not placed.
        """
        solved = np.array([pose.mode == "solved" for pose in self._poses])[:, None]
        used = np.stack([pose.camera_from_rig for pose in self._poses])
        placed = np.isfinite(used).all((2, 3)) & solved
        used = np.where(placed[..., None, None], used, np.eye(3))
        first, last = placed.argmax(0), len(placed) - 1 - placed[::-1].argmax(0)
        views = np.arange(used.shape[1])
        candidates = [used[first, views], used[last, views]]
        valid = [placed & (angle_deg(used, rotation) < MAX_ROTATION_CHANGE_DEG) for rotation in candidates]
        is_first = valid[0].sum(0) >= valid[1].sum(0)
        return np.where(is_first[:, None, None], *candidates), np.where(is_first, *valid)
