"""The accuracy of a poses file, compared with a calibrated rig on the same detections.

Axes: T time steps, V views, J = 17 joints, L = 12 limb joints.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.reference import LIMB, Reference, detected
from benchmarks.accuracy.similarity import global_mm, pa_mm
from pose_rig.arrays import Floats
from pose_rig.session.formats.poses_file import KEYS_OF_ROWS
from pose_rig.skeleton import JOINTS, landmarks


@dataclass(frozen=True, slots=True)
class PoseError:
    """The error of poses, over the time steps at which poses and truth are known.

    Attributes:
        pa_mm: (T,) mean error of the limb joints, each time step after its own similarity; NaN = unknown.
        global_mm: The mean error after one similarity for all.
    """

    pa_mm: Floats
    global_mm: float

    @classmethod
    def of(cls, limbs: Floats, truth: Floats) -> "PoseError":
        """Returns the error of limb joints (T,L,3) in any frame and unit."""
        known = np.isfinite(limbs).all((1, 2)) & np.isfinite(truth).all((1, 2))
        errors_mm = np.full(len(limbs), np.nan)
        errors_mm[known] = pa_mm(limbs[known], truth[known])
        return cls(errors_mm, global_mm(limbs[known], truth[known]) if known.any() else np.nan)

    @property
    def mean_pa_mm(self) -> float:
        """The mean over the known time steps."""
        known = self.pa_mm[np.isfinite(self.pa_mm)]
        return float(known.mean()) if len(known) else np.nan


@dataclass(frozen=True, slots=True)
class PosesScore:
    """The accuracy of a poses file.

    Attributes:
        streamed: Error of the streamed poses.
        raw: Error before smoothing.
        calibrated: Error of the same detections, triangulated with the true cameras.
        mode: (T,) mode of the rig.
        jdr_detector, jdr_refined: (V,) joint detection rate of the limb joints, percent.
    """

    streamed: PoseError
    raw: PoseError
    calibrated: PoseError
    mode: NDArray[np.str_]
    jdr_detector: Floats
    jdr_refined: Floats

    @property
    def ratio_pa(self) -> float:
        """Mean PA-MPJPE, of the better of streamed and raw, over that of the calibrated rig."""
        return min(self.streamed.mean_pa_mm, self.raw.mean_pa_mm) / self.calibrated.mean_pa_mm

    @property
    def ratio_global(self) -> float:
        """The error after one similarity, of the better of streamed and raw, over that of the calibrated rig."""
        return min(self.streamed.global_mm, self.raw.global_mm) / self.calibrated.global_mm


def score_poses(path: Path, reference: Reference, frames: tuple[int, int] | None = None, person: int = 0) -> PosesScore:
    """Returns the score of a person in a poses file, over the given frames of the reference only."""
    with np.load(path, allow_pickle=False) as file:
        rows = file["person"] == person if "person" in file else slice(None)
        poses = {key: file[key][rows] if key in KEYS_OF_ROWS else file[key] for key in file.files}
        covered, truth, truth_px = reference.at(poses["t_ns"], frames)
        order = [list(poses["joints"]).index(JOINTS[i]) for i in LIMB]
        streamed, raw = (poses[key][covered][:, order].astype(float) for key in ("xyz", "xyz_raw"))
        xy, score = landmarks(",".join(poses["landmarks"])).to_joints(poses["xy"][covered], poses["xy_score"][covered])
        refined, mode = poses["xy_refined"][covered].astype(float), poses["mode"][covered]
    xy, score, refined = (views.swapaxes(0, 1) for views in (xy, score, refined))
    known = np.isfinite(streamed).all((1, 2)) & np.isfinite(truth[:, LIMB]).all((1, 2))
    return PosesScore(
        streamed=PoseError.of(streamed, truth[:, LIMB]),
        raw=PoseError.of(raw, truth[:, LIMB]),
        calibrated=PoseError.of(reference.triangulated(xy[:, :, LIMB], score[:, :, LIMB]), truth[:, LIMB]),
        mode=mode,
        jdr_detector=100
        * detected(np.where(score[..., None] > 0, xy, np.nan)[:, known], truth_px[:, known]).mean((1, 2)),
        jdr_refined=100 * detected(refined[:, known], truth_px[:, known]).mean((1, 2)),
    )
