"""The figures of a report: what is worth a number, in words for people."""

import time
from collections.abc import Iterator

import numpy as np

from pose_rig.session.formats.joint_angles import LIMBS, SIDES, limb_m, variation_percent
from pose_rig.session.formats.poses import Poses
from pose_rig.tools.report.data import CameraTrack, ReportData

Fact = tuple[str, str]
ORIGINS = {
    "live": "live cameras",
    "files": "files, every frame",
    "import": "2D keypoints from elsewhere",
    "poses": "a poses file: no cameras, no latency",
}
INSTANTS = 1000  # at which the agreement is looked at
CAMERA_HEADS = ("camera", "frames", "per second", "missing", "agreement")


def facts(data: ReportData) -> list[Fact]:
    """Returns what is said of a session as a whole: what, and the figure."""
    out = [("from", ORIGINS.get(data.origin, data.origin))]
    if data.began_unix_s is not None:
        out.append(("recorded", time.strftime("%Y-%m-%d %H:%M", time.localtime(data.began_unix_s))))
    out.append(("length", _clock(data.duration_s)))
    if data.poses is None or not len(data.poses):
        return [*out, ("poses", "none: `pose-rig replay` makes some")]
    return [*out, *_pose_facts(data, data.poses)]


def _pose_facts(data: ReportData, poses: Poses) -> Iterator[Fact]:
    yield "poses", f"{len(poses)}, {poses.rate_hz:g} per second"
    yield "somebody seen", f"{100 * poses.tracked.mean():.0f} % of the time"
    yield "rig", _modes(data, poses)
    yield "stature", f"{poses.height_m:.2f} m" + (", assumed" if poses.height_assumed else "")
    if data.origin == "live" and poses.age_ns.any():
        half, most = np.percentile(poses.age_ns * 1e-6, (50, 95))
        yield "latency", f"{half:.0f} ms, 95 % below {most:.0f} ms"
    known = [variation_percent(limb_m(poses, limb, side)) for limb in LIMBS for side in SIDES]
    if np.isfinite(known).any():
        yield "bone lengths", f"vary by {np.nanmedian(known):.1f} % (median of {np.isfinite(known).sum()} limbs)"


def _modes(data: ReportData, poses: Poses) -> str:
    """Returns how long the rig was known in which way."""
    solved = poses.mode == "solved"
    if not solved.any():
        return f"never solved; {'settled' if (poses.mode == 'settled').any() else 'cold'}"
    return f"solved after {data.poses_s[solved.argmax()]:.1f} s, for {100 * solved.mean():.0f} % of the time"


def camera_facts(camera: CameraTrack) -> tuple[str, ...]:
    """Returns what is said of a camera, in the order of `CAMERA_HEADS`."""
    frames = camera.frames_s
    rate = (len(frames) - 1) / (frames[-1] - frames[0]) if len(frames) > 1 else 0.0
    agreement = f"{_usual_agreement(camera):.2f}" if len(camera.agreement) and len(frames) else "–"
    share = 100 * camera.missing / max(camera.missing + len(frames), 1)
    missing = f"{camera.missing} ({share:.1f} %)" if camera.missing else "0"
    return camera.name, str(len(frames)), f"{rate:.1f}", missing, agreement


def _usual_agreement(camera: CameraTrack) -> float:
    """Returns the median over the time that it gave frames: the rig speaks oftener at some times than at others."""
    even_s = np.linspace(camera.frames_s[0], camera.frames_s[-1], INSTANTS)
    return float(np.median(np.interp(even_s, camera.states_s, camera.agreement)))


def _clock(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
