"""Random rigs as people put them up, and somebody walking about before them.

Axes: V views, T instants, J = 17 joints. The room is y up, its floor at y = 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.movement import FPS, LEGS, walk_about
from pose_rig.arrays import Floats
from pose_rig.config import CameraConfig, Config
from pose_rig.fusion.calibration.body_scale import EARS_TO_ANKLES
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.pose.sync import Sample
from pose_rig.geometry import rotation_from_vector
from pose_rig.graph import Engine
from pose_rig.simulation.bodies import random_bones
from pose_rig.simulation.cameras import SIZES_PX, Cameras, look_at
from pose_rig.simulation.motion import Clip
from pose_rig.simulation.noise import detect, happens
from pose_rig.simulation.takes import LOST_VIEW_SHARE, Take
from pose_rig.skeleton import INDEX, JOINT_SET
from pose_rig.wire.messages import CameraState

DISTANCE_M = (2.0, 8.0)  # from the middle of where the person is
HEIGHT_M = (0.2, 3.0)
FIELD_DEG = (45.0, 100.0)  # along the larger side of the picture
APART_DEG = 20.0  # seen from the middle, no two cameras stand closer together
SAME_MODEL = 0.5  # share of the rigs whose cameras are all of one model
UNLIKE = 0.005  # standard deviation of the focal length among cameras of one model
ON_SIDE = 0.2  # share of the cameras mounted on their side or upside down
ROLL_DEG = 4.0
AIM_SD = 0.06  # of the distance
IN_PICTURE = 0.9  # share of the joints that a camera sees, over the take
TRIES = 200
NEAREST_M = 0.3  # of a joint; somebody nearer to the lens is not recognised
STATURE_SD = 0.015  # people of the same limbs and trunk differ so much in height
HEIGHT_GIVEN = 0.5  # share of the takes


@dataclass(frozen=True, slots=True)
class RigTake:
    """A person before a random rig.

    Attributes:
        take: What was seen and what was true.
        stature_m: Of the person.
        height_m: What the rig is told about it, None for nothing.
    """

    take: Take
    stature_m: float
    height_m: float | None

    def fusion(self, engine: Engine) -> Estimator:
        """Returns a rig that knows nothing yet and solves itself inline."""
        views = len(self.take.xy_px)
        cameras = tuple(CameraConfig(source="sim", name=f"cam{v}") for v in range(views))
        out = Estimator(Config(camera=cameras, height_m=self.height_m), engine, None)
        for v, (width, height) in enumerate(self.take.cameras.size_px.astype(int).tolist()):
            out.set_camera(v, (width, height), JOINT_SET)
        return out

    def t_ns(self, t: int) -> int:
        """Returns when instant ``t`` is."""
        return round(t * 1e9 / self.take.fps)

    def samples(self, t: int) -> list[Sample | None]:
        """Returns what every view saw at instant ``t``."""
        xy, score = self.take.xy_px[:, t], self.take.score[:, t]
        return [Sample(self.t_ns(t), xy[v][None], score[v][None]) if score[v].any() else None for v in range(len(xy))]


def camera_states(fusion: Estimator) -> tuple[CameraState, ...]:
    """Returns what a rig knows of its cameras."""
    return fusion.rig_state().cameras


def rig_take(clips: Sequence[Clip], views: int, seconds: float, rng: np.random.Generator) -> RigTake:
    """Returns a random person who moves all the time, before a random rig that sees most of it.

    Args:
        clips: Movement to draw from (`benchmarks.accuracy.movement.lively`).
        views: How many cameras.
        seconds: Length.
        rng: Source of chance; the same one gives the same take.
    """
    bones = random_bones(1, rng)[0]
    upright = 0.5 * bones[LEGS].sum() + bones[INDEX["thorax"]] + bones[INDEX["head"]]
    stature_m = float(upright / EARS_TO_ANKLES * np.exp(rng.normal(0, STATURE_SD)))
    people = walk_about(clips, bones, stature_m, seconds, rng)
    cameras = rig_around(people, views, rng)
    xy_px, score = watch(people, cameras, rng)
    height_m = stature_m if rng.random() < HEIGHT_GIVEN else None
    return RigTake(Take(xy_px, score, FPS, people, cameras), stature_m, height_m)


def rig_around(people: Floats, views: int, rng: np.random.Generator) -> Cameras:
    """Returns cameras that see a person (T,J,3) most of the time, each placed by chance."""
    middle = people.mean((0, 1)) * np.array([1.0, 0.0, 1.0])
    models = [_model(rng)] * views if rng.random() < SAME_MODEL else [_model(rng) for _ in range(views)]
    some = people[:: round(FPS / 2)] - middle
    placed: list[Cameras] = []
    for size_px, focal_px in models:
        focal = focal_px * np.exp(rng.normal(0, UNLIKE))
        tries: list[tuple[float, Cameras]] = []
        while len(tries) < TRIES and not (tries and tries[-1][0] > IN_PICTURE):
            camera = _place(size_px, focal, rng)
            if all(_apart_deg(camera, other) > APART_DEG for other in placed):
                tries.append((float(in_picture(some, camera).mean()), camera))
        placed.append(max(tries, key=lambda pair: pair[0])[1])
    stacked = Cameras(*(np.stack([getattr(one, name) for one in placed]) for name in Cameras.__slots__))
    return Cameras(stacked.rotation, stacked.position + middle, stacked.focal_px, stacked.size_px)


def in_picture(people: Floats, camera: Cameras) -> NDArray[np.bool_]:
    """Returns (T,J) which joints (T,J,3) one camera sees."""
    xy, local = camera.project(people)
    inside = ((xy >= 0) & (xy < camera.size_px)).all(-1)
    return np.asarray(inside & (local[..., 2].min(-1) > NEAREST_M)[..., None])


def watch(people: Floats, cameras: Cameras, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Returns detections (V,T,J,2) px and their scores (V,T,J); 0 for what lies outside the picture."""
    fields = (cameras.rotation, cameras.position, cameras.focal_px, cameras.size_px)
    over_time = Cameras(*(value[:, None] for value in fields))
    xy, local = over_time.project(people[None])
    there = ((xy >= 0) & (xy < cameras.size_px[:, None, None])).all(-1)
    there &= (local[..., 2].min(-1) > NEAREST_M)[..., None]
    extent = np.ptp(xy, axis=-2).max(-1)[..., None, None]
    seen = detect(xy, FPS, rng)
    lost = happens(np.array([LOST_VIEW_SHARE]), (*xy.shape[:2], 1), FPS, rng)[..., None]
    bystander = xy[:, ::-1] + extent * rng.uniform(-2, 2, (len(xy), 1, 1, 2))
    out = np.where(lost, bystander, seen.xy_px)
    inside = ((out >= 0) & (out < cameras.size_px[:, None, None])).all(-1) & (there | lost[..., 0])
    return np.where(inside[..., None], out, 0.0), np.where(inside, seen.score, 0.0)


