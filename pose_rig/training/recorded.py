"""Recorded sessions as what training learns from: the person whom the rig itself follows, and the rig that it learned.

A session goes through the same fusion as a live run, twice: the first time learns the rig, the second uses it from the
start. Who is who, which bodies are seen mirrored, and what each camera saw at one instant is the fusion's own answer.

Axes: T instants, V views, K landmarks, J = 17 joints.
"""

import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from pose_rig.capture.keypoint_file import load
from pose_rig.config import CameraConfig, Config, FusionJob, ReplayJob
from pose_rig.errors import SessionError
from pose_rig.fusion.calibration import Calibration
from pose_rig.fusion.clocks import FileClock
from pose_rig.fusion.fusion import FusedInstant, Fusion
from pose_rig.fusion.node import AHEAD
from pose_rig.fusion.self_solve import Solved
from pose_rig.fusion.sync import Sample, Track
from pose_rig.geometry import angle_deg
from pose_rig.graph import Engine
from pose_rig.messages import Keypoints2D
from pose_rig.session.importer import import_keypoints
from pose_rig.session.reader import Session
from pose_rig.session.replay import CameraSource, Pace
from pose_rig.skeleton import MIRROR, J
from pose_rig.training.footage import Footage

Floats = NDArray[np.float64]
Say = Callable[[float], None]

MOST_HZ = 30.0  # neighbouring instants of faster cameras say the same
FEWEST = 12  # instants at which somebody is seen
KEYPOINTS = ".npz"
MOVED_DEG = 2.0  # a camera that is turned further than this was bumped
MIRRORED_BY = 0.7  # the mirror image must lie so much nearer to what the rig made of a body


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """One session.

    Attributes:
        footage: The person followed. A view at an instant at which it does not see them, or at which the rig does not
            know where it stands although it knows the others, has the score 0.
        poses: (T,J,3) m, rig frame, before smoothing; NaN while nobody is seen.
        cameras: As the rig solved them, None if it could not.
    """

    footage: Footage
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
    steps = 2 * max(frames)
    first, step = Replay(job, engine, None), 0
    for step, _ in enumerate(first, 1):
        say(min(step / steps, 1.0))
    second = Replay(job, engine, first.fusion.rig.finish())
    kept = _Kept()
    for last, (instant, samples) in enumerate(second, step + 1):
        say(min(last / steps, 1.0))
        kept.add(instant, samples, second.fusion)
    seen = sum(1 for score in kept.score if score.any())
    if seen < FEWEST:
        raise SessionError(
            f"{name} shows somebody at {seen} instants only.",
            "Record a minute of the person, in full view of all cameras.",
        )
    return kept.recorded(name, second)


class Replay:
    """The instants of a session, fused one after the other as files are.

    Args:
        job: The session.
        engine: Runs the graph.
        solved: A rig to use from the start; None = it is learned by the way.

    Attributes:
        fusion: As it stands after the instant that was yielded last.
    """

    def __init__(self, job: ReplayJob, engine: Engine, solved: Solved | None) -> None:
        self._job = job
        self.fusion = Fusion(job.fusion.config, engine, None, solved)
        self.tracks = [Track() for _ in job.fusion.config.camera]

    def __iter__(self) -> Iterator[tuple[FusedInstant, list[Sample | None]]]:
        clock, pace = FileClock(), Pace(False, threading.Event())
        with ExitStack() as stack:
            sources = [
                stack.enter_context(closing(CameraSource(self._job, camera.name, pace)))
                for camera in self._job.fusion.config.camera
            ]
            while True:
                for view, source in enumerate(sources):
                    if clock.ahead(self.tracks[view]) < AHEAD:
                        self._hear(view, source)
                t_ns = clock.tick(self.tracks)
                if t_ns is not None:
                    samples = [track.at(t_ns) for track in self.tracks]
                    yield self.fusion.step(t_ns, samples), samples
                elif all(track.ended for track in self.tracks):
                    return

    def _hear(self, view: int, source: CameraSource) -> None:
        for message in source.receive(0, most=8):
            if isinstance(message, Keypoints2D):
                self.fusion.describe(view, message.size_px, message.landmarks)
                self.tracks[view].add(message)
            else:  # nothing else is read of a camera but that it has ended
                self.tracks[view].ended = True


