"""A solved rig in use: which cameras are trusted, which are being placed again, when a new solution replaces it.

Axes: V views.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle.segments import LENGTH_PER_HEIGHT, POINTS
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.initialise import RELATIVE_DETECTION_SD
from pose_rig.fusion.calibration.keyframes import Keyframe
from pose_rig.fusion.calibration.relocalise import measure_bone_lengths
from pose_rig.fusion.calibration.resection import Resection
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.pose.hypothesis import RotationPrior
from pose_rig.fusion.pose.solved_pose import SolvedPose
from pose_rig.fusion.rig.consistency import MIN_AGREEMENT, Consistency
from pose_rig.intrinsics import Intrinsics
from pose_rig.wire.messages import CameraState

MIN_ROTATION_SD = np.radians(0.5)  # of a camera within one time step: detected joints are not quite at the joints
MIN_PERSON_M = 0.3  # size of a pose, of which detections are a share uncertain
UNKNOWN_ROTATION_SD = np.radians(8.0)
RESECTED_ROTATION_SD = np.radians(2.0)  # of a camera placed by the poses of a second
MAX_SD_GROWTH = 1.12  # of cameras that were not moved, in the first solution after a move: 1.5 without principal points
MAX_ERROR_GROWTH = 1.02  # of a new solution that is more certain


class SolvedRig:
    """The rig in use.

    Args:
        solution: The cameras and bones it starts with.

    Attributes:
        solution: As it is now.
        placed: (V,) cameras that were placed by resection since the rig was solved.
    """

    def __init__(self, solution: RigSolution) -> None:
        self.solution = solution
        self.placed = np.zeros(len(solution.cameras.known), bool)
        self._joined = np.zeros(len(solution.cameras.known), bool)  # of these, cameras that were not solved before
        self._excluded = np.zeros(len(solution.cameras.known), bool)
        self._measure_bones = False
        self._resections = {int(v): Resection() for v in np.flatnonzero(~solution.cameras.known)}

    @property
    def known(self) -> NDArray[np.bool_]:
        """(V,) whose pose is known and trusted."""
        return self.solution.cameras.known & ~self._excluded

    @property
    def prior(self) -> RotationPrior:
        """The cameras' rotations."""
        cameras = self.solution.cameras
        sd = np.where(cameras.known, np.hypot(cameras.rotation_sd, MIN_ROTATION_SD), UNKNOWN_ROTATION_SD)
        return RotationPrior(cameras.rotation, np.minimum(sd, UNKNOWN_ROTATION_SD))

    def discard_person(self, height_m: float) -> None:
        """Replaces the bones by average ones until those of the next person are measured."""
        self.solution = replace(self.solution, bone_length_m=LENGTH_PER_HEIGHT * height_m)
        self._measure_bones = True

    def measure_person(self, keyframes: Sequence[Keyframe]) -> None:
        """Measures the bones of another person."""
        if not self._measure_bones:
            return
        cameras = replace(self.solution.cameras, known=self.known)
        length_m = measure_bone_lengths(cameras, keyframes, self.solution.person)
        if length_m is not None:
            self.solution, self._measure_bones = replace(self.solution, bone_length_m=length_m), False

    def exclude(self, view: int) -> None:
        """Stops trusting the pose of a camera."""
        self._excluded[view] = True
        self._resections[view] = Resection()

    def use_intrinsics(self, intrinsics: Intrinsics) -> NDArray[np.bool_]:
        """Adapts the cameras to the sizes of their images; returns (V,) those whose pose is not to be trusted any more.

        One that sends its first frames after the rig was solved has the given or assumed intrinsics until it is solved.

        Args:
            intrinsics: As given or assumed for the images that cameras send now; without frames their size is 1.
        """
        cameras = self.solution.cameras
        solved = cameras.intrinsics
        changed = (solved.size_px != intrinsics.size_px).any(-1) & (intrinsics.size_px > 1).all(-1)
        if not changed.any():
            return np.asarray(changed)
        resized, alike = solved.resized(intrinsics.size_px)
        used = resized.where(changed & cameras.known, intrinsics.where(changed, solved))
        self.solution = replace(self.solution, cameras=replace(cameras, intrinsics=used))
        for view in np.flatnonzero(changed).tolist():
            if view in self._resections:
                self._resections[view] = Resection()
        return np.asarray(changed & cameras.known & ~alike)

    def trust(self, view: int) -> None:
        """Uses a camera with its pose."""
        self._excluded[view] = False
        self._resections.pop(view, None)

    def readmit(self, t_ns: int, pose: SolvedPose, consistency: Consistency, moving: NDArray[np.bool_]) -> None:
        """Trusts excluded cameras that agree again, and places those that were moved by resection.

        The resection is repeated for a few more seconds, from more keypoints.
        """
        if not self._resections:
            return
        points, points_sd = pose.joints[list(POINTS)], _points_sd(pose)
        for view, resection in list(self._resections.items()):
            if moving[view]:
                continue
            agrees = consistency.agreement[view] > MIN_AGREEMENT
            if self.solution.cameras.known[view] and self._excluded[view] and agrees:
                self.trust(view)
                continue
            others = self.known & (np.arange(len(self.known)) != view)
            supported = (pose.inlier[others][:, list(POINTS)] > MIN_AGREEMENT).sum(0) > 1  # by two other views
            visible = (pose.visible[view] > 0) & supported
            if not visible.any():
                continue
            sd = float(pose.sd[view])
            found = resection.add(t_ns, points[visible], pose.ideal_xy[view][visible], sd, points_sd * sd)
            if found is not None:
                if self._still_fits(view, resection):
                    self.trust(view)
                else:
                    self._place(view, *found)
                consistency.reset(view)
            if resection.complete and not self._excluded[view]:
                self._resections.pop(view, None)

    def _still_fits(self, view: int, resection: Resection) -> bool:
        """Whether an excluded camera was not moved: it followed another person, and now the same one as the others."""
        cameras = self.solution.cameras
        if not (cameras.known[view] and self._excluded[view]):
            return False
        return resection.latest_inlier_share(cameras.rotation[view], cameras.translation[view]) > MIN_AGREEMENT

    def _place(self, view: int, rotation: Floats, translation: Floats) -> None:
        cameras = self.solution.cameras
        here = np.arange(len(cameras.known)) == view
        self._joined[view] |= not cameras.known[view]
        placed = replace(
            cameras,
            rotation=np.where(here[:, None, None], rotation, cameras.rotation),
            translation=np.where(here[:, None], translation, cameras.translation),
            known=cameras.known | here,
            rotation_sd=np.where(here, RESECTED_ROTATION_SD, cameras.rotation_sd),
            translation_sd=np.where(here, RESECTED_ROTATION_SD * np.linalg.norm(translation), cameras.translation_sd),
            focal_sd=np.where(here & ~np.isfinite(cameras.focal_sd), 1.0, cameras.focal_sd),
        )
        self.solution = replace(self.solution, cameras=placed)
        self._excluded[view], self.placed[view] = False, True

    def improve(self, found: RigSolution) -> None:
        """Uses a new solution if it is more certain at about the same validation error, or has a smaller one.

        Standard deviations are relative to the cameras that were solved together: when another one has joined, those of
        the others are not comparable. Two opposite ones alone seem several times as certain as they are.
        """
        old, new = self.solution.cameras, found.cameras
        both = old.known & new.known
        steady = both & ~self.placed
        more_certain = new.focal_sd[both].sum() < old.focal_sd[both].sum()
        moved = self.placed & ~self._joined
        if moved.any() and (new.rotation_sd[steady] > MAX_SD_GROWTH * old.rotation_sd[steady]).any():
            return
        if found.validation_error > MAX_ERROR_GROWTH * found.previous_error:
            return
        if not more_certain and found.validation_error >= found.previous_error:
            # the bones are still those of the current people
            self.solution = replace(
                self.solution,
                bone_length_m=found.bone_length_m,
                person=found.person,
                others_bone_length_m=found.others_bone_length_m,
            )
            return
        kept = old.known & ~new.known  # excluded cameras keep their pose until they are placed again
        self.solution = replace(found, cameras=_with_rows(new, old, kept))
        self.placed, self._joined = self.placed & kept, self._joined & kept


