"""Camera models that people own: image sizes, fields of view and lenses, and the single cameras of a model.

Measured: the eight cameras of two public recordings (a professional rig and webcams) have principal points 0.2–2.7 % of
the larger image side from the middle, k1 from −0.34 to 0.19, and k2 and k3 of alternating signs.
"""

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.simulation.cameras import SIZES_PX, Cameras
from pose_rig.simulation.lenses import Lenses

LensKind = Literal["centred", "real", "one", "mixed", "wide", "room"]
LENS_KINDS: tuple[LensKind, ...] = get_args(LensKind)
FIELD_OF_VIEW_DEG = (45.0, 100.0)  # along the larger image side, of perspective cameras
MILD_FIELD_DEG, MILD_K1 = (45.0, 80.0), 0.1  # webcams and phones
ROOM_FIELD_DEG, ROOM_SIZE_PX = (45.0, 65.0), (1032.0, 776.0)  # machine-vision cameras in the corners of a room
ACTION_FIELD_DEG, ACTION_K1 = (90.0, 110.0), (-0.3, -0.15)  # action cameras; k1 of the projection near the axis
WIDE_FIELD_DEG, WIDE_K1 = (100.0, 120.0), (-0.3, -0.2)
ACTION_SHARE = 0.25  # of the models
K2_PER_K1, K3_PER_K2 = (-1.5, 0.0), (-0.5, 0.0)
TANGENTIAL_SD = 0.001
CENTRE_SD = 0.012  # of the larger image side, per axis
WIDE_K1_LEFT = 0.01  # sd of the distortion that the projection of a wide lens leaves
SAME_MODEL_FRACTION = 0.5  # of the rigs, all cameras of one model
FOCAL_LOG_SD = 0.005  # among cameras of one model
K1_UNIT_SD = 0.003


@dataclass(frozen=True, slots=True)
class CameraModel:
    """A camera model.

    Attributes:
        size_px: (2,).
        focal_px: Of an average camera of this model.
        distortion: (5,) as in OpenCV, and angle_factor as in `Lenses`; None and 1 for a perspective one.
    """

    size_px: Floats
    focal_px: float
    distortion: Floats | None = None
    angle_factor: float = 1.0

    def camera(self, rng: np.random.Generator) -> Cameras:
        """Returns one camera of this model, at the origin."""
        focal = self.focal_px * np.exp(rng.normal(0, FOCAL_LOG_SD))
        cameras = Cameras(np.eye(3), np.zeros(3), np.asarray(focal), self.size_px)
        if self.distortion is None:
            return cameras
        offset = rng.normal(0, CENTRE_SD * self.size_px.max(), 2)
        distortion = self.distortion + np.array([rng.normal(0, K1_UNIT_SD), 0.0, *rng.normal(0, TANGENTIAL_SD, 2), 0.0])
        return replace(cameras, lenses=Lenses(offset, distortion, np.asarray(self.angle_factor)))


def random_models(kind: LensKind, views: int, rng: np.random.Generator) -> list[CameraModel]:
    """Returns the models of the cameras of a rig.

    Args:
        kind: ``centred``: perspective cameras, in half of the rigs of one model; ``real``: with lenses, of which
            ``one`` are those of one model and ``mixed`` all different; ``wide``: one model of 100–120°; ``room``: one
            model of 1032 × 776 pixels and 45–65°.
        views: Number of cameras.
        rng: Random generator.
    """
    same = {"one": True, "wide": True, "room": True, "mixed": False}.get(kind)
    if same is None:
        same = rng.random() < SAME_MODEL_FRACTION
    draw = {"centred": _perspective, "wide": _wide, "room": _room}.get(kind, _consumer)
    return [draw(rng)] * views if same else [draw(rng) for _ in range(views)]


def _perspective(rng: np.random.Generator) -> CameraModel:
    size_px = _size(rng)
    field_of_view = np.radians(rng.uniform(*FIELD_OF_VIEW_DEG))
    return CameraModel(size_px, float(0.5 * size_px.max() / np.tan(field_of_view / 2)))


def _consumer(rng: np.random.Generator) -> CameraModel:
    if rng.random() < ACTION_SHARE:
        return _with_lens(ACTION_FIELD_DEG, rng.normal(0, WIDE_K1_LEFT), rng.uniform(*ACTION_K1), rng)
    return _with_lens(MILD_FIELD_DEG, rng.uniform(-MILD_K1, MILD_K1), 0.0, rng)


def _wide(rng: np.random.Generator) -> CameraModel:
    return _with_lens(WIDE_FIELD_DEG, rng.normal(0, WIDE_K1_LEFT), rng.uniform(*WIDE_K1), rng)


def _room(rng: np.random.Generator) -> CameraModel:
    return _with_lens(ROOM_FIELD_DEG, rng.uniform(-MILD_K1, MILD_K1), 0.0, rng, np.array(ROOM_SIZE_PX))


def _with_lens(
    field_deg: tuple[float, float],
    k1: float,
    projection_k1: float,
    rng: np.random.Generator,
    size_px: Floats | None = None,
) -> CameraModel:
    """Returns a model with a field of view along the larger side, OpenCV's k1 and that of the projection."""
    size_px = _size(rng) if size_px is None else size_px
    field = np.radians(rng.uniform(*field_deg))
    k2 = k1 * rng.uniform(*K2_PER_K1)
    distortion = np.array([k1, k2, 0.0, 0.0, k2 * rng.uniform(*K3_PER_K2)])
    angle_factor = float(np.sqrt(1 + 3 * projection_k1))
    edge = Lenses(np.zeros(2), distortion, np.asarray(angle_factor)).distort(np.array([[np.tan(field / 2), 0.0]]))
    return CameraModel(size_px, float(0.5 * size_px.max() / edge[0, 0]), distortion, angle_factor)


def _size(rng: np.random.Generator) -> Floats:
    return np.asarray(SIZES_PX[int(rng.integers(len(SIZES_PX)))], float)
