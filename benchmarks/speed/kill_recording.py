"""What is left of a recording after kill -9 at random instants.

    python -m benchmarks.speed.kill_recording --json kill.json

`pose-rig record` of four simulated cameras. Killed are: all its processes at once, or the recorder, the fusion or a
camera alone, in which case the rig goes on. Somebody else listens to the poses meanwhile: what was heard must be in the
recovered session, bit by bit, up to a second before the kill. Every frame number of every camera must be there too, or
be told to be missing by a gap.
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
from benchmarks.live_run import run_live
from pose_rig.config import CameraConfig, Config
from pose_rig.errors import PoseRigError
from pose_rig.session.mcap.recover import find, recover
from pose_rig.session.reader import Session
from pose_rig.tools.terminal.status import RunStatus
from pose_rig.wire.bus import Receiver
from pose_rig.wire.messages import Keypoints2D, Message, Pose3D
from pose_rig.wire.records import Gap

CAMERAS = 4
ALLOWED_S = 1.0
FIRST_S, LAST_S = 0.2, 8.0  # after the first pose
GOES_ON_S = 4.0  # after one process was killed
START_S = 60.0
RECORD = (
    sys.executable,
    "-m",
    "pose_rig.tools.cli.app",
    "run",
    "--cams",
    f"sim:{CAMERAS}",
    "--headless",
    "--port",
    "0",
)


@dataclass(slots=True)
class Outcome:
    """What became of one recording.

    Attributes:
        missing_s: From the last pose, and the last frame of every camera, to the kill; the worst of them.
        wrong: What should not be, in words; nothing if all is well.
    """

    missing_s: float = 0.0
    wrong: list[str] = field(default_factory=list)


def kill_all(path: Path, wait_s: float) -> Outcome:
    """Returns what is left when all processes die at once."""
    command = (*RECORD, "--record", str(path))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as rig:
        try:
            heard, killed_ns = _listen(rig, wait_s)
        finally:
            os.killpg(rig.pid, signal.SIGKILL)
    return judge([path], heard, killed_ns)


def _listen(rig: "subprocess.Popen[str]", wait_s: float) -> tuple[list[Pose3D], int]:
    """Returns what was heard of a rig up to so long after its first pose, and when that was over."""
    heard: list[Pose3D] = []
    for line in rig.stdout or ():
        if "Poses on " in line:
            with Receiver(line.split("Poses on ")[1].strip().rstrip("."), topics=("pose",)) as receiver:
                end_s = time.monotonic() + START_S
                while time.monotonic() < end_s:
                    got = [message for message in receiver.receive(5) if isinstance(message, Pose3D)]
                    if got and not heard:
                        end_s = time.monotonic() + wait_s
                    heard += got
            break
    if not heard:
        raise PoseRigError("The rig said nothing.", "Run it by hand.")
    return heard, time.monotonic_ns()


def kill_one(path: Path, wait_s: float, worker: str) -> Outcome:
    """Returns what is left when one process dies; the others go on."""
    first_ns, killed_ns = 0, 0

    def look_on(now_ns: int, status: RunStatus) -> None:
        nonlocal first_ns, killed_ns
        first_ns = first_ns or (now_ns if status.telemetry.poses else 0)
        running = status.states[worker].running
        if first_ns and not killed_ns and now_ns - first_ns > wait_s * 1e9 and running and running.process.pid:
            killed_ns = time.monotonic_ns()
            os.kill(running.process.pid, signal.SIGKILL)

    members = tuple(CameraConfig(source="sim", name=f"sim{i}", member=i, members=CAMERAS) for i in range(CAMERAS))
    run_live(Config(camera=members, port=0, record=str(path), duration_s=wait_s + GOES_ON_S + 2), look_on)
    paths = [path, path.with_name(f"{path.stem}-2.mcap")] if worker == "recorder" else [path]
    return judge(paths, [], killed_ns)


def judge(paths: Sequence[Path], heard: Sequence[Pose3D], killed_ns: int) -> Outcome:
    """Returns how much the recordings of one run lack, and what is wrong with them.

    Args:
        paths: The recordings, in their order; the first was there when the process died.
        heard: Poses that somebody else heard.
        killed_ns: When it died, rig clock.
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
        out.wrong.append(f"recovered again: {again.written}, damaged: {damaged}")
    before = [message for message in messages if getattr(message, "t_ns", 0) <= killed_ns]
    streams = {camera: [m for m in before if isinstance(m, Keypoints2D) and m.camera == camera] for camera in cameras}
    poses = [message for message in before if isinstance(message, Pose3D)]
    newest_ns = [max((m.t_ns for m in stream), default=0) for stream in streams.values()]
    newest_ns.append(max((pose.t_ns for pose in poses), default=0))
    out.missing_s = (killed_ns - min(newest_ns)) * 1e-9
    out.wrong += _holes(streams, [message for message in before if isinstance(message, Gap)])
    if [pose.index for pose in poses] != list(range(len(poses))):
        out.wrong.append("poses are missing in between")
    out.wrong += _unlike(poses, heard, killed_ns - round(ALLOWED_S * 1e9))
    if len(paths) > 1 and not any(isinstance(message, Pose3D) for message in rest):
        out.wrong.append("nothing was recorded afterwards")
    if len(paths) == 1 and not heard and not any(isinstance(m, Pose3D) and m.t_ns > killed_ns for m in messages):
        out.wrong.append("no pose was recorded afterwards")
    return out


def _holes(streams: dict[str, list[Keypoints2D]], gaps: Sequence[Gap]) -> list[str]:
    """Returns the jumps in frame numbers that no gap tells of."""
    told = {(gap.source, gap.from_ns, gap.t_ns): gap.missing for gap in gaps if gap.what == "frames"}
    return [
        f"{camera}: {after.index - before.index - 1} frames are missing"
        for camera, stream in streams.items()
        for before, after in pairwise(stream)
        if after.index != before.index + 1
        and told.get((camera, before.t_ns, after.t_ns)) != after.index - before.index - 1
    ]


def _unlike(poses: Sequence[Message], heard: Sequence[Pose3D], until_ns: int) -> list[str]:
    """Returns the poses heard up to an instant that are not, or not to the last bit, in the recording."""
    recorded = {pose.index: pose.xyz.tobytes() for pose in poses if isinstance(pose, Pose3D)}
    lost = [pose for pose in heard if pose.t_ns <= until_ns and recorded.get(pose.index) != pose.xyz.tobytes()]
    return [f"{len(lost)} poses that were heard are not in it"] if lost else []


def main() -> None:
    """Kills."""
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
    for kind, strike in ({"all processes": kill_all} | one).items():
        outcomes = []
        for number in range(kills if kind == "all processes" else max(kills // 4, 1)):
            wait_s = draw.uniform(FIRST_S, LAST_S)
            with tempfile.TemporaryDirectory() as folder:
                outcomes.append(strike(Path(folder) / "take.mcap", wait_s))
            print(f"{kind} {number}: after {wait_s:.2f} s, {outcomes[-1]}", flush=True)
        report.add(f"{kind}: missing before the kill", "s", [outcome.missing_s for outcome in outcomes])
        worst = max(outcome.missing_s for outcome in outcomes)
        report.add(f"{kind}: the worst of them", "s", [worst], f"≤ {ALLOWED_S:g}")
        report.add(f"{kind}: something wrong", "recordings", [sum(bool(o.wrong) for o in outcomes)], "0")
    report.finish(args.json)


if __name__ == "__main__":
    main()
