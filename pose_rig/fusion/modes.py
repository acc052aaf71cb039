"""What the rig knows and when: cold → settled; a camera that disagrees for long is learned anew.

Axes: V views.
"""

from collections.abc import Sequence
from concurrent.futures import Executor, Future
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pose_rig.fusion.observation import Observation
from pose_rig.fusion.reading import ABSENT, Prior, Reading
from pose_rig.fusion.rig import Instant, Solution, agreement, solve
from pose_rig.graph import Engine
from pose_rig.messages import CameraState, Mode

Floats = NDArray[np.float64]

REMEMBER_EVERY_NS = 66_000_000  # 15 Hz: neighbouring instants say the same (lag-1 correlation 0.9 at 25 Hz)
REMEMBERED = 90  # instants; beyond that every second of the older half goes
SETTLE_NS = 1_000_000_000  # of movement seen, at least two independent looks of the lifter per view
SETTLE_INSTANTS = 12
SOLVE_AGAIN = 1.5  # the rig is solved anew when this many times as many instants were seen
# How far an instant may turn a settled camera. Assumed focal lengths leave rotations a few degrees off, differently
# from place to place (4.5° in simulated rigs whose focal lengths are 0.6 to 1.55 times what is assumed): held fast they
# cost 2 mm there, and let go they follow every wrong person.
INSTANT_SD_DEG = 2.0
SURE_DEG = 8.0  # a rotation less sure than this is not used
HEALTH_S = 0.5  # memory of a camera's agreement
DISAGREES = 0.5  # agreement below this is named, and weighs less
MOVED_S = 1.0  # a camera that disagrees for so long has been moved


