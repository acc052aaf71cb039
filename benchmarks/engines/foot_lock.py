"""Effect of the foot lock on captured motion with noise: sliding of the feet, errors, and time per step.

    python -m benchmarks.engines.foot_lock --motion clips.npz --feet clips_full.npz --json foot_lock.json

Motion files are those of training; toes come from the same file or from one of further joints (``--feet``); without
them feet are locked by the ankles. True contact is detected in the clean motion: slower than 0.15 m/s and within 3 cm
of the usual height; flight: both feet 8 cm higher than that, and the pelvis falls.
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
    AvatarMotion,
    LockResult,
    Take,
    lock_feet,
    sliding_m_s,
    takes,
)
from benchmarks.engines.humanoid import with_landmarks
from pose_rig.capture.simulated import pose
from pose_rig.humanoid.foot_lock import FootLock
from pose_rig.humanoid.rest_pose import rest_pose
from pose_rig.humanoid.retarget import Retargeter

NOISE_MM = (5.0, 10.0)


def captured(report: Report, runs: Sequence[LockResult], noise_mm: float) -> None:
    """Adds the figures of takes with noise of that standard deviation."""
    for which in ("free", "locked"):
        report.add(*_row(f"toes slide, {which}", noise_mm, "m/s"), _slides(runs, which, TIPS))
        report.add(*_row(f"ankles slide, {which}", noise_mm, "m/s"), _slides(runs, which, ANKLES))
        motions = [(run.take, getattr(run, which)) for run in runs]
        report.add(*_row(f"ankle error, {which}", noise_mm, "mm"), ankle_errors_mm(motions))
        steps = np.concatenate([motion.steps_deg()[:, LEGS].ravel() for _, motion in motions])
        report.add(*_row(f"largest step of a leg bone, {which}", noise_mm, "°"), [float(steps.max())])
        report.add(*_row(f"step, 99.9th percentile, {which}", noise_mm, "°"), [float(np.percentile(steps, 99.9))])
    flights = [run.take.in_flight(*_points(run.take, TIPS)) for run in runs]
    held = [run.contact[flight].any(1) for run, flight in zip(runs, flights, strict=True)]
    if any(flight.any() for flight in flights):
        report.add(*_row("locked in flight", noise_mm, "%"), [float(100 * np.concatenate(held).mean())], "0")


def ankle_errors_mm(motions: Sequence[tuple[Take, AvatarMotion]]) -> list[float]:
    """Returns (N) the horizontal distance of ankles from the clean motion; the lock changes the height of the floor."""
    errors = [(m.ankles - take.positions(*ANKLES))[..., [0, 2]].reshape(-1, 2) for take, m in motions]
    return [float(error) for error in np.linalg.norm(np.concatenate(errors), axis=-1) * 1e3]


def _row(name: str, noise_mm: float, unit: str) -> tuple[str, str]:
    return f"{noise_mm:.0f} mm: {name}", unit


def _points(take: Take, names: tuple[str, str]) -> tuple[str, str]:
    return names if names[0] in take.joints else ANKLES


def _slides(runs: Sequence[LockResult], which: str, names: tuple[str, str]) -> list[float]:
    slides = []
    for run in runs:
        points = _points(run.take, names)
        contact = run.take.in_contact(*points) & run.take.in_contact(*_points(run.take, TIPS))
        motion: AvatarMotion = getattr(run, which)
        slides.append(sliding_m_s(motion.tips if points == TIPS else motion.ankles, contact, run.take.rate_hz))
    return [float(slide) for slide in np.concatenate(slides)]


def stepper() -> Callable[[], object]:
    """Returns a function that runs the foot lock on the next frame of the simulated person."""
    names, xyz = with_landmarks(np.stack([pose(i / RATE_HZ) for i in range(600)]))
    score, column = np.ones(len(names)), {name: i for i, name in enumerate(names)}
    rest = rest_pose(names, xyz, np.ones(xyz.shape[:2]), HEIGHT_M)
    retargeter, lock, steps = Retargeter(rest, names), FootLock(rest), count()
    t_ns = [int(i * 1e9 / RATE_HZ) for i in range(len(xyz))]
    poses = [retargeter.step(t, joints, score) for t, joints in zip(t_ns, xyz, strict=True)]

    def step() -> object:
        i = next(steps) % len(xyz)
        return lock.step(t_ns[i], *poses[i], xyz[i], score, column, solved=True)

    return step


def arguments() -> argparse.Namespace:
    """Returns the command line arguments."""
    out = parser(__doc__)
    out.add_argument("--motion", type=Path, metavar="F", help="motion file, npz")
    out.add_argument("--feet", type=Path, metavar="F", help="file of its further joints, npz")
    out.add_argument("--every", type=int, default=1, metavar="N", help="every Nth clip")
    out.add_argument("--seconds", type=float, default=20.0, metavar="S", help="maximum of each clip")
    return out.parse_args()


def main() -> None:
    """Measures."""
    args = arguments()
    report = Report.begin(args)
    warm_up, repeats = (2, 10) if args.quick else (200, 5000)
    report.add("step", "ms", time_ms(stepper(), warm_up, repeats), "< 0.1")
    if args.motion:
        all_takes = list(takes(args.motion, args.feet, args.every))[: 2 if args.quick else None]
        for noise_mm in NOISE_MM:
            rng, length = np.random.default_rng(1), int(args.seconds * RATE_HZ)
            cut = [Take(take.joints, take.rate_hz, take.xyz[:length]) for take in all_takes]
            captured(report, [lock_feet(take, take.noisy(noise_mm * 1e-3, rng)) for take in cut], noise_mm)
    report.finish(args.json)


if __name__ == "__main__":
    main()
