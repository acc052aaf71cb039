"""Single-view accuracy before and after fine-tuning on one minute of a person's own session.

    python -m benchmarks.training.fine_tuning MOTION*.npz                                simulated minutes
    python -m benchmarks.training.fine_tuning --keypoints kp.npz --reference ref.npz     a real take
    python -m benchmarks.training.fine_tuning --noise                                    random keypoints: rejected

The session goes through the rig without calibration or ground truth; the lifter is fine-tuned on four fifths of the
fused poses, and evaluated on the rest: mean PA-MPJPE of single-view lifts over the limb joints, against
ground truth. With --ceiling it is also fine-tuned on the ground truth in place of the fused poses: what exact
pseudo-labels would give.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.accuracy.movement import moving_clips
from benchmarks.accuracy.reference import Reference
from benchmarks.accuracy.similarity import Similarity
from benchmarks.accuracy.simulated_rigs import RigTake, rig_take
from benchmarks.contract import Report, parser
from pose_rig.arrays import Floats
from pose_rig.errors import PoseRigError
from pose_rig.lifting.checkpoint import load
from pose_rig.lifting.engine import DEFAULT_WEIGHTS, OrtEngine
from pose_rig.lifting.model import Lifter
from pose_rig.simulation.clips import load_clips
from pose_rig.simulation.motion import split
from pose_rig.skeleton import JOINT_SET, LIMBS
from pose_rig.training.evaluation.evaluation import lift
from pose_rig.training.evaluation.metrics import pmpjpe
from pose_rig.training.finetune import DEFAULT_JOB, MIN_VISIBLE_JOINTS, FinetuneResult, fine_tune
from pose_rig.training.footage.footage import Footage
from pose_rig.training.footage.recorded import RecordedFootage, recordings
from pose_rig.training.pseudo_labels import split_frames
from pose_rig.training.run_folder import RunFolder

SECONDS = 60.0
VIEWS = 4
WANTED = "≤ 0.75"


def session(take: RigTake, path: Path) -> Path:
    """Writes the detections as a keypoint file."""
    t_ns = np.array([take.t_ns(t) for t in range(take.take.xy_px.shape[1])])
    np.savez(
        path, xy=take.take.xy_px.astype(np.float32), score=take.take.score.astype(np.float32),
        t_ns=np.tile(t_ns, (len(take.take.xy_px), 1)), landmarks=JOINT_SET, size_px=take.take.cameras.size_px,
    )  # fmt: skip
    return path


def noise(path: Path, rng: np.random.Generator) -> Path:
    """Writes a minute of random keypoints."""
    count = round(SECONDS * 30)
    np.savez(
        path, xy=rng.uniform(0, 700, (VIEWS, count, 17, 2)), score=rng.uniform(0.3, 1, (VIEWS, count, 17)),
        t_ns=np.tile(np.arange(count) * 33_333_333, (VIEWS, 1)), landmarks=JOINT_SET,
        size_px=np.tile([1280, 720], (VIEWS, 1)),
    )  # fmt: skip
    return path


@dataclass(frozen=True, slots=True)
class Case:
    """A session and its ground truth.

    Attributes:
        name: Name in the table.
        path: Keypoint file.
        joints: (T,17,3) m in any axes, NaN = unknown.
        fps: Frame rate of the joints.
    """

    name: str
    path: Path
    joints: Floats
    fps: float

    def truth(self, recorded: RecordedFootage) -> Floats:
        """Returns (N,17,3) m the ground truth of the frames of the session."""
        t = np.round(recorded.t_ns / 1e9 * self.fps).astype(int)
        return np.asarray(self.joints[np.clip(t, 0, len(self.joints) - 1)])

    def validation(self, recorded: RecordedFootage) -> tuple[Footage, Floats]:
        """Returns the validation footage, and the ground truth of its frames."""
        _, validation = split_frames(recorded.footage.frames)
        return recorded.footage.at(validation), self.truth(recorded)[validation]


def tune(recorded: RecordedFootage, *, quick: bool) -> FinetuneResult:
    """Fine-tunes the shipped lifter on a session."""
    job = replace(DEFAULT_JOB, steps=5, check=5) if quick else DEFAULT_JOB
    with TemporaryDirectory() as folder, RunFolder(Path(folder) / "run", job) as place:
        return fine_tune([recorded], load(DEFAULT_WEIGHTS)[0], job, place)


def with_labels(recorded: RecordedFootage, truth: Floats) -> RecordedFootage:
    """Returns the session with the truth (N,17,3) as its poses, in place and size of the fused ones; NaN = unknown."""
    poses = np.full(recorded.poses.shape, np.nan, np.float32)
    for t, (fused, true) in enumerate(zip(recorded.poses, truth, strict=True)):
        known = np.isfinite(fused).all(1) & np.isfinite(true).all(1)
        if known[list(LIMBS)].all() and np.isfinite(true).all():
            poses[t] = Similarity.fit(true[known], fused[known])(true)
    return replace(recorded, poses=poses)


def error_mm(lifter: Lifter, validation: Footage, truth: Floats) -> float:
    """Returns the mean PA-MPJPE of single-view lifts (T,V) of footage, where enough joints are visible."""
    known = np.asarray(np.isfinite(truth).all((1, 2)))
    visible = ((validation.score > 0).sum(-1) >= MIN_VISIBLE_JOINTS) & known[:, None]
    t, _ = np.nonzero(visible)
    joints = list(LIMBS)
    return float(1000 * pmpjpe(lift(lifter, validation)[visible][:, joints], truth[t][:, joints]).mean())


def cases(args: argparse.Namespace, folder: Path) -> Iterator[Case]:
    """Yields the sessions."""
    if args.reference:
        reference = Reference.load(args.reference)
        yield Case(args.keypoints.stem, args.keypoints, reference.joints, reference.fps)
    if args.motion:
        _, validation = split(load_clips(args.motion))
        for number in range(args.people):
            made = rig_take(
                moving_clips(validation),
                VIEWS,
                6.0 if args.quick else SECONDS,
                np.random.default_rng([args.seed, number]),
            )
            yield Case(f"person {number}", session(made, folder / f"{number}.npz"), made.take.joints, made.take.fps)


def main() -> None:
    """Fine-tunes and evaluates."""
    arguments = parser(__doc__)
    arguments.add_argument("motion", nargs="*", type=Path, help="motion files (docs/training.md)")
    arguments.add_argument("--people", type=int, default=3, help="simulated minutes")
    arguments.add_argument("--keypoints", type=Path, help="of a real take")
    arguments.add_argument("--reference", type=Path, help="ground truth (benchmarks/README.md)")
    arguments.add_argument("--noise", action="store_true", help="a minute of random keypoints")
    arguments.add_argument("--ceiling", action="store_true", help="fine-tune on the ground truth too")
    arguments.add_argument("--seed", type=int, default=0)
    args = arguments.parse_args()
    report = Report.begin(args)
    engine = OrtEngine(provider="cpu")
    with TemporaryDirectory() as name:
        for case in cases(args, Path(name)):
            recorded = recordings([case.path], engine)[0]
            tuned = tune(recorded, quick=args.quick)
            before = error_mm(load(DEFAULT_WEIGHTS)[0], *case.validation(recorded))
            after = error_mm(tuned.training.lifter, *case.validation(recorded))
            print(case.name, tuned.before, tuned.after, tuned.rejection or "accepted", flush=True)
            report.add(f"{case.name}: before", "mm", [before])
            report.add(f"{case.name}: after", "mm", [after])
            report.add(f"{case.name}: ratio", "", [after / before], WANTED)
            if args.ceiling:
                best = tune(with_labels(recorded, case.truth(recorded)), quick=args.quick)
                ceiling = error_mm(best.training.lifter, *case.validation(recorded))
                report.add(f"{case.name}: learned from the truth", "", [ceiling / before])
        if args.noise:
            try:
                rejected = tune(
                    recordings([noise(Path(name) / "noise.npz", np.random.default_rng(args.seed))], engine)[0],
                    quick=args.quick,
                ).rejection
            except PoseRigError as error:
                rejected = str(error)
            print("noise:", rejected or "ACCEPTED", flush=True)
            report.add("noise refused", "", [float(bool(rejected))], "1")
    report.finish(args.json)


if __name__ == "__main__":
    main()
