"""Random rigs with several people, who walk about in one room.

Axes: V views, T time steps, N people, P detections, J = 17 joints. The room is y up, its floor at y = 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.accuracy.movement import FPS
from benchmarks.accuracy.simulated_rigs import random_person, rig_around
from pose_rig.arrays import Floats
from pose_rig.config import CameraConfig, Config
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.pose.sync import Sample
from pose_rig.graph import Engine
from pose_rig.simulation.camera_models import LensKind
from pose_rig.simulation.cameras import Cameras
from pose_rig.simulation.detector_bias import DetectorBias
from pose_rig.simulation.lenses import Lenses
from pose_rig.simulation.motion import Clip
from pose_rig.simulation.paths import place_around, place_together
from pose_rig.simulation.people import PeopleTake, detect_people
from pose_rig.skeleton import JOINT_SET

BODY_HEIGHT_M = (1.5, 1.95)
SPARE_S = 10.0  # of movement, of which a random part is used
CAMERA_FIELDS = ("rotation", "position", "focal_px", "size_px")


@dataclass(frozen=True, slots=True)
class Room:
    """People and cameras of a room, before anything is detected.

    Attributes:
        joints: (T,N+B,J,3) m; the last B people are bystanders, outside the area of the others.
        people: N.
        cameras: (V,).
        bias: Of the detector.
        seed: Of the detections.
    """

    joints: Floats
    people: int
    cameras: Cameras
    bias: DetectorBias | None
    seed: int

    def take(self) -> PeopleTake:
        """Returns the detections of all people."""
        return detect_people(self.joints, self.cameras, FPS, self.seed, self.bias)

    def alone(self, person: int) -> PeopleTake:
        """Returns the detections of one person without the others, with the same noise."""
        return detect_people(self.joints, self.cameras, FPS, self.seed, self.bias, (person,))


def separate(take: PeopleTake, person: int) -> PeopleTake:
    """Returns only the detections of one person of a take, P = 1: what a perfect data association would leave."""
    mine = take.person == person
    xy_px = (take.xy_px * mine[..., None, None]).sum(2, keepdims=True)
    score = (take.score * mine[..., None]).sum(2, keepdims=True)
    return replace(take, xy_px=xy_px, score=score, person=np.where(mine.any(-1, keepdims=True), person, -1))


def random_room(
    clips: Sequence[Clip],
    people: int,
    views: int,
    seconds: float,
    rng: np.random.Generator,
    *,
    lenses: LensKind = "real",
    biased: bool = True,
    bystanders: int = 0,
) -> Room:
    """Returns random people who walk about, on paths that cross, and a random rig around them.

    Args:
        clips: Source of the movement (`benchmarks.accuracy.movement.moving_clips`).
        people: How many are to be tracked.
        views: Number of cameras.
        seconds: Duration.
        rng: Random generator.
        lenses: Of the cameras.
        biased: Whether the detector errs by direction of view.
        bystanders: How many others stand around.
    """
    walkers = [_person(clips, seconds, rng) for _ in range(people + bystanders)]
    joints = place_together(walkers[:people], round(seconds * FPS), FPS, rng)
    cameras = rig_around(np.concatenate(list(joints.swapaxes(0, 1))), views, rng, lenses)
    around = place_around(walkers[people:], joints, cameras.position, rng)
    bias = DetectorBias.random(rng) if biased else None
    return Room(np.concatenate([joints, around], 1), people, cameras, bias, int(rng.integers(1 << 31)))


def estimator(take: PeopleTake, people: int, engine: Engine) -> Estimator:
    """Returns a new estimator that tracks so many people in a take, and solves inline."""
    cameras = tuple(CameraConfig(source="sim", name=f"cam{v}") for v in range(len(take.score)))
    out = Estimator(Config(camera=cameras, people=people), engine)
    for v, (width, height) in enumerate(take.cameras.size_px.astype(int).tolist()):
        out.set_camera(v, (width, height), JOINT_SET)
    return out


def t_ns(take: PeopleTake, t: int) -> int:
    """Returns the time of time step ``t``."""
    return round(t * 1e9 / take.fps)


def samples(take: PeopleTake, t: int) -> list[Sample | None]:
    """Returns the detections of every view at time step ``t``; None where there are none."""
    out: list[Sample | None] = []
    for xy_px, score in zip(take.xy_px[:, t], take.score[:, t], strict=True):
        found = score.any(-1)
        out.append(Sample(t_ns(take, t), xy_px[found], score[found]) if found.any() else None)
    return out


def save(path: Path, room: Room) -> None:
    """Writes a room to an npz file."""
    arrays = {name: getattr(room.cameras, name) for name in CAMERA_FIELDS}
    for prefix, part in (("lens_", room.cameras.lenses), ("bias_", room.bias)):
        if part is not None:
            arrays |= {prefix + name: getattr(part, name) for name in part.__dataclass_fields__}
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, joints=room.joints, people=room.people, seed=room.seed, **arrays)


def load(path: Path) -> Room:
    """Returns the room of an npz file."""
    with np.load(path) as file:
        arrays = dict(file)
    lens, bias = (
        {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
        for prefix in ("lens_", "bias_")
    )
    rotation, position, focal_px, size_px = (arrays[name] for name in CAMERA_FIELDS)
    cameras = Cameras(rotation, position, focal_px, size_px, Lenses(**lens) if lens else None)
    found = DetectorBias(**bias) if bias else None
    return Room(arrays["joints"], int(arrays["people"]), cameras, found, int(arrays["seed"]))


def write_keypoints(path: Path, take: PeopleTake) -> None:
    """Writes a take as a keypoint file (docs/frames.md), with the true people as ``person`` (V,T,P)."""
    frames = take.score.shape[1]
    times = np.tile([t_ns(take, t) for t in range(frames)], (len(take.score), 1))
    size_px = take.cameras.size_px.astype(int)
    np.savez(
        path, xy=take.xy_px, score=take.score, t_ns=times, landmarks=JOINT_SET, size_px=size_px, person=take.person
    )


def _person(clips: Sequence[Clip], seconds: float, rng: np.random.Generator) -> Floats:
    """Returns a random person (S,J,3) of a random body height."""
    person, body_height_m = random_person(clips, seconds + SPARE_S, rng)
    return np.asarray(person * (rng.uniform(*BODY_HEIGHT_M) / body_height_m))
