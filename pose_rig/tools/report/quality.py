"""How good a result is, in numbers: what a report says in words, for programs.

Axes: T poses, F frames.
"""

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.session.formats.joint_angles import LIMBS, SIDES, limb_m, variation_percent
from pose_rig.session.formats.poses import Poses
from pose_rig.skeleton import J
from pose_rig.tools.report.data import CameraTrack, ReportData

MANY_MISSING = 0.01  # of the frames of a camera: a warning
WRONG_VARIATION = 8.0  # % of the limbs' lengths: a warning; 1 to 3 are usual


class CameraQuality(msgspec.Struct, frozen=True, kw_only=True):
    """The quality of one camera.

    Attributes:
        name: Its name.
        frames: Number of frames.
        missing: Number of frames that are missing between them.
        agreement: Mean agreement with the other cameras, 0–1; None if it never detected a person.
        clock_offset_ms: Rig time minus camera time, as corrected.
        clock_offset_sd_ms: Its standard deviation; None where nothing is known of the clock.
        note: What was wrong at the end; empty if nothing.
    """

    name: str
    frames: int
    missing: int
    agreement: float | None = None
    clock_offset_ms: float = 0.0
    clock_offset_sd_ms: float | None = None
    note: str = ""


class PersonQuality(msgspec.Struct, frozen=True, kw_only=True):
    """The quality of one of several people; figures as in `Quality`, ``tracked`` of all time steps of the take.

    Attributes:
        person: Identity.
    """

    person: int
    tracked: float
    residual_px: float | None = None
    bone_variation_percent: float | None = None
    joint_sd_mm: float | None = None
    height_m: float
    height_assumed: bool


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """The quality of a take, of several people that of the first. What is not known is None.

    Attributes:
        duration_s: Length of the take.
        poses: Number of poses.
        rate_hz: Poses per second.
        tracked: Share of the poses in which a person is tracked, 0–1.
        solved: Share of the poses with solved cameras, 0–1.
        solved_after_s: Time of the first of them.
        residual_px: Reprojection error: distance of detections from the pose, mean of the joints; median over time.
        residual_95_px: 95 % of the time it is below this.
        bone_variation_percent: Coefficient of variation of the limbs' lengths, which are constant in truth; median.
        joint_sd_mm: Standard deviation of a joint's position along one axis, as estimated; median.
        height_m: Body height that sets the scale.
        height_assumed: Whether it was assumed rather than given.
        cameras: The cameras.
        warnings: What a person should know, one sentence each.
        people: Each of several people; unset if there is one.
    """

    duration_s: float = 0.0
    poses: int = 0
    rate_hz: float = 0.0
    tracked: float = 0.0
    solved: float = 0.0
    solved_after_s: float | None = None
    residual_px: float | None = None
    residual_95_px: float | None = None
    bone_variation_percent: float | None = None
    joint_sd_mm: float | None = None
    height_m: float | None = None
    height_assumed: bool = True
    cameras: tuple[CameraQuality, ...] = ()
    warnings: tuple[str, ...] = ()
    people: tuple[PersonQuality, ...] | msgspec.UnsetType = msgspec.UNSET

    def sentence(self) -> str:
        """Returns the most important figures in one line."""
        facts = [
            f"{len(self.people)} people" if self.people is not msgspec.UNSET else "",
            "not solved" if self.solved_after_s is None else f"solved after {self.solved_after_s:.1f} s",
            f"tracked {100 * self.tracked:.0f} % of the time",
            "" if self.residual_px is None else f"residual {self.residual_px:.1f} px",
            "" if self.bone_variation_percent is None else f"bone lengths vary by {self.bone_variation_percent:.1f} %",
        ]
        return ", ".join(fact for fact in facts if fact)


