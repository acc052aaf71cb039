"""What the live page is sent, as JSON (docs/wire.md)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from pose_rig.wire.messages import CameraState, Health, Refined2D, RigState

PROTOCOL_VERSION = 1
DIGITS_PX, DIGITS_SCORE = 1, 2
_encode = msgspec.json.Encoder().encode


def text(fields: Mapping[str, Any]) -> str:
    """Returns fields as JSON."""
    return _encode(fields).decode()


def rig_message(rig: RigState, *, height_m: float, height_assumed: bool) -> str:
    """Returns the state of all cameras; the body height is that which sets the scale."""
    return text({
        "type": "rig", "mode": rig.mode, "note": rig.note, "height_m": height_m, "height_assumed": height_assumed,
        "cameras": [_camera(camera) for camera in rig.cameras],
    })  # fmt: skip


def _camera(camera: CameraState) -> dict[str, Any]:
    return {
        "name": camera.name,
        "rotation": camera.rotation,
        "translation_m": camera.translation_m,
        "focal_px": camera.focal_px,
        "size_px": camera.size_px,
        "health": camera.health,
        "agreement": camera.agreement,
        "time_offset_s": camera.time_offset_s,
        "time_offset_sd_s": camera.time_offset_sd_s,
        "moving": camera.moving,
        "note": camera.note,
    }


def worker_fields(health: Health, *, silent: bool) -> dict[str, Any]:
    """Returns the report of a worker.

    Args:
        health: Its newest report.
        silent: Whether that is too old for a worker that runs.
    """
    return {
        "worker": health.worker,
        "state": health.state,
        "silent": silent,
        "rate_hz": round(health.rate_hz, 1),
        "age_ms": round(health.age_ms, 1),
        "dropped": health.dropped,
        "restarts": health.restarts,
        "error": health.error,
        "detail": health.detail,
        "refused": health.refused,
    }


@dataclass(frozen=True, slots=True)
class Keypoints:
    """The 2D poses of one person in an image.

    Attributes:
        raw: (K,3) px, px, score, as detected; None = not detected.
        refined: The pose corrected by the other cameras; None where it is unknown.
    """

    raw: Any
    refined: Refined2D | None


def keypoints_message(
    camera: str,
    size_px: tuple[int, int],
    first: Keypoints,
    people: Sequence[Keypoints] | None,
    landmarks: str,
    t_ns: int,
) -> str:
    """Returns the 2D poses in an image.

    Args:
        camera: Name of the camera.
        size_px: (width, height) of its images.
        first: Of the first person.
        people: Of all people, where several are tracked; else None.
        landmarks: Landmark schema of what was detected.
        t_ns: Capture time.
    """
    fields: dict[str, Any] = {
        "type": "keypoints", "camera": camera, "size_px": size_px, **_keypoints(first), "landmarks": landmarks,
        "t_ns": t_ns,
    }  # fmt: skip
    if people is not None:
        fields["people"] = [
            {"person": None if one.refined is None else one.refined.person, **_keypoints(one)} for one in people
        ]
    return text(fields)


def _keypoints(one: Keypoints) -> dict[str, Any]:
    corrected = None if one.refined is None else np.column_stack([one.refined.xy, one.refined.inlier])
    return {"raw": _rounded(one.raw), "refined": _rounded(corrected)}


def _rounded(points: Any) -> list[list[float]] | None:
    if points is None:
        return None
    rows = np.asarray(points, np.float64).tolist()
    return [[round(x, DIGITS_PX), round(y, DIGITS_PX), round(score, DIGITS_SCORE)] for x, y, score in rows]