def _points_sd(pose: SolvedPose) -> float:
    """Returns the standard deviation of a pose's points over that of a detection; large if two views are opposite."""
    points, covariance = pose.joints[list(POINTS)], pose.covariance[list(POINTS)]
    sd_m = np.sqrt(np.median(np.trace(covariance, axis1=1, axis2=2)) / 3)
    return float(sd_m / (RELATIVE_DETECTION_SD * max(np.ptp(points, axis=0).max(), MIN_PERSON_M)))


def with_pose(state: CameraState, cameras: Calibration, view: int) -> CameraState:
    """Returns a camera's state with its solved pose and lens."""
    intrinsics = cameras.intrinsics
    return structs.replace(
        state,
        rotation=tuple(cameras.rotation[view].ravel().tolist()),
        rotation_sd_deg=float(np.degrees(cameras.rotation_sd[view])),
        translation_m=tuple(cameras.translation[view].tolist()),
        translation_sd_m=float(cameras.translation_sd[view]),
        focal_sd_px=float(cameras.focal_sd[view] * cameras.focal_px[view]),
        k1=float(intrinsics.dist[view, 0]),
        distortion=tuple(intrinsics.dist[view].tolist()),
        fisheye=bool(intrinsics.fisheye[view]),
        principal_point_px=tuple(intrinsics.principal_point_px[view].tolist()),
    )


def _with_rows(new: Calibration, old: Calibration, kept: NDArray[np.bool_]) -> Calibration:
    """Returns the new cameras with some rows (V,) of the old ones."""

    def rows(name: str) -> Floats:
        before, now = getattr(old, name), getattr(new, name)
        return np.asarray(np.where(kept.reshape(-1, *[1] * (now.ndim - 1)), before, now))

    return Calibration(
        rotation=rows("rotation"),
        translation=rows("translation"),
        intrinsics=old.intrinsics.where(kept, new.intrinsics),
        known=new.known | kept,
        rotation_sd=rows("rotation_sd"),
        translation_sd=rows("translation_sd"),
        focal_sd=rows("focal_sd"),
    )