class Rig:
    """Remembers instants and learns the cameras' rotations from them.

    Args:
        names: Of the cameras.
        focal_px: (V,) focal lengths in use.
        engine: Runs the graph.
        executor: Where solving happens; None = at once, which makes runs repeatable.
    """

    def __init__(self, names: Sequence[str], focal_px: Floats, engine: Engine, executor: Executor | None) -> None:
        self._names, self._engine, self._executor = tuple(names), engine, executor
        self.focal_px = focal_px
        self._health = np.zeros(len(names))
        self._present = np.zeros(len(names), bool)
        self._ill_s = np.zeros(len(names))
        self._last_ns = 0
        self._forget()

    def _forget(self) -> None:
        self.solution: Solution | None = None
        self._instants: list[Instant] = []
        self._seen = 0
        self._solve_at = SETTLE_INSTANTS
        self._pending: Future[Solution | None] | None = None
        self._ill_s[:] = 0

    @property
    def mode(self) -> Mode:
        """How the rotations are known."""
        return "cold" if self.solution is None else "settled"

    @property
    def prior(self) -> Prior | None:
        """The cameras' rotations, None while cold."""
        if self.solution is None:
            return None
        return Prior(self.solution.rotation, np.full(len(self._names), np.radians(INSTANT_SD_DEG)))

    @property
    def trust(self) -> Floats:
        """(V,) weight of each view: less for one that disagrees, none for one whose rotation is not known yet."""
        weight = np.where(self._health > 0, np.clip(self._health / DISAGREES, 0.1, 1.0), 1.0)
        return weight if self.solution is None else weight * self.solution.known

    def wants_guess(self, observation: Observation) -> bool:
        """Whether a view is there that the rig does not know yet, so that a cold look at this instant would help."""
        if self.solution is None or not self._due(observation.t_ns):
            return False
        return bool((~self.solution.known[np.unique(observation.view)]).any())

    def learn(self, reading: Reading, guess: Reading | None) -> None:
        """Takes in one instant.

        Args:
            reading: What was made of it.
            guess: A cold reading of the same instant; the reading itself while the rig is cold.
        """
        observation = reading.observation
        if reading.switched:  # what was learned came from somebody else
            self._forget()
        self._judge(reading)
        if self._pending is not None and self._pending.done():
            self._adopt(self._pending.result())
            self._pending = None
        if self._due(observation.t_ns) and (reading.pick != ABSENT).sum() > 1:
            self._remember(reading, guess)
        span = self._instants[-1].t_ns - self._instants[0].t_ns if self._instants else 0
        ready = self._pending is None and not self._ill_s.any()  # what a moved camera saw since is not mixed in
        if ready and self._seen >= self._solve_at and span >= SETTLE_NS:
            self._solve_at = max(self._seen + SETTLE_INSTANTS, round(self._seen * SOLVE_AGAIN))
            if self._executor is None:
                self._adopt(solve(tuple(self._instants), self._engine, self.solution))
            else:
                self._pending = self._executor.submit(solve, tuple(self._instants), self._engine, self.solution)

    def nobody(self) -> None:
        """Takes in an instant at which no camera saw anybody."""
        self._present[:] = False
        self._health[:] = 0.0

    def _due(self, t_ns: int) -> bool:
        return not self._instants or t_ns - self._instants[-1].t_ns >= REMEMBER_EVERY_NS

    def _adopt(self, found: Solution | None) -> None:
        if found is None:
            return
        sure = found.known & (found.sd_deg < SURE_DEG)
        if sure.sum() > 1:
            self.solution = replace(found, known=sure)

    def _remember(self, reading: Reading, guess: Reading | None) -> None:
        observation, source = reading.observation, guess or reading
        present = source.pick != ABSENT
        chosen = np.where(present, source.pick, 0)
        frame = observation.ray_from_camera[chosen]
        turned = frame.swapaxes(-1, -2) @ source.out.rotation[0].astype(float)
        upright = np.einsum("vji,vj->vi", frame, source.out.upright[chosen].astype(float))
        self._instants.append(
            Instant(
                t_ns=observation.t_ns,
                flat=observation.flat[chosen].astype(np.float32),
                confidence=observation.score[chosen].astype(np.float32),
                norm=observation.norm[chosen].astype(np.float32),
                ray_from_camera=frame,
                weight=present * agreement(source.out.model_sd[0].astype(float)),
                guess=None if guess is None else turned,
                upright=upright,
            )
        )
        self._seen += 1
        if len(self._instants) > REMEMBERED:
            half = REMEMBERED // 2
            self._instants = self._instants[:half:2] + self._instants[half:]

    def _judge(self, reading: Reading) -> None:
        """Updates every camera's agreement, and notices one that was moved."""
        observation = reading.observation
        elapsed = min(max((observation.t_ns - self._last_ns) * 1e-9, 0.0), HEALTH_S)
        self._last_ns = observation.t_ns
        share = elapsed / HEALTH_S if self._health.any() else 1.0
        self._present = np.isin(np.arange(len(self._names)), observation.view)
        used = reading.pick != ABSENT
        agreed = np.where(used, agreement(reading.out.model_sd[0].astype(float)), 0.0)
        blended = np.where(self._health > 0, self._health + share * (agreed - self._health), agreed)
        self._health = np.where(self._present, np.maximum(blended, 0.01), 0.0)
        if self.solution is None:
            return
        ill = self._present & self.solution.known & (self._health < DISAGREES)
        self._ill_s = np.where(ill, self._ill_s + elapsed, 0.0)
        for view in np.flatnonzero(self._ill_s > MOVED_S).tolist():
            self._unlearn(view)

    def _unlearn(self, view: int) -> None:
        """Forgets where a camera is that has disagreed for long: it was moved, or sees somebody else."""
        if self.solution is None:
            return
        self._ill_s[view] = 0.0
        known = self.solution.known.copy()
        known[view] = False
        if known.sum() < 2:
            self._forget()
            return
        self.solution = replace(self.solution, known=known)
        gone = np.arange(len(known)) == view
        self._instants = [replace(instant, weight=np.where(gone, 0.0, instant.weight)) for instant in self._instants]
        self._pending = None
        self._solve_at = self._seen + SETTLE_INSTANTS

    def states(self) -> tuple[CameraState, ...]:
        """Returns what is known of every camera, for people and for the wire."""
        return tuple(self._state(v) for v in range(len(self._names)))

    def _state(self, view: int) -> CameraState:
        solution = self.solution
        known = solution is not None and bool(solution.known[view])
        note = ""
        if not self._present[view]:
            note = "sees nobody"
        elif solution is not None and not known:
            note = "was moved, came late or sees somebody else: its place is being learned"
        elif self._health[view] < DISAGREES and self._present.sum() > 1:
            note = "disagrees with the others"
        return CameraState(
            name=self._names[view],
            rotation=tuple(solution.rotation[view].ravel().tolist()) if solution is not None and known else None,
            rotation_sd_deg=float(solution.sd_deg[view]) if solution is not None and known else None,
            focal_px=float(self.focal_px[view]),
            health=float(self._health[view]),
            note=note,
        )
