"""What holding the feet does to captured motion seen by a rig, joints some millimetres off: sliding, and what it costs.

    python -m benchmarks.foot_lock --motion clips.npz --feet clips_full.npz --json foot_lock.json

Motion files are those that training reads; toes come from the same file or from one of further joints (``--feet``), and
without them ankles are held. When a foot truly stands is told from the clean motion: slower than 0.15 m/s and within
3 cm of where it usually stands; and when somebody flies: both feet 8 cm higher than that, and the pelvis falls.

Axes: T instants, J joints, S sides.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.contract import Report, parser, time_ms
from benchmarks.humanoid import everything
from pose_rig.capture.simulated import pose
from pose_rig.skeleton import JOINTS
from pose_rig.streaming.foot_lock import FootLock
from pose_rig.streaming.humanoid import INDEX, Floats, RestPose, forward, rotate
from pose_rig.streaming.rest import rest_pose
from pose_rig.streaming.solver import HumanoidSolver
from pose_rig.training.motion import Clip as TrainingClip
from pose_rig.training.motion import whole_parts

RATE_HZ = 60.0
HEIGHT_M = 1.7
NOISE_MM = (5.0, 10.0)
NOISE_KEPT, NOISE_KEPT_S = 0.9, 0.04  # detectors are off in the same way for a while
STANDS_M_S, STANDS_M, FLIES_M = 0.15, 0.03, 0.08
FALLS_M_S2 = 5.0  # half of a free fall: the pelvis is not the centre of mass
USUALLY = 10  # percentile of a foot's height: it stands
TOES = {
    "LeftToeEnd": "left_foot_index", "RightToeEnd": "right_foot_index", "l_toe": "left_foot_index",
    "r_toe": "right_foot_index", "foot.L_end": "left_foot_index", "foot.R_end": "right_foot_index",
    "l_heel": "left_heel", "r_heel": "right_heel",
}  # fmt: skip
ANKLES = ("l_ankle", "r_ankle")
TIPS = ("left_foot_index", "right_foot_index")
SIDES = ("Left", "Right")
LEGS = [INDEX[side + bone] for side in SIDES for bone in ("UpperLeg", "LowerLeg", "Foot")]


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """Somebody who moves: ``xyz`` (T,J,3) m at about `RATE_HZ`, the floor at 0, joints named."""

    joints: tuple[str, ...]
    rate_hz: float
    xyz: Floats

    def at(self, *names: str) -> Floats:
        """Returns (T,N,3) m of some joints."""
        return self.xyz[:, [self.joints.index(name) for name in names]]

    def stands(self, *names: str) -> NDArray[np.bool_]:
        """Returns (T,N) whether they truly stand."""
        at = self.at(*names)
        some = max(round(0.025 * self.rate_hz), 1)
        ahead, behind = np.roll(at, -some, 0), np.roll(at, some, 0)
        speed = np.linalg.norm(ahead - behind, axis=-1) * self.rate_hz / (2 * some)
        speed[:some], speed[-some:] = np.inf, np.inf
        return np.asarray((speed < STANDS_M_S) & (self.above(*names) < STANDS_M))

    def flies(self, *names: str) -> NDArray[np.bool_]:
        """Returns (T,) whether the body falls freely, all of these well above the floor, 50 ms ago and ahead, too."""
        some = max(round(0.05 * self.rate_hz), 1)
        y = self.at("pelvis")[:, 0, 1]
        fall = (2 * y - np.roll(y, some) - np.roll(y, -some)) * (self.rate_hz / some) ** 2
        fall[:some], fall[-some:] = 0.0, 0.0
        flies = (fall > FALLS_M_S2) & (self.above(*names) > FLIES_M).all(1)
        return np.asarray(flies & np.roll(flies, some) & np.roll(flies, -some))

    def above(self, *names: str) -> Floats:
        """Returns (T,N) m above where they usually stand."""
        y = self.at(*names)[..., 1]
        return np.asarray(y - np.percentile(y, USUALLY, axis=0))

    def noisy(self, sd_m: float, rng: np.random.Generator) -> Floats:
        """Returns (T,J,3) m, each coordinate off by that."""
        kept = NOISE_KEPT ** (1 / (NOISE_KEPT_S * self.rate_hz))
        noise = rng.normal(0, sd_m, self.xyz.shape)
        for i in range(1, len(noise)):
            noise[i] = kept * noise[i - 1] + np.sqrt(1 - kept**2) * noise[i]
        return self.xyz + noise


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What an avatar does.

    Attributes:
        ankles: (T,S,3) m; tips: (T,S,3) m, of the toes.
        rotation: (T,B,4).
    """

    ankles: Floats
    tips: Floats
    rotation: Floats

    @classmethod
    def of(cls, rest: RestPose, root: Floats, rotation: Floats) -> "Shown":
        """Returns what a motion shows: root (T,3), rotation (T,B,4)."""
        begin, turned = forward(rest, root, rotation)
        toes = [INDEX[f"{side}Toes"] for side in SIDES]
        tips = begin[:, toes] + rotate(turned[:, toes], rest.tip[toes])
        return cls(begin[:, [INDEX[f"{side}Foot"] for side in SIDES]], tips, rotation)

    def steps_deg(self) -> Floats:
        """Returns (T-1,B) how far bones turn from instant to instant."""
        alike = np.abs((self.rotation[1:] * self.rotation[:-1]).sum(-1))
        return np.asarray(np.degrees(2 * np.arccos(np.minimum(alike, 1.0))))


