"""When the cameras are estimated: keyframes are collected, and rotations and the solved rig computed from them.

Axes: V views.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.body_scale import EARS_TO_ANKLES, bone_lengths, upright_length
from pose_rig.fusion.calibration.keyframes import KEYFRAME_INTERVAL_NS, MAX_KEYFRAMES, Keyframe, Keyframes
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.calibration.rotation_averaging import (
    CameraRotations,
    consistency_weight,
    estimate_rotations,
)
from pose_rig.fusion.calibration.solve_task import SolveTask
from pose_rig.fusion.pose.hypothesis import Hypothesis
from pose_rig.fusion.pose.lifts import camera_from_body
from pose_rig.fusion.rig.background import BackgroundCompute, BackgroundTask
from pose_rig.graph import Engine
from pose_rig.intrinsics import Intrinsics
from pose_rig.skeleton import INDEX
from pose_rig.wire.records import Learned

MIN_SPAN_NS = 1_000_000_000  # of movement: at least two independent lifts per view
MIN_KEYFRAMES = 12
GROWTH_BETWEEN_SOLVES = 1.35  # estimated again when this many times as many keyframes were added
MAX_KEYFRAMES_BETWEEN_SOLVES = 450  # half a minute
MAX_GAP_NS = 10_000_000_000  # without a person in two views; after that it may be another person


class Calibrator:
    """Collects keyframes of people, and starts computations on them in the background.

    Attributes:
        changes: How often keyframes were discarded, replaced or changed.
        waits: Whether the rig is not to be solved yet, for more keyframes follow at once.
    """

    def __init__(self, engine: Engine, background: BackgroundCompute) -> None:
        self._engine, self._background = engine, background
        self.changes = 0
        self.waits = False
        self._averaging: BackgroundTask[CameraRotations] = BackgroundTask(background)
        self._solving: BackgroundTask[RigSolution | str] = BackgroundTask(background)
        self.discard_rotations()
        self.discard_keyframes()

    def discard_rotations(self) -> None:
        """Discards averaged rotations; averaging starts from scratch."""
        self._average_at = MIN_KEYFRAMES
        self._averaging.discard()

    def discard_keyframes(self) -> None:
        """Discards all keyframes; they were of other people."""
        self.changes += 1
        self._keyframes = Keyframes()
        self._first_ns = 0
        self._last_ns: dict[int, int] = {}  # by person
        self._count, self._solve_at = 0, MIN_KEYFRAMES
        self._solving.discard()

    def rename(self, names: Mapping[int, int]) -> None:
        """Gives people other identities, by those so far; the rig is solved soon if it was being solved."""
        self.changes += 1
        self._keyframes.rename(names)
        taken = set(names.values())
        kept = {one: t_ns for one, t_ns in self._last_ns.items() if one in names or one not in taken}
        self._last_ns = {names.get(one, one): t_ns for one, t_ns in kept.items()}
        if self._solving.busy:
            self._solving.discard()
            self._solve_at = min(self._solve_at, self._count + 1)

    def replace_keyframes(self, keyframes: Sequence[Keyframe]) -> None:
        """Replaces all keyframes, with those that the rig was solved from at other clocks."""
        self._keyframes = Keyframes()
        for keyframe in keyframes:
            self._keyframes.add(keyframe)
        self._count = max(len({keyframe.t_ns for keyframe in keyframes}), MIN_KEYFRAMES)
        self._solve_at = self._next_at()
        self._averaging.discard()
        self._solving.discard()
        self.changes += 1

    def remove_view(self, view: int, *, keeps_solution: bool, since_ns: int = 0) -> None:
        """Removes the keypoints of a camera that was moved from all keyframes and running computations.

        A rig that is solved already and keeps its solution is solved again when there are as many keyframes from after
        the move as there were: without those of the moved camera, the others would become less exact.

        Args:
            view: The camera.
            keeps_solution: See above.
            since_ns: Keyframes before that are kept.
        """
        self._keyframes.without_view(view, since_ns)
        self.changes += 1
        self._averaging.discard()
        self._solving.discard()
        self._average_at = self._solve_at = self._count + MIN_KEYFRAMES
        if keeps_solution:
            self._solve_at = self._count + min(max(self._count, MIN_KEYFRAMES), MAX_KEYFRAMES)

    @property
    def keyframes(self) -> tuple[Keyframe, ...]:
        """The keyframes, oldest first."""
        return tuple(self._keyframes.frames)

    @property
    def count(self) -> int:
        """At how many time steps keyframes were added, those that were dropped since included."""
        return self._count

    @property
    def has_enough(self) -> bool:
        """Whether the keyframes suffice for a first estimate."""
        return self._count >= MIN_KEYFRAMES and self._latest_ns - self._first_ns >= MIN_SPAN_NS

    def is_due(self, t_ns: int, person: int = 0) -> bool:
        """Whether a time step is late enough after the last keyframe of a person to be one."""
        return person not in self._last_ns or t_ns - self._last_ns[person] >= KEYFRAME_INTERVAL_NS

    def is_outdated(self, t_ns: int, person: int = 0) -> bool:
        """Whether the last keyframe of a person is so old that they may be another one."""
        return person in self._last_ns and t_ns - self._last_ns[person] > MAX_GAP_NS

    def add(self, hypothesis: Hypothesis, cold: Hypothesis | None, used: NDArray[np.bool_], *, person: int = 0) -> None:
        """Adds a keyframe.

        Args:
            hypothesis: The keypoints, and what the graph computed from them.
            cold: The same with rotations from this time step alone, if it was computed.
            used: (V,) whose keypoints may be used.
            person: Identity.
        """
        source = cold or hypothesis
        observation, candidate = source.observation, source.candidate
        ray_from_camera = observation.ray_from_camera[candidate]
        norm, scale = observation.norm[candidate], source.out.scale[0].astype(float)
        body_height = upright_length(bone_lengths(source.out.body[0].astype(float))) / EARS_TO_ANKLES
        self._keyframes.add(
            Keyframe(
                t_ns=observation.t_ns,
                xy_px=source.xy_px,
                score=_without_single_ears(source),
                inlier=source.out.inlier[0].astype(float),
                weight=source.present * consistency_weight(source.out.model_sd[0].astype(float)) * used,
                camera_from_body=None if cold is None else camera_from_body(cold),
                up=np.einsum("vji,vj->vi", ray_from_camera, source.out.upright[candidate].astype(float)),
                pelvis_depth=1 / np.maximum(norm * scale * body_height, 1e-6),
                ray_depth=source.ray_depth,
                person=person,
            )
        )
        self._first_ns = self._first_ns if self._count else observation.t_ns
        self._count += not self._count or observation.t_ns > self._latest_ns
        self._last_ns[person] = observation.t_ns

    @property
    def averaging_due(self) -> bool:
        """Whether enough keyframes were added since rotations were last averaged."""
        return self._count >= self._average_at and not self._averaging.busy

    def start_averaging(self, intrinsics: Intrinsics, rotations: CameraRotations | None) -> None:
        """Starts to average rotations, from earlier ones if there are any."""
        self._average_at = self._next_at()
        self._averaging.start(estimate_rotations, self.keyframes, self._engine, intrinsics, rotations)

    @property
    def solving_due(self) -> bool:
        """Whether enough keyframes were added since the rig was last solved."""
        return self._count >= self._solve_at and not self._solving.busy and not self.waits

    def start_solving(self, task: SolveTask) -> None:
        """Starts to solve the rig."""
        self._solve_at = self._next_at()
        self._solving.start(self._background.solve, task)

    def results(self) -> tuple[CameraRotations | None, RigSolution | str | None]:
        """Returns averaged rotations and the solved rig (or why it cannot be solved), once each is finished."""
        return self._averaging.take(), self._solving.take()

    @property
    def failure(self) -> str:
        """Why the last computation failed, empty if it did not."""
        return self._solving.failure or self._averaging.failure

    def used_results(self) -> list[Learned]:
        """Returns which results were taken since this was last called."""
        averaged = [Learned(work="averaging", asked=asked) for asked in self._averaging.taken()]
        return averaged + [Learned(work="solving", asked=asked) for asked in self._solving.taken()]

    def expect(self, result: Learned) -> None:
        """Adds when a result was taken in the run that is replayed."""
        (self._averaging if result.work == "averaging" else self._solving).expect(result.asked)

    @property
    def _latest_ns(self) -> int:
        return max(self._last_ns.values(), default=0)

    def _next_at(self) -> int:
        more = round(self._count * (GROWTH_BETWEEN_SOLVES - 1))
        return self._count + min(max(MIN_KEYFRAMES, more), MAX_KEYFRAMES_BETWEEN_SOLVES)


def _without_single_ears(hypothesis: Hypothesis) -> Floats:
    """Returns (V,J) the scores, 0 for heads that are one ear: these are 3 % of the person's size off the middle."""
    score = hypothesis.score.copy()
    score[hypothesis.observation.one_ear[hypothesis.candidate], INDEX["head"]] = 0.0
    return score