class _Kept:
    """What is kept of the instants, at most `MOST_HZ` of them."""

    def __init__(self) -> None:
        self._next_ns = -1.0
        self._instants: list[FusedInstant] = []
        self._xy_px: list[Floats] = []
        self.score: list[Floats] = []

    def add(self, instant: FusedInstant, samples: Sequence[Sample | None], fusion: Fusion) -> None:
        """Takes in an instant, unless the last one kept is near."""
        if instant.t_ns < self._next_ns:
            return
        self._next_ns = instant.t_ns + 0.85e9 / MOST_HZ  # cameras are not quite even
        xy_px, score = _followed(instant, samples, fusion)
        self._instants.append(instant)
        self._xy_px.append(xy_px)
        self.score.append(score)

    def recorded(self, name: str, replay: Replay) -> Recorded:
        """Returns what was kept, under a name."""
        fusion = replay.fusion
        states = fusion.rig.states()
        moving = any(state.moving for state in states)
        score = np.stack(self.score)
        rotation = None
        if not moving and any(state.rotation is not None for state in states):
            rotation, score = self._placed([state.rotation for state in states], score)
        footage = Footage(
            name=name,
            subject=name,
            xy_px=np.stack(self._xy_px).astype(np.float32),
            score=score.astype(np.float32),
            size_px=np.array([track.size_px for track in replay.tracks], np.float32),
            focal_px=fusion.rig.focal_px.astype(np.float32),
            moving=moving,
            rotation=rotation,
        )
        poses = [np.where(i.tracking, i.xyz_raw[:J], np.nan) for i in self._instants]
        return Recorded(footage, np.stack(poses).astype(np.float32), fusion.calibration)

    def _placed(self, told: Sequence[tuple[float, ...] | None], score: Floats) -> tuple[NDArray[np.float32], Floats]:
        """Returns the rotations (V,3,3), and the scores without instants of cameras that stood elsewhere or nowhere."""
        nowhere = np.array([rotation is None for rotation in told])
        rotation = np.array([np.eye(3) if row is None else np.reshape(row, (3, 3)) for row in told])
        used = np.stack([instant.rotation for instant in self._instants])
        known = np.isfinite(used).all((2, 3)) | np.array([i.mode != "solved" for i in self._instants])[:, None]
        solved = np.array([i.mode == "solved" for i in self._instants])[:, None]
        moved = solved & (angle_deg(np.where(np.isfinite(used), used, rotation), rotation) > MOVED_DEG)
        return rotation.astype(np.float32), score * (known & ~moved & ~nowhere)[..., None]


def _followed(instant: FusedInstant, samples: Sequence[Sample | None], fusion: Fusion) -> tuple[Floats, Floats]:
    """Returns the person followed in every view, (V,J,2) px and scores (V,J), as the rig reads left and right."""
    views = len(samples)
    xy_px, score = np.zeros((views, J, 2)), np.zeros((views, J))
    for v, (sample, marks) in enumerate(zip(samples, fusion.landmarks, strict=True)):
        person = int(instant.followed[v])
        if sample is None or marks is None or person < 0:
            continue
        xy_px[v], score[v] = marks.to_joints(sample.xy_px[person], sample.score[person])
        if _mirrored(xy_px[v], score[v], instant.refined_px[v]):
            xy_px[v], score[v] = xy_px[v, list(MIRROR)], score[v, list(MIRROR)]
    return xy_px, score


def _mirrored(xy_px: Floats, score: Floats, refined_px: Floats) -> bool:
    """Whether left and right were exchanged in a detection (J,2), by what the rig made of it (J,2); NaN = nothing."""
    order = list(MIRROR)
    both = (score > 0) & (score[order] > 0)
    if not both.any() or not np.isfinite(refined_px).all():
        return False
    straight, exchanged = (np.linalg.norm(xy - refined_px, axis=-1)[both].mean() for xy in (xy_px, xy_px[order]))
    return bool(exchanged < MIRRORED_BY * straight)