@dataclass(frozen=True, slots=True, eq=False)
class Walked:
    """One take without the lock and with it: ``free``, ``held``; ``standing`` (T,S) is what the lock believed."""

    take: Take
    free: Shown
    held: Shown
    standing: NDArray[np.bool_]


def walked(take: Take, xyz: Floats) -> Walked:
    """Returns what the lock does to a take whose joints were seen at (T,J,3) m."""
    score = np.ones(take.xyz.shape[:2])
    rest = rest_pose(take.joints, xyz, score, HEIGHT_M)
    solver, lock = HumanoidSolver(rest, take.joints), FootLock(rest)
    column = {name: i for i, name in enumerate(take.joints)}
    free, held, standing = [], [], []
    for i, joints in enumerate(xyz):
        t_ns = int(i * 1e9 / take.rate_hz)
        free.append(solver.step(t_ns, joints, score[i]))
        held.append(lock.step(t_ns, *free[-1], joints, score[i], column, solved=True))
        standing.append(lock.standing)
    shown = [
        Shown.of(rest, np.stack([root for root, _ in way]), np.stack([turned for _, turned in way]))
        for way in (free, held)
    ]
    return Walked(take, shown[0], shown[1], np.array(standing))


def sliding_m_s(points: Floats, stands: NDArray[np.bool_], rate_hz: float) -> Floats:
    """Returns (N,) m/s how fast points (T,S,3) move over the floor at instants at which they truly stand (T,S)."""
    speed = np.linalg.norm(np.diff(points[..., [0, 2]], axis=0), axis=-1) * rate_hz
    return np.asarray(speed[stands[1:] & stands[:-1]])


def takes(path: Path, feet: Path | None, every: int) -> Iterator[Take]:
    """Yields every so many-th take of a motion file at about `RATE_HZ`, ankles where a rig puts them over the floor."""
    with np.load(path, allow_pickle=False) as file:
        data = dict(file)
    with np.load(feet or path, allow_pickle=False) as file:
        further = dict(file)
    columns: dict[str, int] = {}
    rel = data["joints17_rel"]
    for names, places in (("extra_names", "extra_rel"), ("joint_names", "joints_rel")):
        if places in further:
            columns = {TOES[name]: i for i, name in enumerate(further[names].tolist()) if name in TOES}
            rel = np.concatenate([rel, further[places][:, list(columns.values())]], 1)
    for start, length in list(zip(data["clip_start"], data["clip_len"], strict=True))[::every]:
        part, fps = slice(start, start + length), float(data["fps"])
        skip = max(round(fps / RATE_HZ), 1)
        for clip in whole_parts(TrainingClip("", fps, rel[part].astype(np.float32), data["root"][part])):
            xyz = (clip.joints + clip.root[:, None]).astype(float)[::skip]
            yield level(Take((*JOINTS, *columns), fps / skip, xyz))


def level(take: Take) -> Take:
    """Returns the take with its lower ankle usually as high as that of somebody who stands on a floor at 0."""
    rest = rest_pose(take.joints, take.xyz, np.ones(take.xyz.shape[:2]), HEIGHT_M)
    low = np.percentile(take.at(*ANKLES)[..., 1].min(1), 2 * USUALLY)
    ankle_m = sum(rest.offset[INDEX[bone], 1] for bone in ("Hips", "LeftUpperLeg", "LeftLowerLeg", "LeftFoot"))
    return Take(take.joints, take.rate_hz, take.xyz + np.array([0.0, ankle_m - low, 0.0]))


