"""Solved rigs for tests: the simulated cameras with their true poses."""

from collections.abc import Sequence

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.capture.simulated import SIZE_PX, matrices
from pose_rig.config import CameraConfig, SolvedCamera
from pose_rig.tools.rig_files.rig_camera import RigCamera
from pose_rig.wire.messages import CameraState, RigState

POINTS = np.random.default_rng(3).uniform([-1.0, 0.0, -1.0], [1.0, 1.8, 1.0], (20, 3))
K1 = -0.07


def solved(member: int, **more: object) -> SolvedCamera:
    intrinsics, rotation, translation = matrices(member)
    values: dict[str, object] = {
        "size_px": SIZE_PX,
        "rotation": tuple(tuple(row) for row in rotation.tolist()),
        "translation_m": tuple(translation.tolist()),
        "focal_px": float(intrinsics[0, 0]),
        "k1": K1,
        "rotation_sd_deg": 0.4,
        "translation_sd_m": 0.02,
        "focal_sd_px": 9.0,
    }
    return SolvedCamera(**(values | more))  # type: ignore[arg-type]


def places(count: int) -> list[RigCamera]:
    return [RigCamera(f"cam{member}", solved(member)) for member in range(count)]


def facing(name: str, azimuth_deg: float, **more: object) -> RigCamera:
    """Returns a level camera, 4 m from the person and 1 m high, with this viewing direction."""
    a = np.radians(azimuth_deg)
    forward, down = np.array([np.sin(a), 0.0, -np.cos(a)]), np.array([0.0, -1.0, 0.0])
    rotation = np.stack([np.cross(down, forward), down, forward])
    translation = -rotation @ (np.array([0.0, 1.0, 0.0]) - 4.0 * forward)
    turned = tuple(tuple(row) for row in rotation.tolist())
    return RigCamera(name, solved(0, rotation=turned, translation_m=tuple(translation.tolist()), **more))


def project(camera: SolvedCamera, points: Floats) -> Floats:
    """Returns (N,2) px, by the definition of a solved camera in config.py and docs/frames.md."""
    seen = points @ np.array(camera.rotation).T + np.array(camera.translation_m)
    ideal = seen[:, :2] / seen[:, 2:]
    bent = ideal * (1 + camera.k1 * (ideal**2).sum(1, keepdims=True))
    return np.asarray(camera.focal_px * bent + np.array(camera.size_px) / 2)


def state(cameras: Sequence[CameraConfig], unsolved: Sequence[str] = ()) -> RigState:
    """Returns the state of a solved rig whose cameras have the poses of the simulated ones."""
    known = []
    for member, camera in enumerate(cameras):
        if camera.name in unsolved:
            known.append(CameraState(name=camera.name, focal_px=1152.0, note="not seen"))
            continue
        place = solved(member)
        known.append(
            CameraState(
                name=camera.name,
                rotation=tuple(np.ravel(place.rotation).tolist()),
                rotation_sd_deg=place.rotation_sd_deg,
                translation_m=place.translation_m,
                translation_sd_m=place.translation_sd_m,
                focal_px=place.focal_px,
                focal_sd_px=place.focal_sd_px,
                k1=place.k1,
                size_px=place.size_px,
                health=0.9,
            )
        )
    return RigState(t_ns=1, mode="solved", cameras=tuple(known))