def quality_of(data: ReportData) -> Quality:
    """Returns the quality of a session or a poses file."""
    cameras = tuple(_camera(track) for track in data.cameras)
    poses = data.poses
    if poses is None or not len(poses):
        return Quality(duration_s=data.duration_s, cameras=cameras, warnings=(*data.notes, "There are no poses."))
    solved = poses.mode == "solved"
    residual_px = residuals_px(poses)
    return Quality(
        duration_s=data.duration_s,
        poses=len(poses),
        rate_hz=poses.rate_hz,
        tracked=float(poses.tracked.mean()),
        solved=float(solved.mean()),
        solved_after_s=float(data.poses_s[solved.argmax()]) if solved.any() else None,
        residual_px=_percentile(residual_px, 50),
        residual_95_px=_percentile(residual_px, 95),
        bone_variation_percent=_bone_variation(poses),
        joint_sd_mm=_percentile(1e3 * poses.sd_m[:, :J], 50),
        height_m=poses.height_m,
        height_assumed=poses.height_assumed,
        cameras=cameras,
        warnings=tuple(_warnings(data, poses, cameras)),
        people=_people(data) if data.others else msgspec.UNSET,
    )


def _people(data: ReportData) -> tuple[PersonQuality, ...]:
    people = [one.poses for one in data.people() if one.poses is not None]
    steps = max(len(np.unique(np.concatenate([poses.t_ns for poses in people]))), 1)
    return tuple(
        PersonQuality(
            person=poses.person,
            tracked=float(poses.tracked.sum()) / steps,
            residual_px=_percentile(residuals_px(poses), 50),
            bone_variation_percent=_bone_variation(poses),
            joint_sd_mm=_percentile(1e3 * poses.sd_m[:, :J], 50),
            height_m=poses.height_m,
            height_assumed=poses.height_assumed,
        )
        for poses in people
    )


def residuals_px(poses: Poses) -> Floats:
    """Returns (T,) px, the mean reprojection error of the body joints detected; NaN where there is none."""
    error_px = poses.residual_px[:, :J].astype(np.float64)
    visible = (poses.score[:, :J] > 0) & poses.tracked[:, None] & np.isfinite(error_px)
    count = visible.sum(1)
    total = np.where(visible, error_px, 0.0).sum(1)
    out: Floats = np.full(len(poses), np.nan)
    out[count > 0] = total[count > 0] / count[count > 0]
    return out


def _camera(track: CameraTrack) -> CameraQuality:
    return CameraQuality(
        name=track.name,
        frames=len(track.frames_s),
        missing=track.missing,
        agreement=track.mean_agreement,
        clock_offset_ms=1e3 * track.clock_offset_s,
        clock_offset_sd_ms=None if track.clock_offset_sd_s is None else 1e3 * track.clock_offset_sd_s,
        note=track.note,
    )


def _warnings(data: ReportData, poses: Poses, cameras: Sequence[CameraQuality]) -> Iterator[str]:
    yield from data.notes
    if not (poses.mode == "solved").any():
        yield "The cameras were never solved: positions in the room are unknown, and depths are rough."
    if not poses.tracked.any():
        yield "No person is tracked in any pose."
    if poses.height_assumed:
        yield f"A body height of {poses.height_m:.2f} m was assumed: lengths are those of such a person."
    if (variation := _bone_variation(poses)) is not None and variation > WRONG_VARIATION:
        yield (
            f"The limbs change their length by {variation:.0f} %, so poses are wrong: a camera moved, or 2D of another "
            "program has other landmarks (--landmarks), image sizes or frame rates than assumed."
        )
    for camera in cameras:
        if camera.note:
            yield f"{camera.name}: {camera.note}"
        if camera.missing > MANY_MISSING * (camera.frames + camera.missing):
            yield f"{camera.name} lacks {camera.missing} of {camera.frames + camera.missing} frames."


def _bone_variation(poses: Poses) -> float | None:
    variations = np.array([variation_percent(limb_m(poses, limb, side)) for limb in LIMBS for side in SIDES])
    return _percentile(variations, 50)


def _percentile(values: NDArray[np.floating], percentile: float) -> float | None:
    """Returns a percentile of the finite values, None without any."""
    finite = values[np.isfinite(values)]
    return float(np.percentile(finite, percentile)) if len(finite) else None