def _model(rng: np.random.Generator) -> tuple[Floats, float]:
    """Returns image size (2,) and focal length in px of some camera on the market."""
    size_px = SIZES_PX[int(rng.integers(len(SIZES_PX)))].astype(float)
    field = np.radians(rng.uniform(*FIELD_DEG))
    return size_px, float(0.5 * size_px.max() / np.tan(field / 2))


def _place(size_px: Floats, focal_px: float, rng: np.random.Generator) -> Cameras:
    """Returns one camera that looks about at the middle of the room, where the person's pelvis is."""
    distance, height = rng.uniform(*DISTANCE_M), rng.uniform(*HEIGHT_M)
    target = np.array([0.0, 0.9, 0.0])
    flat = np.sqrt(max(distance**2 - (height - target[1]) ** 2, 0.1))
    azimuth = rng.uniform(0, 2 * np.pi)
    position = np.array([flat * np.sin(azimuth), height, flat * np.cos(azimuth)])
    aimed = look_at(position, target + rng.normal(0, AIM_SD, 3) * distance)
    quarters = int(rng.integers(1, 4)) if rng.random() < ON_SIDE else 0
    roll = np.radians(rng.normal(0, ROLL_DEG)) + quarters * np.pi / 2
    rotation = rotation_from_vector(np.array([0.0, 0.0, roll])) @ aimed
    return Cameras(rotation, position, np.asarray(focal_px), size_px)


def _apart_deg(one: Cameras, other: Cameras) -> float:
    """Returns the angle between two cameras as the middle of the room sees them, height left aside."""
    a, b = (np.arctan2(camera.position[0], camera.position[2]) for camera in (one, other))
    return float(np.degrees(abs((a - b + np.pi) % (2 * np.pi) - np.pi)))
