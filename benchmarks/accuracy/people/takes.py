"""Random rigs with several people, who walk about in one room.

Axes: V views, T time steps, N people, P detections, J = 17 joints. The room is y up, its floor at y = 0.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.accuracy.movement import FPS, moving_clips, working_clips
from benchmarks.accuracy.simulated_rigs import ANYWHERE, Placement, random_person, rig_around
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
from pose_rig.simulation.paths import place_around, place_at_work, place_together
from pose_rig.simulation.people import PeopleTake, detect_people, with_coco_landmarks
from pose_rig.wire.messages import Health, Keypoints2D, Message

BODY_HEIGHT_M = (1.5, 1.95)
SPARE_S = 10.0  # of movement, of which a random part is used
CAMERA_FIELDS = ("rotation", "position", "focal_px", "size_px")
ROOM_FIELDS = ("people", "seed", "fps", "faults")
CORNERS = Placement(distance_m=(3.0, 6.0), height_m=(1.6, 3.2), rotated_fraction=0.0, min_visible_fraction=0.85)


@dataclass(frozen=True, slots=True)
class Scene:
    """What people do, and what detects them.

    Attributes:
        clips: Which of the clips are used.
        place: Puts people into one room.
        placement: Of the cameras, lenses: theirs.
        fps: Frames per second.
        faults: Whether the detector also misses people for seconds and finds false ones, and has COCO's landmarks.
    """

    clips: Callable[[Sequence[Clip]], list[Clip]]
    place: Callable[[Sequence[Floats], int, float, np.random.Generator], Floats]
    placement: Placement = ANYWHERE
    lenses: LensKind = "real"
    fps: float = FPS
    faults: bool = False


SCENES = {
    "walking": Scene(moving_clips, place_together),
    "working": Scene(working_clips, place_at_work, CORNERS, "room", 25.0, faults=True),
}


@dataclass(frozen=True, slots=True)
class Room:
    """People and cameras of a room, before anything is detected.

    Attributes:
        joints: (T,N+B,J,3) m; the last B people are bystanders, outside the area of the others.
        people: N.
        cameras: (V,).
        bias: Of the detector.
        seed: Of the detections.
        fps: Frames per second.
        faults: As in `Scene`.
    """

    joints: Floats
    people: int
    cameras: Cameras
    bias: DetectorBias | None
    seed: int
    fps: float = FPS
    faults: bool = False

    def take(self) -> PeopleTake:
        """Returns the detections of all people."""
        return self._detected(None)

    def alone(self, person: int) -> PeopleTake:
        """Returns the detections of one person without the others, with the same noise."""
        return self._detected((person,))

    def _detected(self, present: tuple[int, ...] | None) -> PeopleTake:
        take = detect_people(self.joints, self.cameras, self.fps, self.seed, self.bias, present, faults=self.faults)
        return with_coco_landmarks(take, self.seed) if self.faults else take


def separate(take: PeopleTake, person: int) -> PeopleTake:
    """Returns only the detections of one person of a take, P = 1: what a perfect data association would leave."""
    mine = take.person == person
    first = mine.argmax(2)[..., None]  # a false second one is left out
    there = np.take_along_axis(mine, first, 2)
    score = np.take_along_axis(take.score, first[..., None], 2) * there[..., None]
    xy_px = np.take_along_axis(take.xy_px, first[..., None, None], 2) * there[..., None, None]
    return replace(take, xy_px=xy_px, score=score, person=np.where(there, person, -1))


def random_room(
    clips: Sequence[Clip],
    people: int,
    views: int,
    seconds: float,
    rng: np.random.Generator,
    *,
    scene: Scene = SCENES["walking"],
    lenses: LensKind = "real",
    fps: float = FPS,
    biased: bool = True,
    bystanders: int = 0,
) -> Room:
    """Returns random people who move about, and a random rig around them.

    Args:
        clips: Source of the movement, those that the scene uses.
        people: How many are to be tracked.
        views: Number of cameras.
        seconds: Duration.
        rng: Random generator.
        scene: What people do; its lenses and frame rate are replaced by the following ones.
        lenses: Of the cameras.
        fps: Frames per second.
        biased: Whether the detector errs by direction of view.
        bystanders: How many others stand around.
    """
    walkers = [_person(clips, seconds, rng) for _ in range(people + bystanders)]
    joints = scene.place(walkers[:people], round(seconds * FPS), FPS, rng)
    cameras = rig_around(np.concatenate(list(joints.swapaxes(0, 1))), views, rng, lenses, scene.placement)
    around = place_around(walkers[people:], joints, cameras.position, rng)
    bias = DetectorBias.random(rng) if biased else None
    joints = _at_rate(np.concatenate([joints, around], 1), fps)
    return Room(joints, people, cameras, bias, int(rng.integers(1 << 31)), fps, scene.faults)


def _at_rate(joints: Floats, fps: float) -> Floats:
    """Returns the movement (T,N,J,3) of `FPS` at another rate."""
    if fps == FPS:
        return joints
    at = np.arange(0, len(joints) - 1 + 1e-9, FPS / fps)
    first = np.minimum(at.astype(int), len(joints) - 2)
    part = (at - first)[:, None, None, None]
    return np.asarray((1 - part) * joints[first] + part * joints[first + 1])


def estimator(take: PeopleTake, people: int, engine: Engine) -> Estimator:
    """Returns a new estimator that tracks so many people in a take, and solves inline."""
    cameras = tuple(CameraConfig(source="sim", name=f"cam{v}") for v in range(len(take.score)))
    out = Estimator(Config(camera=cameras, people=people), engine)
    for v, size_px in enumerate(_sizes_px(take)):
        out.set_camera(v, size_px, take.landmarks)
    return out


def messages(take: PeopleTake) -> list[list[Message]]:
    """Returns (V) the messages of every camera, as of a file of keypoints."""
    return [
        [
            *(_message(take, v, t, size_px) for t in range(take.score.shape[1])),
            Health(worker=f"cam{v}", t_ns=0, state="ended"),
        ]
        for v, size_px in enumerate(_sizes_px(take))
    ]


def _message(take: PeopleTake, v: int, t: int, size_px: tuple[int, int]) -> Keypoints2D:
    found = take.score[v, t].any(-1)
    xy, score = (values[v, t, found].astype(np.float32) for values in (take.xy_px, take.score))
    return Keypoints2D(
        camera=f"cam{v}", index=t, t_ns=t_ns(take, t), size_px=size_px, landmarks=take.landmarks, xy=xy, score=score
    )


def _sizes_px(take: PeopleTake) -> list[tuple[int, int]]:
    return [(width, height) for width, height in take.cameras.size_px.astype(int).tolist()]


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
    rest = {name: getattr(room, name) for name in ROOM_FIELDS}
    np.savez(path, joints=room.joints, **rest, **arrays)


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
    people, seed, fps, faults = (arrays[name].item() for name in ROOM_FIELDS)
    return Room(arrays["joints"], people, cameras, found, seed, fps, faults)


def write_keypoints(path: Path, take: PeopleTake) -> None:
    """Writes a take as a keypoint file (docs/frames.md), with the true people as ``person`` (V,T,P)."""
    frames = take.score.shape[1]
    times = np.tile([t_ns(take, t) for t in range(frames)], (len(take.score), 1))
    size_px = take.cameras.size_px.astype(int)
    np.savez(
        path, xy=take.xy_px, score=take.score, t_ns=times, landmarks=take.landmarks, size_px=size_px, person=take.person
    )


def _person(clips: Sequence[Clip], seconds: float, rng: np.random.Generator) -> Floats:
    """Returns a random person (S,J,3) of a random body height."""
    person, body_height_m = random_person(clips, seconds + SPARE_S, rng)
    return np.asarray(person * (rng.uniform(*BODY_HEIGHT_M) / body_height_m))
