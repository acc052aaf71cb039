"""A rig whose cameras are partly of another machine, compared with the same rig on one machine, in real processes.

    python -m benchmarks.live.remote_cameras --motion CMU.npz --rigs 3

Every rig is random, as in `benchmarks.accuracy.self_solve`, with a biased detector. Its keypoints are files that are
played in real time twice: by cameras of the rig, and once more with some of them sent by `pose-rig camera`'s process,
whose clock is 3.7 s ahead and 50 ppm too fast. PA is the mean error of the poses of limbs after a similarity per time
step, from `FROM_S` on. The error of remote times is that of the recorded ones: against the times in the file, which the
other clock plays, from the start of the run.
"""

import argparse
import multiprocessing
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.accuracy.movement import FPS, moving_clips
from benchmarks.accuracy.rig_options import add_motion_options, motion_clips
from benchmarks.accuracy.simulated_rigs import RigTake, rig_take
from benchmarks.contract import Report, parser
from pose_rig.arrays import Floats
from pose_rig.config import CameraConfig, Config, FusionConfig
from pose_rig.remote.key import curve_keys, machine_key
from pose_rig.session.reader import Session
from pose_rig.skeleton import INDEX, JOINT_SET
from pose_rig.tools.terminal.remote_camera import send_camera
from pose_rig.tools.terminal.run_loop import Run
from pose_rig.tools.terminal.status import RunStatus
from pose_rig.tools.workers.plan import plan
from pose_rig.training.evaluation.metrics import pmpjpe
from pose_rig.wire.messages import Health, Keypoints2D, Pose3D

