"""What is reported of every camera: its pose, how well it agrees with the others, and what is wrong with it.

Axes: V views.
"""

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from pose_rig.fusion.pose.body_in_view import BodyInView
from pose_rig.fusion.pose.hypothesis import Hypothesis
from pose_rig.fusion.pose.solved_pose import SolvedPose
from pose_rig.fusion.rig.camera_poses import CameraPoses
from pose_rig.fusion.rig.clock_lags import ClockLags
from pose_rig.fusion.rig.consistency import MIN_AGREEMENT, Consistency
from pose_rig.fusion.rig.given_focal_lengths import focal_note
from pose_rig.fusion.rig.mirrored_images import MirrorDetector
from pose_rig.fusion.rig.setup import Setup
from pose_rig.fusion.rig.solved_rig import with_pose
from pose_rig.wire.messages import NO_PERSON, CameraState

MAX_STEP_S = 1.0  # of the time counted for one time step
PLACING_TIMEOUT_S = 8.0  # a camera that detects the person this long is placed, or its keypoints fit no pose
BEING_PLACED = "was moved, joined late or follows another person: its pose is being estimated"
NOT_PLACED = (
    "is left out, for its keypoints fit no camera pose: it may follow another person, its clock may be off or its lens "
    "may distort; let it see the person alone and whole"
)
MAX_TROUBLE_S = 30.0
CLOCKS_ARE_OFF = "Most likely {}: run with --passes 2, which corrects that, or set offset_ms."
SEVERAL_DISAGREE = (
    "{} disagree with the others again and again: most likely the clocks of the cameras differ. Record files with "
    "--passes 2, or set offset_ms."
)


