"""What holding the feet does to captured motion seen by a rig, joints some millimetres off: sliding, and what it costs.

    python -m benchmarks.engines.foot_lock --motion clips.npz --feet clips_full.npz --json foot_lock.json

Motion files are those that training reads; toes come from the same file or from one of further joints (``--feet``), and
without them ankles are held. When a foot truly stands is told from the clean motion: slower than 0.15 m/s and within
3 cm of where it usually stands; and when somebody flies: both feet 8 cm higher than that, and the pelvis falls.
"""

import argparse
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

import numpy as np

from benchmarks.contract import Report, parser, time_ms
from benchmarks.engines.feet import (
    ANKLES,
    HEIGHT_M,
    LEGS,
    RATE_HZ,
    TIPS,
    Shown,
    Take,
    Walked,
    sliding_m_s,
    takes,
    walked,
)
from benchmarks.engines.humanoid import everything
from pose_rig.capture.simulated import pose
from pose_rig.humanoid.foot_lock import FootLock
from pose_rig.humanoid.rest_pose import rest_pose
from pose_rig.humanoid.retarget import Retargeter

NOISE_MM = (5.0, 10.0)


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
    solver, lock, steps = Retargeter(rest, names), FootLock(rest), count()
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