SHIFT_NS, RATE = 3_700_000_000, 50e-6
START_WAIT_S, END_WAIT_S = 120.0, 20.0  # for processes on a busy machine
FROM_S = 10.0  # of the take, when both rigs are solved
LIMB = [INDEX[f"{side}_{part}"] for side in "lr" for part in
        ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")]  # fmt: skip


class OtherClock:
    """A monotonic clock that is ahead and too fast."""

    def monotonic_ns(self) -> int:
        """The clock."""
        now_ns = time.monotonic_ns()
        return now_ns + SHIFT_NS + round(now_ns * RATE)

    def sleep(self, seconds: float, /) -> None:
        """Waits."""
        time.sleep(seconds / (1 + RATE))


@dataclass(frozen=True, slots=True)
class LiveResult:
    """What one run gave.

    Attributes:
        pa_mm: Mean error of the poses.
        solved: Share of the poses from `FROM_S` on that are solved.
        time_error_s: (N,) of the keypoints of remote cameras.
        bounds_s: (M,) stated uncertainties of the clocks.
        refused: Connections that were refused.
    """

    pa_mm: float
    solved: float
    time_error_s: Floats
    bounds_s: Floats
    refused: int


def write_files(take: RigTake, folder: Path) -> list[Path]:
    """Writes the detections of each camera as a file of keypoints; returns the paths."""
    paths = []
    for view, (xy, score) in enumerate(zip(take.take.xy_px, take.take.score, strict=True)):
        t_ns = np.array([[take.t_ns(frame) for frame in range(len(xy))]])
        paths.append(folder / f"cam{view}.npz")
        np.savez(
            paths[-1], xy=xy[None], score=score[None], t_ns=t_ns, landmarks=JOINT_SET,
            size_px=take.take.cameras.size_px[view : view + 1].astype(int), cameras=[f"cam{view}"],
        )  # fmt: skip
    return paths


def send(path: Path, name: str, rig: str, key: str) -> None:
    """What `pose-rig camera` does on another machine."""
    camera = CameraConfig(source=str(path), name=name, members=1)
    send_camera(Config(camera=(camera,)), rig, curve_keys(key), headless=True, debug=False, clock=OtherClock())


def run_live(take: RigTake, paths: list[Path], remote: int, session: Path) -> LiveResult:
    """Returns the result of a run in which the last ``remote`` cameras are of another machine."""
    here, there = paths[: len(paths) - remote], paths[len(paths) - remote :]
    cameras = [CameraConfig(source=str(path), name=path.stem) for path in here]
    cameras += [CameraConfig(source=f"remote:{path.stem}", name=path.stem) for path in there]
    fusion = FusionConfig(rate_hz=FPS)
    config = Config(camera=tuple(cameras), height_m=take.height_m, port=0, record=str(session), fusion=fusion)
    ready = plan(config, "")
    rig = ready.gateway.endpoint if ready.gateway else ""
    spawn = multiprocessing.get_context("spawn")
    senders = [spawn.Process(target=send, args=(path, path.stem, rig, machine_key())) for path in there]
    for sender in senders:
        sender.start()
    Run(ready, Quiet(), start_wait_s=START_WAIT_S).run()
    for sender in senders:
        sender.join(END_WAIT_S)
        sender.kill()
    return scored(take, session, [path.stem for path in there])


class Quiet:
    """A display that shows nothing."""

    def print(self, text: str) -> None:
        """Does nothing."""

    def update(self, status: RunStatus) -> None:
        """Does nothing."""


def scored(take: RigTake, session: Path, remote: list[str]) -> LiveResult:
    """Returns the result of a recorded run."""
    with Session(session) as file:
        messages = list(file.messages((Keypoints2D.TOPIC, Pose3D.TOPIC, Health.TOPIC)))
    frames = [one for one in messages if isinstance(one, Keypoints2D)]
    start_ns = int(np.median([one.t_ns - take.t_ns(one.index) for one in frames if one.camera == "cam0"]))
    poses = [one for one in messages if isinstance(one, Pose3D) and one.t_ns - start_ns >= FROM_S * 1e9]
    times = np.array([(one.t_ns - start_ns) * 1e-9 for one in poses])
    inside = times < (len(take.take.joints) - 1) / FPS
    errors = pmpjpe(
        np.stack([one.xyz[LIMB] for one in poses]).astype(float)[inside], _truth(take, times[inside])[:, LIMB]
    )
    sent = [one for one in frames if one.camera in remote]
    # the file is played by the other clock: its second is shorter by RATE
    due_ns = [start_ns + take.t_ns(one.index) / (1 + RATE) for one in sent]
    health = [one for one in messages if isinstance(one, Health)]
    bounds = [one.clock_uncertainty_s for one in health if one.clock_uncertainty_s is not None]
    return LiveResult(
        pa_mm=1e3 * float(np.mean(errors)),
        solved=float(np.mean([one.mode == "solved" for one in poses])),
        time_error_s=np.array([one.t_ns - due for one, due in zip(sent, due_ns, strict=True)]) * 1e-9,
        bounds_s=np.array(bounds),
        refused=max((one.refused for one in health), default=0),
    )


def _truth(take: RigTake, times_s: Floats) -> Floats:
    """Returns (N,J,3) m, the true pose at times."""
    frame = times_s * FPS
    before, share = frame.astype(int), (frame % 1)[:, None, None]
    return np.asarray((1 - share) * take.take.joints[before] + share * take.take.joints[before + 1])


def main() -> None:
    """Runs the benchmark."""
    arguments = parser(__doc__)
    add_motion_options(arguments, required=True)
    arguments.add_argument("--rigs", type=int, default=3)
    arguments.add_argument("--views", type=int, default=4)
    arguments.add_argument("--remote", type=int, default=2, help="how many cameras are of another machine")
    arguments.add_argument("--seconds", type=float, default=25.0)
    arguments.add_argument("--seed", type=int, default=0)
    args = arguments.parse_args()
    measure(args)


def measure(args: argparse.Namespace) -> None:
    """Runs every rig both ways, and prints the figures."""
    report, clips = Report.begin(args), moving_clips(motion_clips(args))
    ratios, pa, errors, bounds = [], [], [], []
    for case in range(1 if args.quick else args.rigs):
        take = rig_take(clips, args.views, args.seconds, np.random.default_rng([args.seed, case]), biased=True)
        with tempfile.TemporaryDirectory() as folder:
            os.environ["XDG_CONFIG_HOME"] = folder  # a key of its own
            paths = write_files(take, Path(folder))
            alone = run_live(take, paths, 0, Path(folder) / "alone.mcap")
            mixed = run_live(take, paths, args.remote, Path(folder) / "mixed.mcap")
        ratios.append(mixed.pa_mm / alone.pa_mm)
        pa.append(mixed.pa_mm)
        errors += np.abs(mixed.time_error_s).tolist()
        bounds += mixed.bounds_s.tolist()
        print(
            f"rig {case}: PA {alone.pa_mm:.1f} mm on one machine (solved {alone.solved:.0%}), "
            f"{mixed.pa_mm:.1f} mm with {args.remote} remote cameras (solved {mixed.solved:.0%}); times off by at most "
            f"{1e3 * np.abs(mixed.time_error_s).max():.2f} ms",
            flush=True,
        )
    report.add("PA with remote cameras", "mm", pa)
    report.add("ratio to one machine", "", ratios, "≤ 1.05")
    report.add("error of remote times", "ms", [1e3 * one for one in errors])
    report.add("stated uncertainty", "ms", [1e3 * one for one in bounds])
    report.finish(args.json)


if __name__ == "__main__":
    main()
