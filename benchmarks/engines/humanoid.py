"""Retargeting to the humanoid: time per step, and distance of the humanoid's joints from the measured ones.

    python -m benchmarks.engines.humanoid --json humanoid.json
    python -m benchmarks.engines.humanoid --motion clips.npz

Steps are those of the simulated person, who walks, without and with landmarks of hands, feet and face. With motion
files also: distance of the humanoid's joints from the measured ones, and the largest rotation of a bone between two
frames.
"""

from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.contract import Report, parser, time_ms
from pose_rig.arrays import Floats
from pose_rig.capture.simulated import pose
from pose_rig.humanoid.bones import INDEX, JOINT_OF, Motion, forward_kinematics
from pose_rig.humanoid.rest_pose import rest_pose
from pose_rig.humanoid.retarget import Retargeter, retarget
from pose_rig.simulation.clips import load_clips
from pose_rig.skeleton import JOINTS

HEIGHT_M = 1.7
RATE_HZ = 60.0
# landmark → joint, and offset from it, m
LANDMARKS = {
    "index": ("wrist", (0.0, -0.08, 0.02)), "pinky": ("wrist", (0.0, -0.08, -0.02)),
    "thumb": ("wrist", (0.0, -0.04, 0.05)), "heel": ("ankle", (0.0, -0.07, -0.06)),
    "foot_index": ("ankle", (0.0, -0.07, 0.15)),
}  # fmt: skip
FACE = {"left_ear": (0.07, 0.0, 0.0), "right_ear": (-0.07, 0.0, 0.0)}


def with_landmarks(xyz: Floats) -> tuple[tuple[str, ...], Floats]:
    """Returns names (J) and positions (T,J,3) m of joints and landmarks, from those of the 17 joints (T,17,3)."""
    names, positions = list(JOINTS), [xyz]
    for side in ("left", "right"):
        for name, (joint, offset) in LANDMARKS.items():
            names.append(f"{side}_{name}")
            positions.append(xyz[:, [JOINTS.index(f"{side[0]}_{joint}")]] + np.array(offset))
    for name, offset in FACE.items():
        names.append(name)
        positions.append(xyz[:, [JOINTS.index("head")]] + np.array(offset))
    return tuple(names), np.concatenate(positions, 1)


def stepper(joints: tuple[str, ...], xyz: Floats) -> Callable[[], object]:
    """Returns a function that retargets the next frame of joints (T,J,3), in a loop."""
    score = np.ones(xyz.shape[:2])
    retargeter = Retargeter(rest_pose(joints, xyz, score, HEIGHT_M), joints)
    steps = count()

    def step() -> object:
        i = next(steps)
        return retargeter.step(int(i * 1e9 / RATE_HZ), xyz[i % len(xyz)], score[0])

    return step


def errors_mm(xyz: NDArray[np.floating], motion: Motion) -> Floats:
    """Returns (T×12) the distance of the humanoid's joints from the measured ones (T,17,3)."""
    start, _ = forward_kinematics(motion.rest, motion.root, motion.rotation)
    errors = [start[:, INDEX[b]] - xyz[:, JOINTS.index(j)] for b, j in JOINT_OF.items() if b != "Hips"]
    return np.asarray(np.linalg.norm(np.concatenate(errors), axis=-1) * 1e3)


def captured(report: Report, paths: Sequence[Path], *, quick: bool) -> None:
    """Adds the figures of motion files."""
    errors, steps = [], []
    for clip in load_clips(paths)[: 2 if quick else None]:
        xyz = clip.joints + clip.root[:, None]
        t_ns = np.round(np.arange(len(xyz)) * (1e9 / clip.fps)).astype(np.int64)
        motion = retarget(JOINTS, t_ns, xyz, np.ones(xyz.shape[:2]))
        errors.append(errors_mm(xyz, motion))
        cosine = np.abs((motion.rotation[1:] * motion.rotation[:-1]).sum(-1)).min()
        steps.append(float(np.degrees(2 * np.arccos(min(cosine, 1.0)))))
    all_errors = np.concatenate(errors)
    report.add("joint error", "mm", all_errors.tolist(), "≤ 15")
    report.add("joint error, 95th percentile", "mm", [float(np.percentile(all_errors, 95))])
    report.add("largest step of a bone in a clip", "°", steps)
    report.add("largest step of a bone", "°", [max(steps)], "≤ 60")


def main() -> None:
    """Measures."""
    arguments = parser(__doc__)
    arguments.add_argument("--motion", type=Path, nargs="*", default=[], metavar="F", help="motion files, npz")
    args = arguments.parse_args()
    report = Report.begin(args)
    warm_up, repeats = (2, 10) if args.quick else (200, 5000)
    walk = np.stack([pose(i / RATE_HZ) for i in range(600)])
    for name, (joints, xyz) in {"17 joints": (JOINTS, walk), "with landmarks": with_landmarks(walk)}.items():
        report.add(f"step, {name}", "ms", time_ms(stepper(joints, xyz), warm_up, repeats), "< 1")
    if args.motion:
        captured(report, args.motion, quick=args.quick)
    report.finish(args.json)


if __name__ == "__main__":
    main()
