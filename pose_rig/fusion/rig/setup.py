"""What is known of a rig before its first frame."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.config import ASSUMED_HEIGHT_M, CameraConfig, Config, SolvedCamera
from pose_rig.fusion.calibration.bundle.segments import LENGTH_PER_HEIGHT
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.intrinsics import Intrinsics
from pose_rig.wire.messages import CameraState

UNKNOWN_ROTATION = tuple(np.eye(3).ravel().tolist())


@dataclass(frozen=True, slots=True)
class Setup:
    """What is known beforehand. V views.

    Attributes:
        names: (V) of the cameras.
        given: (V,) whether the user gave the focal length.
        moving: (V,) whether the camera moves: its pose is not estimated.
        mirror: Whether the images are flipped before detection, because the camera mirrors them.
        height_m: Body height of the first person, height_given: whether the user gave it.
        earlier: The solved rig of an earlier run, used if the first keyframes agree with it.
        fixed: A solved rig that is used from the start and kept.
        other_heights_m: Body heights of persons 1, 2, …, None = not given.
        several_people: Whether more than one person may be tracked, so that identities are known.
    """

    names: Sequence[str]
    given: NDArray[np.bool_]
    moving: NDArray[np.bool_]
    mirror: Sequence[bool]
    height_m: float
    height_given: bool = False
    earlier: RigSolution | None = None
    fixed: RigSolution | None = None
    other_heights_m: Sequence[float | None] = ()
    several_people: bool = False

    @property
    def scale_height_m(self) -> float | None:
        """Body height of the first person where it sets the scale; None = not given, but that of another one is."""
        others = any(height_m is not None for height_m in self.other_heights_m)
        return self.height_m if self.height_given or not others else None


def setup_of(config: Config, fixed: RigSolution | None, heights_m: Mapping[int, float] | None = None) -> Setup:
    """Returns what a configuration contains.

    Args:
        config: The configuration.
        fixed: As in `Setup`.
        heights_m: Body heights by person that hold instead of those of the configuration; None = there are none.
    """
    heights_m = given_heights_m(config) if heights_m is None else heights_m
    cameras, height_m = config.camera, heights_m.get(0, ASSUMED_HEIGHT_M)
    return Setup(
        names=tuple(camera.name for camera in cameras),
        given=np.array([camera.focal_px is not None for camera in cameras]),
        moving=np.array([camera.moving for camera in cameras]),
        mirror=tuple(camera.mirror for camera in cameras),
        height_m=height_m,
        height_given=0 in heights_m,
        earlier=earlier_solution(cameras, height_m),
        fixed=fixed,
        other_heights_m=[heights_m.get(person) for person in range(1, 1 + max(heights_m, default=0))],
        several_people=config.people > 1,
    )


def given_heights_m(config: Config) -> dict[int, float]:
    """Returns the body heights that a configuration gives, by person."""
    first = {} if config.height_m is None else {0: config.height_m}
    return first | dict(enumerate(config.other_heights_m, 1))


def earlier_solution(cameras: Sequence[CameraConfig], height_m: float) -> RigSolution | None:
    """Returns the solved rig of an earlier run, None if fewer than two of its cameras were solved."""
    known = np.array([camera.solved is not None and not camera.moving for camera in cameras])
    if known.sum() < 2:
        return None
    solved = [camera.solved for camera in cameras if camera.solved is not None]
    rows = [camera.solved or solved[0] for camera in cameras]  # the rows of cameras that were not solved are not used
    return RigSolution(calibration_of(rows, known), LENGTH_PER_HEIGHT * height_m)


def calibration_of(rows: Sequence[SolvedCamera | CameraState], known: NDArray[np.bool_]) -> Calibration:
    """Returns cameras of a configuration or message; those that are not ``known`` (V,) may lack values."""
    focal_px = np.array([row.focal_px or 1.0 for row in rows])
    size_px = np.array([row.size_px or (1, 1) for row in rows], np.float64)
    points_px = [row.principal_point_px or centre for row, centre in zip(rows, 0.5 * size_px, strict=True)]
    return Calibration(
        rotation=np.array([row.rotation or UNKNOWN_ROTATION for row in rows]).reshape(-1, 3, 3),
        translation=np.array([row.translation_m or np.zeros(3) for row in rows], np.float64),
        intrinsics=Intrinsics(
            focal_px,
            size_px,
            np.array(points_px, np.float64),
            np.array([row.lens for row in rows]),
            np.array([row.fisheye for row in rows]),
        ),
        known=known,
        rotation_sd=np.radians([row.rotation_sd_deg or 0.0 for row in rows]),
        translation_sd=np.array([row.translation_sd_m or 0.0 for row in rows]),
        focal_sd=np.array([row.focal_sd_px or 0.0 for row in rows]) / focal_px,
    )