class CameraReport:
    """Collects what is reported.

    Attributes:
        mirrors: Which images are mirrored.
        lags: Which clocks seem to be off.
        unused_offset_s: (V,) rig time minus camera time of clocks that are off and not corrected; else 0 or NaN.
    """

    def __init__(self, setup: Setup, consistency: Consistency, poses: CameraPoses) -> None:
        self._setup, self._consistency, self._poses = setup, consistency, poses
        self._body = BodyInView(len(setup.names))
        self.mirrors, self.lags = MirrorDetector(setup.names, setup.mirror), ClockLags(setup.names)
        self._unplaced_s, self._last_ns = np.zeros(len(setup.names)), 0
        self.unused_offset_s = np.full(len(setup.names), np.nan)
        self._trouble_s = np.zeros(len(setup.names))  # for which a camera disagreed; agreement counts half against it

    def update(self, hypothesis: Hypothesis, pose: SolvedPose | None) -> None:
        """Adds a time step, and the pose in the solved rig, None until it is solved."""
        observation, poses = hypothesis.observation, self._poses
        self.count_disagreement(observation.t_ns, observation.present)
        self._body.update(observation.t_ns, hypothesis.xy_px, hypothesis.score, poses.intrinsics.size_px)
        self.mirrors.update(hypothesis, pose, poses.cameras)
        if poses.cameras is not None and pose is not None:
            self.lags.add(observation.t_ns, pose, poses.cameras, ~poses.known & ~poses.moving.moving)

    def count_disagreement(self, t_ns: int, present: NDArray[np.bool_]) -> None:
        """Adds up for how long cameras have disagreed, or had no pose, at a time step when views (V,) show a person."""
        elapsed_s = min(max((t_ns - self._last_ns) * 1e-9, 0.0), MAX_STEP_S)
        self._last_ns = t_ns
        unplaced = ~self._poses.known & ~self._poses.moving.moving & (self._poses.mode != "cold")
        self._unplaced_s = np.where(unplaced, self._unplaced_s + elapsed_s * present, 0.0)
        if self._poses.mode == "solved":
            agrees = self._poses.known & (self._consistency.agreement >= MIN_AGREEMENT)
            change_s = elapsed_s * present * ~self._setup.moving * np.where(agrees, -0.5, 1.0)
            self._trouble_s = np.clip(self._trouble_s + change_s, 0.0, MAX_TROUBLE_S)

    @property
    def warning(self) -> str:
        """What is wrong with several cameras at once, for display; empty if nothing is."""
        if self._clocks_off.any():
            return self._wrong_clocks()
        troubled = self._trouble_s > PLACING_TIMEOUT_S
        mirrored = any(self.mirrors.note(view) for view in np.flatnonzero(troubled).tolist())
        if mirrored or troubled.sum() < max(2, len(troubled) / 2):
            return ""
        return SEVERAL_DISAGREE.format(" and ".join(self._setup.names[v] for v in np.flatnonzero(troubled).tolist()))

    @property
    def _clocks_off(self) -> NDArray[np.bool_]:
        """(V,) which clocks are off, by the movement of the person."""
        return np.asarray(np.nan_to_num(self.unused_offset_s) != 0.0)

    def _wrong_clocks(self) -> str:
        views = np.flatnonzero(self._clocks_off).tolist()
        parts = [
            f"{self._setup.names[view]}'s clock is {abs(offset_s):.2f} s {'behind' if offset_s > 0 else 'ahead'}"
            for view, offset_s in zip(views, self.unused_offset_s[views].tolist(), strict=True)
        ]
        return CLOCKS_ARE_OFF.format(" and ".join(parts))

    def states(self) -> tuple[CameraState, ...]:
        """Returns the state of every camera."""
        return tuple(self._state(view) for view in range(len(self._setup.names)))

    def _state(self, view: int) -> CameraState:
        poses = self._poses
        width, height = poses.intrinsics.size_px[view]
        has_frames = bool(min(width, height) > 1)
        state = CameraState(
            name=self._setup.names[view],
            focal_px=float(poses.used_intrinsics.focal_px[view]),
            size_px=(int(width), int(height)) if has_frames else None,
            moving=bool(poses.moving.moving[view]),
            health=float(self._consistency.agreement[view]),
            agreement=self._consistency.mean(view),
            note=self._note(view) if has_frames else "no frames yet",
        )
        if poses.known[view] and poses.cameras is not None:
            return with_pose(state, poses.cameras, view)
        if poses.known[view] and poses.rotations is not None:
            rotation = tuple(poses.rotations.camera_from_rig[view].ravel().tolist())
            return structs.replace(state, rotation=rotation, rotation_sd_deg=float(poses.rotations.sd_deg[view]))
        return state

    def _note(self, view: int) -> str:
        if self._clocks_off.any():  # views of different moments look mirrored, or late by another amount
            return self._problem(view)
        mirrored = [self.mirrors.note(each) for each in range(len(self._setup.names))]
        lag = "" if any(mirrored) else self.lags.note(view)  # a mirrored image moves the poses of all
        return lag or mirrored[view] or self._wrong_lens(view) or self._problem(view) or self._cut(view)

    def _cut(self, view: int) -> str:
        """Returns that a camera does not show the whole body, until it is solved: a person may well sit at a desk."""
        solved = self._poses.mode == "solved" and self._poses.known[view]
        return "" if solved else self._body.note(view)

    def _wrong_lens(self, view: int) -> str:
        """Returns that a given focal length is wrong; nothing where clocks explain it."""
        solved = self._poses.solved
        if solved is None or self._poses.recorded is not None or self.warning:
            return ""
        cameras = solved.solution.cameras
        solved_here = self._setup.given & cameras.known & solved.known & ~solved.placed
        return focal_note(np.where(solved_here, self._poses.intrinsics.focal_px, np.nan), cameras.focal_px, view)

    def _problem(self, view: int) -> str:
        """Returns why a camera is not trusted, empty if it is."""
        poses, present, moving = self._poses, self._consistency.present, self._poses.moving.moving[view]
        if not present[view]:
            return NO_PERSON
        if moving and not self._setup.moving[view]:
            return "keeps moving: its rotation is followed, its pose is not estimated"
        if poses.mode != "cold" and not poses.known[view] and not moving:
            return NOT_PLACED if self._unplaced_s[view] > PLACING_TIMEOUT_S else BEING_PLACED
        if 0 < self._consistency.agreement[view] < MIN_AGREEMENT and present.sum() > 1:
            return "disagrees with the others"
        return ""
