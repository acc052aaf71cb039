"""The statistics at the head of a report."""

import time
from collections.abc import Iterator

import numpy as np

from pose_rig.session.formats.joint_angles import LIMBS, SIDES, limb_m, variation_percent
from pose_rig.session.formats.poses import Poses
from pose_rig.tools.report.data import CameraTrack, ReportData

ORIGINS = {
    "live": "live cameras",
    "files": "files, every frame",
    "import": "imported 2D keypoints",
    "poses": "a poses file: no cameras, no latency",
}
AGREEMENT_SAMPLES = 1000
CAMERA_HEADS = ("camera", "frames", "per second", "missing", "agreement")


def session_statistics(data: ReportData) -> list[tuple[str, str]]:
    """Returns label and value of the statistics of a session."""
    out = [("source", ORIGINS.get(data.origin, data.origin))]
    if data.start_unix_s is not None:
        out.append(("recorded", time.strftime("%Y-%m-%d %H:%M", time.localtime(data.start_unix_s))))
    out.append(("length", _duration(data.duration_s)))
    if data.poses is None or not len(data.poses):
        return [*out, ("poses", "none: `pose-rig replay` computes them")]
    return [*out, *_pose_statistics(data, data.poses)]


def _pose_statistics(data: ReportData, poses: Poses) -> Iterator[tuple[str, str]]:
    people = data.people()
    yield "poses", f"{len(poses)}, {poses.rate_hz:g} per second"
    if len(people) == 1:
        yield "person tracked", f"{100 * poses.tracked.mean():.0f} % of the time"
    yield "rig", _modes(data, poses)
    if len(people) == 1:
        yield "body height", f"{poses.height_m:.2f} m" + (", assumed" if poses.height_assumed else "")
    if data.origin == "live" and poses.age_ns.any():
        median, high = np.percentile(poses.age_ns * 1e-6, (50, 95))
        yield "latency", f"{median:.0f} ms, 95 % below {high:.0f} ms"
    if len(people) > 1:
        yield "people", str(len(people))
        known = [(one.whose.removeprefix(" of "), one.poses) for one in people if one.poses is not None]
        steps = len(np.unique(np.concatenate([one.t_ns for _, one in known])))
        yield from ((name, _person(one, steps)) for name, one in known)
    elif (variation := _bone_variation(poses)) is not None:
        yield "bone lengths", f"vary by {variation[0]:.1f} % (median of {variation[1]} limbs)"


def _person(poses: Poses, steps: int) -> str:
    """Returns the statistics of one of several people over so many time steps."""
    facts = [f"{100 * poses.tracked.sum() / steps:.0f} % of the time", f"{poses.height_m:.2f} m"]
    if poses.height_assumed:
        facts[1] += " assumed"
    if (variation := _bone_variation(poses)) is not None:
        facts.append(f"bones ±{variation[0]:.1f} %")
    return ", ".join(facts)


def _bone_variation(poses: Poses) -> tuple[float, int] | None:
    """Returns the median variation of the limbs' lengths, %, and how many limbs there are; None without any."""
    variations = [variation_percent(limb_m(poses, limb, side)) for limb in LIMBS for side in SIDES]
    limbs = int(np.isfinite(variations).sum())
    return (float(np.nanmedian(variations)), limbs) if limbs else None


def _modes(data: ReportData, poses: Poses) -> str:
    solved = poses.mode == "solved"
    if not solved.any():
        return f"never solved; {'settled' if (poses.mode == 'settled').any() else 'cold'}"
    return f"solved after {data.poses_s[solved.argmax()]:.1f} s, for {100 * solved.mean():.0f} % of the time"


def camera_statistics(camera: CameraTrack) -> tuple[str, ...]:
    """Returns the statistics of a camera in the order of `CAMERA_HEADS`."""
    frames_s = camera.frames_s
    rate = (len(frames_s) - 1) / (frames_s[-1] - frames_s[0]) if len(frames_s) > 1 else 0.0
    agreement = f"{_median_agreement(camera):.2f}" if len(camera.agreement) and len(frames_s) else "–"
    share = 100 * camera.missing / max(camera.missing + len(frames_s), 1)
    missing = f"{camera.missing} ({share:.1f} %)" if camera.missing else "0"
    return camera.name, str(len(frames_s)), f"{rate:.1f}", missing, agreement


def _median_agreement(camera: CameraTrack) -> float:
    """Returns the median over time; the states are not evenly spaced."""
    even_s = np.linspace(camera.frames_s[0], camera.frames_s[-1], AGREEMENT_SAMPLES)
    return float(np.median(np.interp(even_s, camera.states_s, camera.agreement)))


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
