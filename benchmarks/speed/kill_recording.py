"""What can be recovered of a recording after kill -9 at random times.

    python -m benchmarks.speed.kill_recording --json kill.json

`pose-rig record` of four simulated cameras. Either all its processes are killed at once, or the recorder, the fusion or
a camera, in which case the rig continues. A subscriber receives the poses meanwhile: they must be in the recovered
session, bit for bit, up to a second before the kill. Every frame number of every camera must be there too, or be listed
as missing by a gap.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from benchmarks.contract import Report, parser
from benchmarks.live_run import run_live, simulated_cameras
from pose_rig.config import Config
from pose_rig.errors import PoseRigError
from pose_rig.session.mcap.recover import find, recover
from pose_rig.session.reader import Session
from pose_rig.tools.terminal.status import RunStatus
from pose_rig.wire.bus import Receiver
from pose_rig.wire.messages import Keypoints2D, Message, Pose3D
from pose_rig.wire.records import Gap

CAMERAS = 4
MAX_MISSING_S = 1.0
MIN_WAIT_S, MAX_WAIT_S = 0.2, 8.0  # after the first pose
CONTINUE_S = 4.0  # after one process was killed
START_S = 60.0
COMMAND = f"-m pose_rig.tools.cli.app run --cams sim:{CAMERAS} --headless --port 0".split()


@dataclass(slots=True)
class Outcome:
    """Result of one recording.

    Attributes:
        missing_s: Time from the last pose, and the last frame of every camera, to the kill; the maximum.
        faults: Faults of the recovered session, in words.
    """

    missing_s: float = 0.0
    faults: list[str] = field(default_factory=list)


def kill_all(path: Path, wait_s: float) -> Outcome:
    """Returns the result when all processes are killed at once."""
    command = [sys.executable, *COMMAND, "--record", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as rig:
        try:
            received, killed_ns = _receive_poses(rig, wait_s)
        finally:
            os.killpg(rig.pid, signal.SIGKILL)
    return check([path], received, killed_ns)


def _receive_poses(rig: "subprocess.Popen[str]", wait_s: float) -> tuple[list[Pose3D], int]:
    """Returns the poses of a rig until ``wait_s`` after the first one, and the time of the end."""
    received: list[Pose3D] = []
    for line in rig.stdout or ():
        if "Poses on " in line:
            with Receiver(line.split("Poses on ")[1].strip().rstrip("."), topics=("pose",)) as receiver:
                end_s = time.monotonic() + START_S
                while time.monotonic() < end_s:
                    got = [message for message in receiver.receive(5) if isinstance(message, Pose3D)]
                    if got and not received:
                        end_s = time.monotonic() + wait_s
                    received += got
            break
    if not received:
        raise PoseRigError("The rig published no pose.", "Run it by hand.")
    return received, time.monotonic_ns()


def kill_one(path: Path, wait_s: float, worker: str) -> Outcome:
    """Returns the result when one process is killed and the others continue."""
    first_ns, killed_ns = 0, 0

    def on_status(now_ns: int, status: RunStatus) -> None:
        nonlocal first_ns, killed_ns
        first_ns = first_ns or (now_ns if status.telemetry.poses else 0)
        running = status.states[worker].running
        if first_ns and not killed_ns and now_ns - first_ns > wait_s * 1e9 and running and running.process.pid:
            killed_ns = time.monotonic_ns()
            os.kill(running.process.pid, signal.SIGKILL)

    duration_s = wait_s + CONTINUE_S + 2
    run_live(Config(camera=simulated_cameras(CAMERAS), port=0, record=str(path), duration_s=duration_s), on_status)
    paths = [path, path.with_name(f"{path.stem}-2.mcap")] if worker == "recorder" else [path]
    return check(paths, [], killed_ns)


def check(paths: Sequence[Path], received: Sequence[Pose3D], killed_ns: int) -> Outcome:
    """Returns the missing time and the faults of the recordings of one run.

    Args:
        paths: The recordings in order; the first was written when the process was killed.
        received: Poses that the subscriber received.
        killed_ns: Time of the kill, rig clock.
    """
    out = Outcome()
    try:
        recovered = recover(find(paths[0]))
        again = recover(find(paths[0]))
        with Session(recovered.path) as session:
            messages = list(session.messages())
            cameras, damaged = session.cameras, session.damaged + recovered.damaged_chunks
        rest = [message for path in paths[1:] for message in Session(path).messages()]
    except PoseRigError as error:
        return Outcome(float("inf"), [error.cause])
    if again.path != recovered.path or again.written or damaged:
        out.faults.append(f"recovered again: {again.written}, damaged: {damaged}")
    before = [message for message in messages if getattr(message, "t_ns", 0) <= killed_ns]
    streams = {camera: [m for m in before if isinstance(m, Keypoints2D) and m.camera == camera] for camera in cameras}
    poses = [message for message in before if isinstance(message, Pose3D)]
    newest_ns = [max((m.t_ns for m in stream), default=0) for stream in streams.values()]
    newest_ns.append(max((pose.t_ns for pose in poses), default=0))
    out.missing_s = (killed_ns - min(newest_ns)) * 1e-9
    out.faults += _missing_frames(streams, [message for message in before if isinstance(message, Gap)])
    if [pose.index for pose in poses] != list(range(len(poses))):
        out.faults.append("poses are missing in between")
    out.faults += _different_poses(poses, received, killed_ns - round(MAX_MISSING_S * 1e9))
    if len(paths) > 1 and not any(isinstance(message, Pose3D) for message in rest):
        out.faults.append("nothing was recorded afterwards")
    if len(paths) == 1 and not received and not any(isinstance(m, Pose3D) and m.t_ns > killed_ns for m in messages):
        out.faults.append("no pose was recorded afterwards")
    return out


def _missing_frames(streams: dict[str, list[Keypoints2D]], gaps: Sequence[Gap]) -> list[str]:
    """Returns the jumps in frame numbers that no gap lists."""
    listed = {(gap.source, gap.from_ns, gap.t_ns): gap.missing for gap in gaps if gap.what == "frames"}
    return [
        f"{camera}: {after.index - before.index - 1} frames are missing"
        for camera, stream in streams.items()
        for before, after in pairwise(stream)
        if after.index != before.index + 1
        and listed.get((camera, before.t_ns, after.t_ns)) != after.index - before.index - 1
    ]


def _different_poses(poses: Sequence[Message], received: Sequence[Pose3D], until_ns: int) -> list[str]:
    """Returns the received poses up to a time that are missing in the recording, or not identical."""
    recorded = {pose.index: pose.xyz.tobytes() for pose in poses if isinstance(pose, Pose3D)}
    lost = [pose for pose in received if pose.t_ns <= until_ns and recorded.get(pose.index) != pose.xyz.tobytes()]
    return [f"{len(lost)} received poses are missing or different"] if lost else []


def main() -> None:
    """Measures."""
    arguments = parser(__doc__)
    arguments.add_argument("--kills", type=int, default=20, help="of all processes; a quarter as many of each kind")
    arguments.add_argument("--seed", type=int, default=0)
    args = arguments.parse_args()
    report = Report.begin(args)
    draw = random.Random(args.seed)  # noqa: S311
    kills = 1 if args.quick else args.kills
    one: dict[str, Callable[[Path, float], Outcome]] = {
        worker: lambda path, wait_s, worker=worker: kill_one(path, wait_s, worker)  # type: ignore[misc]
        for worker in ("recorder", "fusion", "sim1")
    }
    for kind, kill in ({"all processes": kill_all} | one).items():
        outcomes = []
        for number in range(kills if kind == "all processes" else max(kills // 4, 1)):
            wait_s = draw.uniform(MIN_WAIT_S, MAX_WAIT_S)
            with tempfile.TemporaryDirectory() as folder:
                outcomes.append(kill(Path(folder) / "take.mcap", wait_s))
            print(f"{kind} {number}: after {wait_s:.2f} s, {outcomes[-1]}", flush=True)
        report.add(f"{kind}: missing before the kill", "s", [outcome.missing_s for outcome in outcomes])
        worst = max(outcome.missing_s for outcome in outcomes)
        report.add(f"{kind}: maximum", "s", [worst], f"≤ {MAX_MISSING_S:g}")
        report.add(f"{kind}: with faults", "recordings", [sum(bool(o.faults) for o in outcomes)], "0")
    report.finish(args.json)


if __name__ == "__main__":
    main()
