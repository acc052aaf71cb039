"""How long a run over files will take."""

import math

from pose_rig.tools.terminal.status import RunStatus
from pose_rig.wire.services import FUSION


def time_left(status: RunStatus) -> str:
    """Returns how long the present pass will take, by the rates of the last seconds; empty if unknown."""
    cameras, fusion = status.cameras(), status.health(FUSION)
    done, total = status.progress()
    behind = [(camera.health.total_frames or 0) - camera.frames for camera in cameras]
    detecting = any(count > 0 for count in behind)
    if detecting:
        left_s = max(_seconds(count, camera.health.rate_hz) for count, camera in zip(behind, cameras, strict=True))
    else:
        left_s = _seconds((total - done) // max(len(cameras), 1), fusion.rate_hz if fusion else 0.0)
    if not total or not math.isfinite(left_s):
        return ""
    return f"{duration(left_s)} left" + (" of the first pass" if detecting and status.config.passes == 2 else "")


def duration(seconds: float) -> str:
    """Returns a duration in words: ``40 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


def _seconds(frames: int, rate_hz: float) -> float:
    """Returns how long frames take, s; infinity where there is no rate."""
    if frames <= 0:
        return 0.0
    return frames / rate_hz if rate_hz > 0 else math.inf
