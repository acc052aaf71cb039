"""The poses of a rig's cameras: unknown (cold), rotations only (settled) or solved.

Axes: V views.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pose_rig.fusion.calibration.acceptance import rejection_reason
from pose_rig.fusion.calibration.bundle.segments import body_height
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.floor import to_room_frame
from pose_rig.fusion.calibration.keyframes import Keyframe
from pose_rig.fusion.calibration.relocalise import relocalise
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.calibration.rotation_averaging import CameraRotations
from pose_rig.fusion.calibration.solve_task import SolveTask
from pose_rig.fusion.calibration.vertical import has_walked
from pose_rig.fusion.pose.hypothesis import RotationPrior
from pose_rig.fusion.rig.moving_cameras import MovingCameras
from pose_rig.fusion.rig.recorded_rig import recorded_rotations, recorded_solution, same_rig
from pose_rig.fusion.rig.setup import Setup
from pose_rig.fusion.rig.solved_rig import SolvedRig
from pose_rig.intrinsics import Intrinsics
from pose_rig.wire.messages import Mode, RigState

# How far one time step may turn a settled camera. Assumed focal lengths leave rotations a few degrees off, differently
# from place to place (4.5° in simulated rigs with 0.6 to 1.55 times the assumed focal lengths): fixed rotations cost
# 2 mm there, and free ones follow every wrong person.
SETTLED_ROTATION_SD_DEG = 2.0
MAX_SETTLED_ROTATION_SD_DEG = 8.0  # of an averaged rotation that is used


class CameraPoses:
    """Holds the poses in use.

    Attributes:
        intrinsics: As given or assumed.
        moving: The rotations of moving cameras.
        rotations: Averaged rotations, None until then.
        solved: The solved rig, None until then.
        earlier: A solved rig that is used if it fits the first keyframes, if there is one.
        recorded: The rig of a recording that is used instead, if there is one.
        vertical_warning: Why the vertical is uncertain, for display.
    """

    def __init__(self, setup: Setup) -> None:
        views = len(setup.names)
        self._setup = setup
        self.intrinsics = Intrinsics.pinhole(np.ones(views), np.ones((views, 2)))
        self.moving = MovingCameras(setup.moving)
        self.rotations: CameraRotations | None = None
        self.solved = SolvedRig(setup.fixed) if setup.fixed is not None else None
        self.earlier = setup.earlier
        self.recorded: RigState | None = None
        self.vertical_warning = ""
        self._published: tuple[object, bytes] = (None, b"")

    @property
    def mode(self) -> Mode:
        """How the cameras are known."""
        if self.solved is not None:
            return "solved"
        return "cold" if self.rotations is None else "settled"

    @property
    def known(self) -> NDArray[np.bool_]:
        """(V,) whose pose (or, while settled, rotation) is known and trusted."""
        if self.solved is not None:
            return self.solved.known
        return np.zeros(len(self._setup.names), bool) if self.rotations is None else self.rotations.known

    @property
    def solution(self) -> RigSolution | None:
        """The solved cameras and bones."""
        return None if self.solved is None else self.solved.solution

    @property
    def cameras(self) -> Calibration | None:
        """The solved cameras."""
        return None if self.solved is None else self.solved.solution.cameras

    @property
    def used_intrinsics(self) -> Intrinsics:
        """Those of the solved cameras; until then those given or assumed."""
        return self.intrinsics if self.cameras is None else self.cameras.intrinsics

    def prior(self, t_ns: int) -> RotationPrior | None:
        """Returns the rotations at a time step, None while cold."""
        if self.solved is not None:
            return self.moving.apply(self.solved.prior, t_ns)
        if self.rotations is None:
            return None
        sd = np.full(len(self._setup.names), np.radians(SETTLED_ROTATION_SD_DEG))
        return self.moving.apply(RotationPrior(self.rotations.camera_from_rig, sd), t_ns)

    def settle(self, rotations: CameraRotations) -> None:
        """Uses averaged rotations if at least two are certain enough."""
        certain = rotations.known & (rotations.sd_deg < MAX_SETTLED_ROTATION_SD_DEG)
        if certain.sum() > 1:
            self.rotations = replace(rotations, known=certain)
            self.vertical_warning = rotations.warning if self.solved is None else self.vertical_warning

    def solve_task(self, keyframes: Sequence[Keyframe]) -> SolveTask:
        """Returns the task of solving the rig."""
        setup, cameras = self._setup, self.cameras
        if cameras is not None:
            rotation = cameras.rotation
        else:
            rotation = np.zeros((0, 3, 3)) if self.rotations is None else self.rotations.camera_from_rig
        placed = () if self.solved is None else tuple(np.flatnonzero(self.solved.placed).tolist())
        return SolveTask(
            keyframes,
            self.intrinsics,
            setup.given,
            rotation,
            self.known,
            setup.scale_height_m,
            cameras,
            placed,
            setup.other_heights_m,
        )

    def adopt(self, found: RigSolution) -> str:
        """Uses a solution if it is accepted; returns why it is not, for display."""
        setup, up = self._setup, np.array([0.0, 1.0, 0.0])
        sideways = None if self.solved is not None or self.rotations is None else self.rotations.person_up
        person_up = up if sideways is None else sideways
        known_m = setup.scale_height_m if found.person == 0 else None
        height_m = body_height(found.bone_length_m) if known_m is None else known_m
        if reason := rejection_reason(found, setup.names, person_up, height_m):
            return reason
        if self.solved is not None:
            self.solved.improve(found)
            self.solved.use_intrinsics(self.intrinsics)  # of cameras that had sent no frames when solving began
            return ""
        people = found.poses_by_person.values()
        if sideways is not None and any(has_walked(poses, sideways) for poses in people):  # the cameras are turned
            up, sideways, self.vertical_warning = sideways, None, ""
        self.solved = SolvedRig(to_room_frame(found, up, height_m, upright=sideways is None))
        self.solved.use_intrinsics(self.intrinsics)
        return ""

    def relocalise(self, keyframes: Sequence[Keyframe]) -> bool:
        """Uses the earlier rig if it still fits, and returns whether it does; it is not tried again."""
        earlier, self.earlier = self.earlier, None
        height_m = self._setup.height_m if self._setup.height_given else None
        found = None if earlier is None else relocalise(earlier, keyframes, self.intrinsics.size_px, height_m)
        self.solved = None if found is None else SolvedRig(found)
        return found is not None

    def use_intrinsics(self, intrinsics: Intrinsics) -> None:
        """Uses the given or assumed intrinsics of the images that cameras send now; turned ones are not trusted."""
        before, self.intrinsics = self.intrinsics, intrinsics
        if self.recorded is not None:
            return
        if self.solved is not None:
            turned = self.solved.use_intrinsics(intrinsics)
        else:
            turned = (before.size_px > 1).all(-1) & ~before.resized(intrinsics.size_px)[1]
        for view in np.flatnonzero(turned).tolist():
            self.exclude(view)

    def exclude(self, view: int) -> None:
        """Stops trusting the pose of a camera."""
        if self.solved is not None:
            self.solved.exclude(view)
        elif self.rotations is not None:
            others = self.rotations.known & (np.arange(len(self.known)) != view)
            self.rotations = replace(self.rotations, known=others)

    def follow(self, state: RigState) -> None:
        """Uses the cameras and bones of a recording."""
        before, self.recorded = self.recorded, state
        if before is not None and same_rig(before, state):
            return
        names = self._setup.names
        moving = {camera.name for camera in state.cameras if camera.moving}
        self.moving.moving |= np.array([name in moving for name in names])
        self.rotations = recorded_rotations(state, names) if state.mode == "settled" else None
        self.solved = None
        if state.mode == "solved":
            self.solved = SolvedRig(recorded_solution(state, names, self._setup.height_m))

    def changed(self) -> bool:
        """Returns whether the cameras or bones have changed since this was last called."""
        now = (self.rotations if self.solved is None else self.solved.solution, self.known.tobytes())
        same = now[0] is self._published[0] and now[1] == self._published[1]
        self._published = now
        return not same
