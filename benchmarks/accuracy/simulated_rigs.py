"""Random, realistic camera rigs with a person who walks in front of them.

Axes: V views, T time steps, J = 17 joints. The room is y up, its floor at y = 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.movement import FPS, LEGS, random_walk, walking_area
from pose_rig.arrays import Floats
from pose_rig.config import CameraConfig, Config
from pose_rig.fusion.calibration.body_scale import EARS_TO_ANKLES
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.pose.sync import Sample
from pose_rig.fusion.rig.background import BackgroundCompute
from pose_rig.geometry import rotation_from_vector
from pose_rig.graph import Engine
from pose_rig.simulation.bodies import random_bones
from pose_rig.simulation.camera_models import LensKind, random_models
from pose_rig.simulation.cameras import Cameras, look_at
from pose_rig.simulation.detector_bias import DetectorBias
from pose_rig.simulation.motion import Clip
from pose_rig.simulation.noise import detect, random_events
from pose_rig.simulation.takes import OTHER_PERSON_SHARE, Take
from pose_rig.skeleton import INDEX, JOINT_SET
from pose_rig.wire.messages import CameraState

MIN_ANGLE_DEG = 20.0  # between two cameras, seen from the middle
ROLL_SD_DEG = 4.0
AIM_SD_PER_DISTANCE = 0.06
MAX_ATTEMPTS = 200
MIN_DEPTH_M = 0.3  # of a joint; nearer people are not detected
HEIGHT_LOG_SD = 0.015  # of people with the same limbs and trunk
HEIGHT_GIVEN_FRACTION = 0.5  # of the takes


@dataclass(frozen=True, slots=True)
class Placement:
    """Where cameras are.

    Attributes:
        distance_m: Range of the distances from the mean position of the people.
        height_m: Range of the heights.
        rotated_fraction: Of the cameras, mounted on their side or upside down.
        min_visible_fraction: Of the joints over the take, in every image.
    """

    distance_m: tuple[float, float] = (2.0, 8.0)
    height_m: tuple[float, float] = (0.2, 3.0)
    rotated_fraction: float = 0.2
    min_visible_fraction: float = 0.9


ANYWHERE = Placement()


@dataclass(frozen=True, slots=True)
class RigTake:
    """A take of a random rig.

    Attributes:
        take: Detections and truth.
        body_height_m: True body height.
        height_m: Configured body height, None for the default.
        bias: Of the detector, already in the detections.
        landmarks: Landmark set of the detections; those of real footage are not our joints.
    """

    take: Take
    body_height_m: float
    height_m: float | None
    bias: DetectorBias | None = None
    landmarks: str = JOINT_SET

    def estimator(self, engine: Engine, background: BackgroundCompute | None = None) -> Estimator:
        """Returns a new estimator for this rig, which solves inline."""
        views = len(self.take.xy_px)
        cameras = tuple(CameraConfig(source="sim", name=f"cam{v}") for v in range(views))
        out = Estimator(Config(camera=cameras, height_m=self.height_m), engine, background)
        self.set_cameras(out)
        return out

    def set_cameras(self, estimator: Estimator) -> None:
        """Sets image sizes and landmarks, as the first frames of the cameras do."""
        for v, (width, height) in enumerate(self.take.cameras.size_px.astype(int).tolist()):
            estimator.set_camera(v, (width, height), self.landmarks)

    def t_ns(self, t: int) -> int:
        """Returns the time of time step ``t``."""
        return round(t * 1e9 / self.take.fps)

    def samples(self, t: int) -> list[Sample | None]:
        """Returns the detections of every view at time step ``t``."""
        xy, score = self.take.xy_px[:, t], self.take.score[:, t]
        return [Sample(self.t_ns(t), xy[v][None], score[v][None]) if score[v].any() else None for v in range(len(xy))]


def camera_states(estimator: Estimator) -> tuple[CameraState, ...]:
    """Returns the calibration of a rig."""
    return estimator.rig_state().cameras


def rig_take(
    clips: Sequence[Clip],
    views: int,
    seconds: float,
    rng: np.random.Generator,
    *,
    lenses: LensKind = "centred",
    biased: bool = False,
    area_m: float | None = None,
) -> RigTake:
    """Returns a take of a random person who moves all the time, and of a random rig.

    Args:
        clips: Source of the movement (`benchmarks.accuracy.movement.moving_clips`).
        views: Number of cameras.
        seconds: Duration.
        rng: Random generator.
        lenses: Of the cameras.
        biased: Whether the detector errs by direction of view; it changes nothing else in the take.
        area_m: Longer side of the area in which the person walks; None for what the movement needs.
    """
    people, body_height_m = random_person(clips, seconds, rng, area_m)
    cameras = rig_around(people, views, rng, lenses)
    bias = random_bias(rng) if biased else None
    xy_px, score = detections_of(people, cameras, rng, bias)
    height_m = body_height_m if rng.random() < HEIGHT_GIVEN_FRACTION else None
    return RigTake(Take(xy_px, score, FPS, people, cameras), body_height_m, height_m, bias)


def random_person(
    clips: Sequence[Clip], seconds: float, rng: np.random.Generator, area_m: float | None = None
) -> tuple[Floats, float]:
    """Returns a random person (T,J,3) m who moves all the time, and the body height in m; arguments of `rig_take`."""
    bones = random_bones(1, rng)[0]
    upright = 0.5 * bones[LEGS].sum() + bones[INDEX["thorax"]] + bones[INDEX["head"]]
    body_height_m = float(upright / EARS_TO_ANKLES * np.exp(rng.normal(0, HEIGHT_LOG_SD)))
    people = random_walk(clips, bones, body_height_m, seconds, rng)
    return people if area_m is None else walking_area(people, area_m), body_height_m


def random_bias(rng: np.random.Generator) -> DetectorBias:
    """Returns the bias of a random detector; what is drawn from the generator afterwards stays the same."""
    return DetectorBias.random(rng.spawn(1)[0])


def rig_around(
    people: Floats,
    views: int,
    rng: np.random.Generator,
    lenses: LensKind = "centred",
    placement: Placement = ANYWHERE,
) -> Cameras:
    """Returns randomly placed cameras with a person (T,J,3) in their images most of the time."""
    middle = people.mean((0, 1)) * np.array([1.0, 0.0, 1.0])
    some = people[:: round(FPS / 2)] - middle
    placed: list[Cameras] = []
    for model in random_models(lenses, views, rng):
        made = model.camera(rng)
        candidates: list[tuple[float, Cameras]] = []
        while len(candidates) < MAX_ATTEMPTS and not (
            candidates and candidates[-1][0] > placement.min_visible_fraction
        ):
            camera = _place(made, placement, rng)
            if all(_angle_between_deg(camera, other) > MIN_ANGLE_DEG for other in placed):
                candidates.append((float(in_image(some, camera).mean()), camera))
        placed.append(max(candidates, key=lambda pair: pair[0])[1])
    stacked = Cameras.stack(placed)
    return replace(stacked, position=stacked.position + middle)


def in_image(people: Floats, camera: Cameras) -> NDArray[np.bool_]:
    """Returns (...,J) which joints (...,J,3) are in the image of a camera."""
    xy, local = camera.project(people)
    inside = ((xy >= 0) & (xy < camera.size_px[..., None, :])).all(-1)
    return np.asarray(inside & (local[..., 2].min(-1) > MIN_DEPTH_M)[..., None])


def detections_of(
    people: Floats, cameras: Cameras, rng: np.random.Generator, bias: DetectorBias | None = None
) -> tuple[Floats, Floats]:
    """Returns detections (V,T,J,2) px and their scores (V,T,J); 0 outside the image."""
    over_time = cameras.each(lambda values: values[:, None])
    xy, _ = over_time.project(people[None])
    visible = in_image(people[None], over_time)
    extent = np.ptp(xy, axis=-2).max(-1)[..., None, None]
    detections = detect(xy if bias is None else xy + bias.shift_px(people, cameras), FPS, rng)
    lost = random_events(np.array([OTHER_PERSON_SHARE]), (*xy.shape[:2], 1), FPS, rng)[..., None]
    bystander = xy[:, ::-1] + extent * rng.uniform(-2, 2, (len(xy), 1, 1, 2))
    out = np.where(lost, bystander, detections.xy_px)
    inside = ((out >= 0) & (out < cameras.size_px[:, None, None])).all(-1) & (visible | lost[..., 0])
    return np.where(inside[..., None], out, 0.0), np.where(inside, detections.score, 0.0)


def _place(camera: Cameras, placement: Placement, rng: np.random.Generator) -> Cameras:
    """Returns a camera, aimed approximately at the pelvis in the middle of the room."""
    distance, height = rng.uniform(*placement.distance_m), rng.uniform(*placement.height_m)
    target = np.array([0.0, 0.9, 0.0])
    horizontal = np.sqrt(max(distance**2 - (height - target[1]) ** 2, 0.1))
    azimuth = rng.uniform(0, 2 * np.pi)
    position = np.array([horizontal * np.sin(azimuth), height, horizontal * np.cos(azimuth)])
    unrolled = look_at(position, target + rng.normal(0, AIM_SD_PER_DISTANCE, 3) * distance)
    quarters = int(rng.integers(1, 4)) if rng.random() < placement.rotated_fraction else 0
    roll = np.radians(rng.normal(0, ROLL_SD_DEG)) + quarters * np.pi / 2
    rotation = rotation_from_vector(np.array([0.0, 0.0, roll])) @ unrolled
    return replace(camera, rotation=rotation, position=position)


def _angle_between_deg(one: Cameras, other: Cameras) -> float:
    """Returns the horizontal angle between two cameras, seen from the middle of the room."""
    a, b = (np.arctan2(camera.position[0], camera.position[2]) for camera in (one, other))
    return float(np.degrees(abs((a - b + np.pi) % (2 * np.pi) - np.pi)))