def captured(report: Report, runs: Sequence[Walked], noise_mm: float) -> None:
    """Adds the figures of takes with that much noise."""
    for which in ("free", "held"):
        report.add(*_row(f"toes slide, {which}", noise_mm, "m/s"), _slides(runs, which, TIPS))
        report.add(*_row(f"ankles slide, {which}", noise_mm, "m/s"), _slides(runs, which, ANKLES))
        shown = [(run.take, getattr(run, which)) for run in runs]
        report.add(*_row(f"ankle beside the clean one, {which}", noise_mm, "mm"), beside_mm(shown))
        steps = np.concatenate([pose.steps_deg()[:, LEGS].ravel() for _, pose in shown])
        report.add(*_row(f"largest step of a leg's bone, {which}", noise_mm, "°"), [float(steps.max())])
        report.add(*_row(f"likewise, 999 of 1000, {which}", noise_mm, "°"), [float(np.percentile(steps, 99.9))])
    flying = [run.take.flies(*_points(run.take, TIPS)) for run in runs]
    held = [run.standing[flies].any(1) for run, flies in zip(runs, flying, strict=True)]
    if any(flies.any() for flies in flying):
        report.add(*_row("held in flight", noise_mm, "%"), [float(100 * np.concatenate(held).mean())], "0")


def beside_mm(shown: Sequence[tuple[Take, Shown]]) -> list[float]:
    """Returns (N) how far ankles are beside those of the clean motion; how high the floor is decides the lock."""
    ways = [(pose.ankles - take.at(*ANKLES))[..., [0, 2]].reshape(-1, 2) for take, pose in shown]
    return [float(miss) for miss in np.linalg.norm(np.concatenate(ways), axis=-1) * 1e3]


def _row(name: str, noise_mm: float, unit: str) -> tuple[str, str]:
    return f"{noise_mm:.0f} mm: {name}", unit


def _points(take: Take, names: tuple[str, str]) -> tuple[str, str]:
    return names if names[0] in take.joints else ANKLES


def _slides(runs: Sequence[Walked], which: str, names: tuple[str, str]) -> list[float]:
    slides = []
    for run in runs:
        points = _points(run.take, names)
        stands = run.take.stands(*points) & run.take.stands(*_points(run.take, TIPS))
        shown: Shown = getattr(run, which)
        slides.append(sliding_m_s(shown.tips if points == TIPS else shown.ankles, stands, run.take.rate_hz))
    return [float(slide) for slide in np.concatenate(slides)]


def stepper() -> Callable[[], object]:
    """Returns what holds the feet of the simulated person, instant after instant."""
    names, xyz = everything(np.stack([pose(i / RATE_HZ) for i in range(600)]))
    score, column = np.ones(len(names)), {name: i for i, name in enumerate(names)}
    rest = rest_pose(names, xyz, np.ones(xyz.shape[:2]), HEIGHT_M)
    solver, lock, steps = HumanoidSolver(rest, names), FootLock(rest), count()
    t_ns = [int(i * 1e9 / RATE_HZ) for i in range(len(xyz))]
    poses = [solver.step(t, joints, score) for t, joints in zip(t_ns, xyz, strict=True)]

    def step() -> object:
        i = next(steps) % len(xyz)
        return lock.step(t_ns[i], *poses[i], xyz[i], score, column, solved=True)

    return step


def arguments() -> argparse.Namespace:
    """Returns what was asked for."""
    out = parser(__doc__)
    out.add_argument("--motion", type=Path, metavar="F", help="motion file, npz")
    out.add_argument("--feet", type=Path, metavar="F", help="file of its further joints, npz")
    out.add_argument("--every", type=int, default=1, metavar="N", help="every so many-th clip")
    out.add_argument("--seconds", type=float, default=20.0, metavar="S", help="of each clip at most")
    return out.parse_args()


def main() -> None:
    """Measures."""
    args = arguments()
    report = Report.begin(args)
    warm_up, repeats = (2, 10) if args.quick else (200, 5000)
    report.add("step", "ms", time_ms(stepper(), warm_up, repeats), "< 0.1")
    if args.motion:
        some = list(takes(args.motion, args.feet, args.every))[: 2 if args.quick else None]
        for noise_mm in NOISE_MM:
            rng, most = np.random.default_rng(1), int(args.seconds * RATE_HZ)
            cut = [Take(take.joints, take.rate_hz, take.xyz[:most]) for take in some]
            captured(report, [walked(take, take.noisy(noise_mm * 1e-3, rng)) for take in cut], noise_mm)
    report.finish(args.json)


if __name__ == "__main__":
    main()
