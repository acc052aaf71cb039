"""Several people who walk and cross in front of simulated cameras, and what a good detector would find of them.

Axes: V views, T time steps, N people, J = 17 joints.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.pose.pose_estimate import PoseEstimate
from pose_rig.fusion.pose.sync import Sample
from pose_rig.geometry import rotation_from_vector
from pose_rig.simulation.cameras import Cameras
from pose_rig.simulation.noise import drift
from pose_rig.simulation.occlusion import hidden_behind
from pose_rig.simulation.paths import keep_apart
from pose_rig.simulation.walk import captured_walk, walk_at
from tests.fusion.fakes import FPS, NOISE, SCORE, ring

SCALES = (1.0, 0.9, 1.08, 0.95, 1.04, 0.86)  # of the bodies: 1 = that of the captured walk
MIN_VISIBLE = 0.4  # of the joints, of a person who is detected


@dataclass(frozen=True, slots=True)
class PeopleScene:
    """People in front of static cameras.

    Attributes:
        joints: (T,N,J,3) m, in the room, y up.
        cameras: (V,).
        xy_px: (V,T,N,J,2), score: (V,T,N,J); detections in random order, those of nobody detected last, with score 0.
        person: (V,T,N) which person a detection shows, −1 for none.
        fps: Time steps per second.
    """

    joints: Floats
    cameras: Cameras
    xy_px: Floats
    score: Floats
    person: NDArray[np.int64]
    fps: float = FPS

    def t_ns(self, index: int) -> int:
        return round(index * 1e9 / self.fps)

    def samples(self, index: int) -> list[Sample | None]:
        """The detections of every view; None where there are none."""
        out: list[Sample | None] = []
        for xy, score in zip(self.xy_px[:, index], self.score[:, index], strict=True):
            found = score.any(-1)
            out.append(Sample(self.t_ns(index), xy[found], score[found]) if found.any() else None)
        return out

    def found(self, index: int, pose: PoseEstimate) -> NDArray[np.int64]:
        """(V,) whom the detections show that a pose of this time step is made of; −1 where it has none."""
        used = pose.person_index
        shown = self.person[np.arange(len(used)), index, np.maximum(used, 0)]
        return np.where(used >= 0, shown, -1)

    def without(self, view: int, person: int, first: int, last: int) -> "PeopleScene":
        """The same scene, in which a view does not detect a person in time steps ``first`` to ``last`` − 1."""
        here = np.zeros(self.person.shape, bool)
        here[view, first:last] = self.person[view, first:last] == person
        kept, score, xy_px = np.where(here, -1, self.person), self.score.copy(), self.xy_px.copy()
        score[here], xy_px[here] = 0.0, 0.0
        return PeopleScene(self.joints, self.cameras, *_sorted(xy_px, score, kept, kept < 0), self.fps)


def crossing(people: int = 2, seconds: float = 5.0, fps: float = FPS) -> Floats:
    """(T,N,J,3) people of different sizes who walk through the middle of the room in different directions.

    They are 0.4 m apart at least, and meet in the middle of the captured walk.
    """
    clip, clip_fps = captured_walk()
    frames = np.arange(round(seconds * fps)) * clip_fps / fps
    middle = walk_at(np.array(0.5 * (len(clip) - 1)))[0] * [1.0, 0.0, 1.0]
    out = []
    for n in range(people):
        turn = rotation_from_vector(np.array([0.0, np.pi * n * (1 + np.sqrt(5)) / 3, 0.0]))
        aside = turn @ np.array([0.35 * (n % 3 - 1), 0.0, 0.35 * (n // 3)])
        out.append(SCALES[n % len(SCALES)] * ((walk_at(frames + 9 * n) - middle) @ turn.T) + aside)
    return keep_apart(np.stack(out, 1), fps)


def film_people(
    joints: Floats,
    cameras: Cameras,
    *,
    noise: float = NOISE,
    hide: bool = True,
    shuffle: bool = True,
    seed: int = 0,
    fps: float = FPS,
) -> PeopleScene:
    """What the cameras detect of people (T,N,J,3).

    Args:
        joints: The people.
        cameras: (V,).
        noise: Of the detections, as in `tests.fusion.fakes.film`.
        hide: Whether people hide each other; a person with less than `MIN_VISIBLE` of the joints is not detected.
        shuffle: Whether the order of the people is random in every view and time step; else it is always theirs.
        seed: Of noise and order.
        fps: Time steps per second.
    """
    rng = np.random.default_rng(seed)
    xy, local = cameras.each(lambda values: values[:, None, None]).project(joints[None])
    hidden = hidden_behind(xy, local[..., 2], cameras.focal_px) >= 0
    if not hide:
        hidden[:] = False
    extent = np.ptp(xy, axis=-2).max(-1)[..., None, None]
    flat = xy.swapaxes(1, 2)  # time steps third from the end, as the drift needs them
    xy = xy + noise * extent * drift(flat.shape, fps, rng).swapaxes(1, 2)
    score = np.where(hidden, 0.0, SCORE)
    absent = hidden.mean(-1) > 1 - MIN_VISIBLE
    person = np.where(absent, -1, np.arange(joints.shape[1]))
    score[absent] = 0.0
    keys = rng.random(absent.shape) if shuffle else np.broadcast_to(np.linspace(0, 0.9, absent.shape[-1]), absent.shape)
    return PeopleScene(joints, cameras, *_sorted(xy, score, person, keys + absent), fps)


def two_people(seconds: float = 5.0, views: int = 4, **options: object) -> PeopleScene:
    """Two people who cross in front of a ring of cameras; options as of `film_people`."""
    return film_people(crossing(2, seconds), ring(views), **options)  # type: ignore[arg-type]


def three_people(seconds: float = 5.0, views: int = 4, **options: object) -> PeopleScene:
    """Three people who cross in front of a ring of cameras; options as of `film_people`."""
    return film_people(crossing(3, seconds), ring(views), **options)  # type: ignore[arg-type]


def write_people(path: Path, scene: PeopleScene) -> None:
    """Writes what the cameras detect as a keypoint file."""
    views, steps = scene.person.shape[:2]
    np.savez(
        path,
        xy=scene.xy_px,
        score=scene.score,
        t_ns=np.tile([scene.t_ns(i) for i in range(steps)], (views, 1)),
        landmarks="rig17",
        size_px=scene.cameras.size_px.astype(int),
    )


def _sorted(
    xy_px: Floats, score: Floats, person: NDArray[np.int64], keys: NDArray[np.generic]
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    order = np.argsort(keys, axis=-1, kind="stable")
    xy_px = np.take_along_axis(xy_px, order[..., None, None], 2)
    return xy_px, np.take_along_axis(score, order[..., None], 2), np.take_along_axis(person, order, 2)
