"""Recorded sessions as what training learns from: the person whom the rig itself follows, and the rig that it learned.

A session goes through the same fusion as a live run, twice: the first time learns the rig, the second uses it from the
start. Who is who, which bodies are seen mirrored, and what each camera saw at one instant is the fusion's own answer.

Axes: T instants, V views, K landmarks, J = 17 joints.
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
from pose_rig.fusion.camera_inputs import CameraInputs
from pose_rig.fusion.clocks import FileClock
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.pose.sync import Sample
from pose_rig.fusion.pose_estimate import PoseEstimate
from pose_rig.fusion.time_steps import time_steps
from pose_rig.geometry import angle_deg
from pose_rig.graph import Engine
from pose_rig.session.importer import import_keypoints
from pose_rig.session.reader import Session
from pose_rig.session.replay import CameraSource, Playback
from pose_rig.skeleton import J
from pose_rig.training.footage.footage import Footage
from pose_rig.training.footage.tracked_keypoints import followed
from pose_rig.wire.jobs import FusionJob, ReplayJob
from pose_rig.wire.messages import Keypoints2D

Say = Callable[[float], None]

MOST_HZ = 30.0  # neighbouring instants of faster cameras say the same
MIN_POSES = 12  # instants at which somebody is seen
KEYPOINTS = ".npz"
MOVED_DEG = 2.0  # a camera that is turned further than this was bumped


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """One session.

    Attributes:
        footage: The person followed. A view at an instant at which it does not see them, or at which the rig does not
            know where it stands although it knows the others, has the score 0.
        t_ns: (T,) int64, when, rig clock.
        poses: (T,J,3) m, rig frame, before smoothing; NaN while nobody is seen.
        cameras: As the rig solved them, None if it could not.
    """

    footage: Footage
    t_ns: NDArray[np.int64]
    poses: NDArray[np.float32]
    cameras: Calibration | None


def recordings(paths: Sequence[Path], engine: Engine, say: Say = lambda fraction: None) -> list[Recorded]:
    """Returns what was recorded, one for each session.

    Args:
        paths: Sessions, or files of 2D keypoints (``.npz``).
        engine: Runs the graph.
        say: Told how far it is, 0–1.

    Raises:
        PoseRigError: A file cannot be read, or nobody is seen in it.
    """
    return [
        recorded(path, engine, lambda fraction, done=number: say((done + fraction) / len(paths)))  # type: ignore[misc]
        for number, path in enumerate(paths)
    ]


def recorded(path: Path, engine: Engine, say: Say = lambda fraction: None) -> Recorded:
    """Returns what one session has to teach; arguments and errors as in `recordings`."""
    if path.suffix != KEYPOINTS:
        return _in_session(path, path.stem, engine, say)
    keypoints = load(path)
    cameras = tuple(
        CameraConfig(source=str(path), name=f"view{v}", member=v, focal_px=focal_px)
        for v, focal_px in enumerate(keypoints.focal_px)
    )
    with tempfile.TemporaryDirectory() as folder:
        imported = Path(folder) / "imported.mcap"
        import_keypoints(keypoints, Config(camera=cameras, pace="all"), imported)
        return _in_session(imported, path.stem, engine, say)


def _in_session(path: Path, name: str, engine: Engine, say: Say) -> Recorded:
    with Session(path) as session:
        config = structs.replace(session.info.config, pace="all", passes=2, save="", record="", rig="")
        frames = [session.topics.get(Keypoints2D.TOPIC + camera, 0) for camera in session.cameras]
        job = ReplayJob(FusionJob(config, (), ""), str(session.path), exact=False, realtime=False)
    if not max(frames, default=0):
        raise SessionError(f"{path} has no keypoints.", "There is nothing to learn from.")
    estimator, steps = Estimator(config, engine), 2 * max(frames)
    number = count(1)
    for _ in _time_steps(job, estimator):
        say(min(next(number) / steps, 1.0))
    estimator.fix_cameras()
    kept = _Kept()
    for pose, samples in _time_steps(job, estimator):
        say(min(next(number) / steps, 1.0))
        kept.add(pose, samples, estimator)
    seen = sum(1 for score in kept.score if score.any())
    if seen < MIN_POSES:
        raise SessionError(
            f"{name} shows somebody at {seen} instants only.",
            "Record a minute of the person, in full view of all cameras.",
        )
    return kept.recorded(name, estimator)


def _time_steps(job: ReplayJob, estimator: Estimator) -> Iterator[tuple[PoseEstimate, Sequence[Sample | None]]]:
    """Yields the poses of a session and the samples of each view."""
    names = [camera.name for camera in job.fusion.config.camera]
    stop = threading.Event()
    with ExitStack() as stack:
        playback = Playback(False, stop)
        sources = [stack.enter_context(closing(CameraSource(job, name, playback))) for name in names]
        for step in time_steps(CameraInputs(names, sources), FileClock(), estimator, stop):
            if step is not None and step.pose is not None:
                yield step.pose, step.samples


class _Kept:
    """What is kept of the instants, at most `MOST_HZ` of them."""

    def __init__(self) -> None:
        self._next_ns = -1.0
        self._instants: list[PoseEstimate] = []
        self._xy_px: list[Floats] = []
        self.score: list[Floats] = []

    def add(self, instant: PoseEstimate, samples: Sequence[Sample | None], estimator: Estimator) -> None:
        """Takes in an instant, unless the last one kept is near."""
        if instant.t_ns < self._next_ns:
            return
        self._next_ns = instant.t_ns + 0.85e9 / MOST_HZ  # cameras are not quite even
        xy_px, score = followed(instant, samples, estimator.landmarks)
        self._instants.append(instant)
        self._xy_px.append(xy_px)
        self.score.append(score)

    def recorded(self, name: str, estimator: Estimator) -> Recorded:
        """Returns what was kept, under a name."""
        states = estimator.rig_state().cameras
        moving = any(state.moving for state in states)
        score, rotation, cameras = np.stack(self.score), None, estimator.calibration
        if not moving and any(instant.mode == "solved" for instant in self._instants):
            rotation, stands = self._stood()
            score = score * stands[..., None]
        elif not moving and any(state.rotation is not None for state in states):
            known = np.array([state.rotation is not None for state in states])
            rotation = np.array([np.reshape(state.rotation or np.eye(3), (3, 3)) for state in states])
            score = score * known[:, None]
        if cameras is not None and rotation is not None:  # a camera that was bumped later is known all the same
            same = angle_deg(cameras.rotation, rotation) < MOVED_DEG
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
        )
        poses = [np.where(i.tracking, i.xyz_raw[:J], np.nan) for i in self._instants]
        t_ns = np.array([instant.t_ns for instant in self._instants], np.int64)
        return Recorded(footage, t_ns, np.stack(poses).astype(np.float32), cameras)

    def _stood(self) -> tuple[Floats, NDArray[np.bool_]]:
        """Returns how the cameras of a solved rig stood for the longer time (V,3,3), and (T,V) when they stood so.

        A camera that was bumped stood in two ways; one that never had a place comes out with the identity. Instants at
        which the rig was not solved, such as those when only cameras without a place saw the person, count for none.
        """
        solved = np.array([instant.mode == "solved" for instant in self._instants])[:, None]
        used = np.stack([instant.camera_from_rig for instant in self._instants])
        placed = np.isfinite(used).all((2, 3)) & solved
        used = np.where(placed[..., None, None], used, np.eye(3))
        first, last = placed.argmax(0), len(placed) - 1 - placed[::-1].argmax(0)
        views = np.arange(used.shape[1])
        ways = [used[first, views], used[last, views]]
        stands = [placed & (angle_deg(used, way) < MOVED_DEG) for way in ways]
        early = stands[0].sum(0) >= stands[1].sum(0)
        return np.where(early[:, None, None], *ways), np.where(early, *stands)
