"""A solved rig in use: which cameras are believed, which are on their way back, when a better solution takes over.

Axes: V views.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.keyframes import Keyframe
from pose_rig.fusion.calibration.relocalise import measure_bone_lengths
from pose_rig.fusion.calibration.resection import Resection
from pose_rig.fusion.calibration.segments import LENGTH_PER_HEIGHT, POINTS
from pose_rig.fusion.calibration.self_solve import RigSolution
from pose_rig.fusion.pose.hypothesis import RotationPrior
from pose_rig.fusion.pose.solved_pose import SolvedPose
from pose_rig.fusion.rig.consistency import DISAGREES, Consistency
from pose_rig.wire.messages import CameraState

LEAST_SD = np.radians(0.5)  # how far an instant may turn a camera: detectors' joints are not quite where they seem
UNKNOWN_SD = np.radians(8.0)
RESECTED_SD = np.radians(1.5)  # of a camera placed by the poses of a second
WORSE_BY = 1.02  # a new solution may explain what was held back so much worse, if it is surer


class SolvedRig:
    """The rig in use.

    Args:
        rig: As solved.
    """

    def __init__(self, rig: RigSolution) -> None:
        self.rig = rig
        self._out = np.zeros(len(rig.cameras.known), bool)
        self._stranger = False
        self._returning = {int(v): Resection() for v in np.flatnonzero(~rig.cameras.known)}

    @property
    def known(self) -> NDArray[np.bool_]:
        """(V,) whose place is known and believed."""
        return self.rig.cameras.known & ~self._out

    @property
    def prior(self) -> RotationPrior:
        """The cameras' rotations."""
        cameras = self.rig.cameras
        sd = np.where(cameras.known, np.hypot(cameras.rotation_sd, LEAST_SD), UNKNOWN_SD)
        return RotationPrior(cameras.rotation, np.minimum(sd, UNKNOWN_SD))

    def forget_person(self, height_m: float) -> None:
        """Goes back to average bones: somebody else may have come."""
        self.rig, self._stranger = replace(self.rig, bone_length_m=LENGTH_PER_HEIGHT * height_m), True

    def look_at(self, instants: Sequence[Keyframe]) -> None:
        """Measures the bones of somebody new."""
        if not self._stranger:
            return
        length = measure_bone_lengths(replace(self.rig.cameras, known=self.known), instants)
        if length is not None:
            self.rig, self._stranger = replace(self.rig, bone_length_m=length), False

    def take_out(self, view: int) -> None:
        """Stops believing where a camera is."""
        self._out[view] = True
        self._returning[view] = Resection()

    def take_back(self, t_ns: int, pose: SolvedPose, health: Consistency, moving: NDArray[np.bool_]) -> None:
        """Looks at cameras that are out: one that agrees again is back, one that stands elsewhere is placed there.

        It is placed again for two more seconds, from more that it saw.
        """
        sure = (pose.inlier[self.known][:, list(POINTS)] > DISAGREES).sum(0) > 1  # placed by two others at least
        for view, resection in list(self._returning.items()):
            if moving[view]:
                continue
            if self.rig.cameras.known[view] and self._out[view] and health.value[view] > DISAGREES:
                self._out[view] = False
                del self._returning[view]
                continue
            seen = (pose.visible[view] > 0) & sure
            if not seen.any():
                continue
            points = pose.joints[list(POINTS)]
            place = resection.add(t_ns, points[seen], pose.ideal_xy[view][seen], float(pose.sd[view]))
            if place is not None:
                self._place(view, *place)
                health.anew(view)
            if resection.complete and not self._out[view]:
                del self._returning[view]

    def _place(self, view: int, rotation: Floats, translation: Floats) -> None:
        cameras = self.rig.cameras
        here = np.arange(len(cameras.known)) == view
        moved = replace(
            cameras,
            rotation=np.where(here[:, None, None], rotation, cameras.rotation),
            translation=np.where(here[:, None], translation, cameras.translation),
            known=cameras.known | here,
            rotation_sd=np.where(here, RESECTED_SD, cameras.rotation_sd),
            translation_sd=np.where(here, RESECTED_SD * np.linalg.norm(translation), cameras.translation_sd),
            focal_sd=np.where(here & ~np.isfinite(cameras.focal_sd), 1.0, cameras.focal_sd),
        )
        self.rig = replace(self.rig, cameras=moved)
        self._out[view] = False

    def better(self, found: RigSolution) -> None:
        """Goes over to a new solution that explains what was held back as well and is surer, or explains more."""
        old, new = self.rig.cameras, found.cameras
        both = old.known & new.known
        surer = new.focal_sd[both].sum() < old.focal_sd[both].sum()
        if found.validation_error > WORSE_BY * found.previous_error:
            return
        if not surer and found.validation_error >= found.previous_error:
            self.rig = replace(
                self.rig, bone_length_m=found.bone_length_m
            )  # the bones are those of whoever is there now
            return
        kept = old.known & ~new.known  # cameras that are out keep their place until they are found elsewhere
        self.rig = replace(found, cameras=_filled(new, old, kept))

    def told(self, state: CameraState, view: int) -> CameraState:
        """Returns a camera's state with what is known of its place."""
        cameras = self.rig.cameras
        return structs.replace(
            state,
            rotation=tuple(cameras.rotation[view].ravel().tolist()),
            rotation_sd_deg=float(np.degrees(cameras.rotation_sd[view])),
            translation_m=tuple(cameras.translation[view].tolist()),
            translation_sd_m=float(cameras.translation_sd[view]),
            focal_sd_px=float(cameras.focal_sd[view] * cameras.focal_px[view]),
            k1=float(cameras.k1[view]),
        )


def _filled(new: Calibration, old: Calibration, kept: NDArray[np.bool_]) -> Calibration:
    """Returns the new cameras with some rows of the old ones."""
    rows = {
        name: np.where(kept.reshape(-1, *[1] * (getattr(new, name).ndim - 1)), getattr(old, name), getattr(new, name))
        for name in ("rotation", "translation", "focal_px", "k1", "known", "rotation_sd", "translation_sd", "focal_sd")
    }
    return replace(new, **rows)
