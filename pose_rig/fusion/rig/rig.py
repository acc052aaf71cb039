"""What the rig knows and when: cold → settled → solved; a camera that disagrees for long is learned anew.

Axes: V views.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.acceptance import rejection_reason
from pose_rig.fusion.calibration.body_scale import EARS_TO_ANKLES, bone_lengths, upright_length
from pose_rig.fusion.calibration.floor import to_room_frame
from pose_rig.fusion.calibration.keyframes import Keyframe, Keyframes
from pose_rig.fusion.calibration.relocalise import relocalise
from pose_rig.fusion.calibration.rotation_averaging import (
    AssumedIntrinsics,
    CameraRotations,
    consistency_weight,
    estimate_rotations,
)
from pose_rig.fusion.calibration.self_solve import RigSolution, SolveTask, self_solve
from pose_rig.fusion.calibration.vertical import VERTICAL_UNCERTAIN, has_walked, is_sideways
from pose_rig.fusion.pose.hypothesis import Hypothesis, RotationPrior
from pose_rig.fusion.pose.solved_pose import SolvedPose
from pose_rig.fusion.rig import recorded_rig as followed
from pose_rig.fusion.rig.background import Background, BackgroundCompute
from pose_rig.fusion.rig.consistency import DISAGREES, Consistency
from pose_rig.fusion.rig.mirrored_images import Mirrors
from pose_rig.fusion.rig.moving_cameras import MovingCameras, turned
from pose_rig.fusion.rig.setup import Setup
from pose_rig.fusion.rig.solved_rig import SolvedRig
from pose_rig.graph import Engine
from pose_rig.wire.messages import NO_PERSON, CameraState, Mode, RigState
from pose_rig.wire.records import Learned

REMEMBER_EVERY_NS = 66_000_000  # 15 Hz: neighbouring instants say the same (lag-1 correlation 0.9 at 25 Hz)
SETTLE_NS = 1_000_000_000  # of movement seen, at least two independent looks of the lifter per view
SETTLE_INSTANTS = 12
SOLVE_AGAIN = 1.35  # the rig is solved anew when this many times as many instants were seen
SOLVE_LATEST = 450  # but after half a minute at the latest
# How far an instant may turn a settled camera. Assumed focal lengths leave rotations a few degrees off, differently
# from place to place (4.5° in simulated rigs whose focal lengths are 0.6 to 1.55 times what is assumed): held fast they
# cost 2 mm there, and let go they follow every wrong person.
INSTANT_SD_DEG = 2.0
SURE_DEG = 8.0  # a rotation less sure than this is not used
GONE_NS = 10_000_000_000  # nobody was seen by two cameras for so long
LOST_S = 3.0  # of two that disagree for so long nobody knows which one was; sooner one may have seen somebody else
LEARNED_S = 8.0  # a camera that shows the person this long is placed, or what it shows fits nowhere
LEARNING = "was moved, came late or sees somebody else: its place is being learned"
LEFT_OUT = (
    "is left out, for what it sees fits no place: it may follow somebody else, its clock may be off or its picture "
    "distorted; let it see the person alone and whole"
)
MOVED_S = 1.0  # a camera that disagrees for so long has been moved


class Rig:
    """Remembers instants and learns the cameras from them.

    Args:
        setup: What is known beforehand.
        engine: Runs the graph.
        learner: Where it does what takes long.

    Attributes:
        intrinsics: How the cameras see, as assumed or given.
        solved: The rig once it is solved.
    """

    def __init__(self, setup: Setup, engine: Engine, learner: BackgroundCompute) -> None:
        views = len(setup.names)
        self._setup, self._engine, self._learner = setup, engine, learner
        self.intrinsics = AssumedIntrinsics(np.ones(views), np.ones((views, 2)))
        self._why = self._doubt_of_up = ""
        self._health = Consistency(views)
        self._averaging: Background[CameraRotations] = Background(learner.executor, replayed=learner.replayed)
        self._solving: Background[RigSolution | str] = Background(learner.executor, replayed=learner.replayed)
        self._carried = MovingCameras(setup.moving)
        self._unplaced_s, self._waited_ns = np.zeros(views), 0
        self._mirrors = Mirrors(setup.names, setup.mirror)
        self._followed: RigState | None = None
        self._told: tuple[object, bytes] = (None, b"")
        self._remembered = setup.remembered
        self._rotations: CameraRotations | None = None
        self._average_at = SETTLE_INSTANTS
        self.solved = SolvedRig(setup.fixed) if setup.fixed is not None else None
        self._forget_person()

    @property
    def note(self) -> str:
        """Why the rig is not solved, or what is doubtful about it, for people."""
        return " ".join(part for part in (self._why, self._doubt_of_up) if part)

    @note.setter
    def note(self, text: str) -> None:
        self._why, self._doubt_of_up = text, ""

    def _forget(self) -> None:
        """Forgets everything but what the cameras are."""
        if self.solved is not None:
            self._remembered, self.solved = self.solved.rig, None  # they may well stand where they stood
        self._rotations = None
        self._average_at = SETTLE_INSTANTS
        self._averaging.forget()
        self._health.ill_s[:] = 0
        self._forget_person()

    def _forget_person(self) -> None:
        if self.solved is not None and self._setup.fixed is None:
            self.solved.forget_person(self._setup.height_m)
        self._keyframes = Keyframes()
        self._remembered_ns = self._first_ns = 0
        self._seen, self._solve_at = 0, SETTLE_INSTANTS
        self._solving.forget()

    @property
    def mode(self) -> Mode:
        """How the cameras are known."""
        if self.solved is not None:
            return "solved"
        return "cold" if self._rotations is None else "settled"

    @property
    def _person_up(self) -> Floats | None:
        """What the lifts take for up while that is in doubt and the rig is not solved; None = y."""
        return None if self.solved is not None or self._rotations is None else self._rotations.person_up

    @property
    def focal_px(self) -> Floats:
        """(V,) focal lengths in use."""
        return self.intrinsics.focal_px if self.solved is None else self.solved.rig.cameras.focal_px

    def prior(self, t_ns: int) -> RotationPrior | None:
        """Returns the cameras' rotations at an instant, None while cold."""
        if self.solved is not None:
            return self._carried.into(self.solved.prior, t_ns)
        if self._rotations is None:
            return None
        sd = np.full(len(self._setup.names), np.radians(INSTANT_SD_DEG))
        return self._carried.into(RotationPrior(self._rotations.camera_from_rig, sd), t_ns)

    @property
    def known(self) -> NDArray[np.bool_]:
        """(V,) whose place is known and trusted."""
        if self.solved is not None:
            return self.solved.known
        return np.zeros(len(self._setup.names), bool) if self._rotations is None else self._rotations.known

    def trust(self, t_ns: int) -> Floats:
        """Returns (V,) the weight of each view: less if it disagrees, none if it is not known where it looks."""
        health = self._health.value
        weight = np.where(health > 0, np.clip(health / DISAGREES, 0.1, 1.0), 1.0)
        return weight if self.mode == "cold" else weight * (self.known | self._carried.followed(t_ns))

    def wants_guess(self, present: NDArray[np.bool_], t_ns: int) -> bool:
        """Whether a view is there that the rig does not know yet, so that a cold look at this instant would help."""
        new = present & ~self.known & ~self._carried.followed(t_ns)
        if self.mode == "solved":  # a static camera is then placed by the poses
            new = new & self._carried.moving
        return self.mode != "cold" and self._due(t_ns) and bool(new.any())

    def learn(self, hypothesis: Hypothesis, guess: Hypothesis | None, pose: SolvedPose | None) -> None:
        """Takes in one instant.

        Args:
            hypothesis: What was made of it.
            guess: A cold hypothesis of the same instant; the hypothesis itself while the rig is cold.
            pose: What the solved rig made of it.
        """
        observation = hypothesis.observation
        if self._followed is None:
            self._forget_others(hypothesis)
        agreed = np.where(hypothesis.present, consistency_weight(hypothesis.out.model_sd[0].astype(float)), 0.0)
        if pose is not None:  # which knows nothing of where a carried camera is
            agreed = np.where(self._carried.moving, agreed, pose.agreement)
        self._health.update(observation.t_ns, observation.present, agreed)
        prior = self.prior(observation.t_ns) if self._carried.moving.any() else None
        if prior is not None:
            self._carried.follow(hypothesis)
            if guess is not None and guess is not hypothesis:
                self._carried.begin(guess, prior.camera_from_rig, self.known)
        if self._followed is not None:  # whatever there was to learn, the recording has it
            return
        self._wait(observation.t_ns, observation.present)
        self._mirrors.look(hypothesis, pose, None if self.solved is None else self.solved.rig.cameras)
        if self.solved is not None and pose is not None:
            self.solved.take_back(observation.t_ns, pose, self._health, self._carried.moving)
        self._take_out(observation.t_ns)
        if self._setup.fixed is not None:
            return
        self._take_results()
        if self._due(observation.t_ns) and (hypothesis.present & ~self._carried.moving).sum() > 1:
            self._remember(hypothesis, guess)
            self._think()

    def news(self) -> list[Learned]:
        """Returns what was learned beside the poses since this was last called."""
        averaged = [Learned(work="averaging", asked=asked) for asked in self._averaging.news()]
        return averaged + [Learned(work="solving", asked=asked) for asked in self._solving.news()]

    def expect(self, learned: Learned) -> None:
        """Takes note of when something was learned in the run that is replayed."""
        (self._averaging if learned.work == "averaging" else self._solving).expect(learned.asked)

    def see_up(self, up: Floats) -> None:
        """Takes note of the vertical (3,), in its axes, that the only camera sees."""
        self._doubt_of_up = VERTICAL_UNCERTAIN if is_sideways(up) else ""

    def follow(self, state: RigState) -> None:
        """Takes the cameras and bones as a recording has them, and learns nothing from now on."""
        before, self._followed = self._followed, state
        if before is not None and (before.mode, before.bones_m, _places(before)) == (
            state.mode, state.bones_m, _places(state),
        ):  # fmt: skip
            return
        names = self._setup.names
        moving = {camera.name for camera in state.cameras if camera.moving}
        self._carried.moving |= np.array([name in moving for name in names])
        self._rotations = followed.settled(state, names) if state.mode == "settled" else None
        is_solved = state.mode == "solved"
        self.solved = SolvedRig(followed.solved(state, names, self._setup.height_m)) if is_solved else None

    def changed(self) -> bool:
        """Returns whether the cameras or bones in use are others than when this was last called."""
        now = (self._rotations if self.solved is None else self.solved.rig, self.known.tobytes())
        same = now[0] is self._told[0] and now[1] == self._told[1]
        self._told = now
        return not same

    @property
    def bones_m(self) -> tuple[float, ...]:
        """(L,) m, the person's bones in a solved rig; empty until then."""
        return () if self.solved is None else tuple(self.solved.rig.bone_length_m.tolist())

    def nobody(self) -> None:
        """Takes in an instant at which no camera saw anybody."""
        self._health.nobody()

    def finish(self) -> RigSolution | None:
        """Solves the rig from all that is remembered and returns it; None if it cannot be."""
        if self.mode != "cold":
            self._adopt(self_solve(self.task()))
        return None if self.solved is None else self.solved.rig

    def _forget_others(self, hypothesis: Hypothesis) -> None:
        """Forgets what was learned from somebody who is, or may be, another person than the one of this instant."""
        if hypothesis.switched:
            self._forget() if self.solved is None else self._forget_person()
        elif self._seen and hypothesis.observation.t_ns - self._remembered_ns > GONE_NS:
            self._forget_person()

    def _wait(self, t_ns: int, present: NDArray[np.bool_]) -> None:
        """Takes note of how long cameras have shown somebody without having been placed."""
        elapsed_s = min(max((t_ns - self._waited_ns) * 1e-9, 0.0), MOVED_S)
        self._waited_ns = t_ns
        unplaced = ~self.known & ~self._carried.moving & (self.mode != "cold")
        self._unplaced_s = np.where(unplaced, self._unplaced_s + elapsed_s * present, 0.0)

    def _due(self, t_ns: int) -> bool:
        return not self._seen or t_ns - self._remembered_ns >= REMEMBER_EVERY_NS

    def _remember(self, hypothesis: Hypothesis, guess: Hypothesis | None) -> None:
        source = guess or hypothesis
        observation = source.observation
        chosen = source.candidate
        frame = observation.ray_from_camera[chosen]
        norm, scale = observation.norm[chosen], source.out.scale[0].astype(float)
        stature = upright_length(bone_lengths(source.out.body[0].astype(float))) / EARS_TO_ANKLES
        weight = source.present * consistency_weight(source.out.model_sd[0].astype(float)) * ~self._carried.moving
        self._keyframes.add(
            Keyframe(
                t_ns=observation.t_ns,
                xy_px=source.xy_px,
                score=source.score,
                inlier=source.out.inlier[0].astype(float),
                weight=weight if self.solved is None else weight * self.solved.known,
                camera_from_body=None if guess is None else turned(guess),
                up=np.einsum("vji,vj->vi", frame, source.out.upright[chosen].astype(float)),
                pelvis_depth=1 / np.maximum(norm * scale * stature, 1e-6),
            )
        )
        self._first_ns = self._first_ns if self._seen else observation.t_ns
        self._remembered_ns = observation.t_ns
        self._seen += 1

    def _think(self) -> None:
        """Begins to average or to solve if enough has been seen since the last time."""
        if (self._health.ill_s > 0)[self.known].any():  # what a moved camera saw since is not mixed in
            return
        if self._seen < SETTLE_INSTANTS or self._remembered_ns - self._first_ns < SETTLE_NS:
            return
        instants = tuple(self._keyframes.frames)
        if self.solved is not None:
            self.solved.look_at(instants)
        if self._remembered is not None and self.solved is None:
            self._recall(self._remembered, instants)
        if self.solved is None and self._seen >= self._average_at and not self._averaging.busy:
            self._average_at = self._next_at()
            self._averaging.start(estimate_rotations, instants, self._engine, self.intrinsics, self._rotations)
            self._take_results()
        if self.mode != "cold" and self._seen >= self._solve_at and not self._solving.busy:
            self._solve_at = self._next_at()
            self._solving.start(self._learner.solve, self.task())
            self._take_results()

    def _recall(self, rig: RigSolution, instants: Sequence[Keyframe]) -> None:
        """Uses a rig of old if it still fits."""
        setup, self._remembered = self._setup, None
        recalled = relocalise(rig, instants, self.intrinsics.size_px, setup.height_m if setup.height_given else None)
        if recalled is None:
            self._why = "the remembered rig does not fit what the cameras see: it is learned anew"
        else:
            self.solved, self.note = SolvedRig(recalled), ""

    def _next_at(self) -> int:
        return self._seen + min(max(SETTLE_INSTANTS, round(self._seen * (SOLVE_AGAIN - 1))), SOLVE_LATEST)

    def task(self) -> SolveTask:
        """Returns what is to be solved as of now."""
        if self.solved is not None:
            rotation, present = self.solved.rig.cameras.rotation, self.solved.rig.cameras
        else:
            rotation, present = (
                (np.zeros((0, 3, 3)) if self._rotations is None else self._rotations.camera_from_rig),
                None,
            )
        setup, instants = self._setup, tuple(self._keyframes.frames)
        return SolveTask(instants, self.intrinsics, setup.given, rotation, self.known, setup.height_m, present)

    def _take_results(self) -> None:
        averaged = self._averaging.take()
        if averaged is not None:
            sure = averaged.known & (averaged.sd_deg < SURE_DEG)
            if sure.sum() > 1:
                self._doubt_of_up = averaged.warning if self.solved is None else self._doubt_of_up
                self._rotations = replace(averaged, known=sure)
        self._adopt(self._solving.take())
        for work in (self._averaging, self._solving):
            if work.fault:
                self._why = f"{work.fault} It is tried again."

    def _adopt(self, found: RigSolution | str | None) -> None:
        """Goes over to a solved rig if it may be trusted; else says why not. None = nothing was found out."""
        if found is None:
            return
        setup, up, lying = self._setup, np.array([0.0, 1.0, 0.0]), self._person_up
        person_up = up if lying is None else lying
        reason = found if isinstance(found, str) else rejection_reason(found, setup.names, person_up, setup.height_m)
        self._why = "" if self.solved is not None else reason
        if reason or isinstance(found, str):
            return
        if self.solved is not None:
            self.solved.better(found)
        else:
            if lying is not None and has_walked(found.poses, lying):  # it is the cameras that are turned
                up, lying, self._doubt_of_up = lying, None, ""
            self.solved = SolvedRig(to_room_frame(found, up, setup.height_m, upright=lying is None))

    def _take_out(self, t_ns: int) -> None:
        """Takes out cameras that have disagreed for long: they were moved, or see somebody else."""
        for view in np.flatnonzero(self.known & (self._health.ill_s > MOVED_S)).tolist():
            if self.known.sum() < 3:
                patient = self.solved is not None and self._health.ill_s[view] < LOST_S
                if self._setup.fixed is None and not patient:
                    self._forget()
                return
            self._health.anew(view)
            self._carried.moved(view, t_ns)
            self._keyframes.without_view(view)
            self._averaging.forget()
            self._solving.forget()
            if self.solved is not None:
                self.solved.take_out(view)
            elif self._rotations is not None:
                others = self._rotations.known & (np.arange(len(self.known)) != view)
                self._rotations = replace(self._rotations, known=others)
            self._average_at = self._solve_at = self._seen + SETTLE_INSTANTS

    def states(self) -> tuple[CameraState, ...]:
        """Returns what is known of every camera, for people and for the wire."""
        return tuple(self._state(v) for v in range(len(self._setup.names)))

    def _state(self, view: int) -> CameraState:
        known, health, moving = bool(self.known[view]), self._health, bool(self._carried.moving[view])
        arrived = bool(self.intrinsics.size_px[view].min() > 1)
        state = CameraState(
            name=self._setup.names[view],
            focal_px=float(self.focal_px[view]),
            size_px=(int(self.intrinsics.size_px[view, 0]), int(self.intrinsics.size_px[view, 1])) if arrived else None,
            moving=moving,
            health=float(health.value[view]),
            agreement=health.mean(view),
            note=self._mirrors.note(view) or self._doubt(view) if arrived else "no frames yet",
        )
        if known and self.solved is not None:
            return self.solved.told(state, view)
        if known and self._rotations is not None:
            rotation = tuple(self._rotations.camera_from_rig[view].ravel().tolist())
            return structs.replace(state, rotation=rotation, rotation_sd_deg=float(self._rotations.sd_deg[view]))
        return state

    def _doubt(self, view: int) -> str:
        """Returns why a camera is not trusted, empty if it is."""
        health, moving = self._health, self._carried.moving[view]
        if not health.present[view]:
            return NO_PERSON
        if moving and not self._setup.moving[view]:
            return "keeps moving: it is followed, its place is not learned"
        if self.mode != "cold" and not self.known[view] and not moving:
            return LEFT_OUT if self._unplaced_s[view] > LEARNED_S else LEARNING
        if 0 < health.value[view] < DISAGREES and health.present.sum() > 1:
            return "disagrees with the others"
        return ""


def _places(state: RigState) -> list[tuple[object, ...]]:
    """Returns what is the same as long as no camera was moved or is known better."""
    return [(c.name, c.rotation, c.translation_m, c.focal_px, c.k1, c.moving, c.size_px) for c in state.cameras]
