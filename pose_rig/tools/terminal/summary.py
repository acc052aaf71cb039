"""What a run prints when it is over."""

from pathlib import Path

import numpy as np

from pose_rig.errors import PoseRigError
from pose_rig.tools.terminal.status import Board, CameraRow
from pose_rig.tools.terminal.telemetry import Monitor
from pose_rig.wire.messages import SEES_NOBODY


def summary(board: Board, saved: Path | None, kept: Path | None = None) -> list[str]:
    """Returns the lines that sum up a run.

    Args:
        board: The rig after the run.
        saved: The poses file, None if there is none.
        kept: The rig.toml that the solved rig was written to, None if it was not.
    """
    monitor = board.monitor
    if not monitor.start_ns:
        return ["The run ended before it began."]
    nobody = nobody_seen(board)
    lines = [
        *([f"{nobody.cause} {nobody.remedy}"] if nobody else []),
        f"Ran {board.elapsed_s():.1f} s: {monitor.poses} poses, {monitor.pose_rate_hz:.1f} per second"
        + (f", latency {_latency(monitor)}." if board.config.pace == "realtime" else "."),
        *(_camera(row, monitor) for row in board.cameras()),
        "Mode: " + (", ".join(f"{mode} after {at_s:.1f} s" for mode, at_s in monitor.modes) or "none reached") + ".",
    ]
    lines += _rig(board, kept)
    if provider := board.provider():
        lines.append(f"fusion: {provider}")
    if (fusion := monitor.workers.get("fusion")) and fusion.dropped.total:
        lines.append(f"fusion: {fusion.dropped.total} messages or instants dropped. {fusion.health.error}".rstrip())
    if monitor.refused:
        lines.append(f"Refused: {monitor.refused} connections of programs that are not part of this rig.")
    lines.append(f"Scale: {board.height()}.")
    if recording := board.recording():
        lines.append(recording[0].upper() + recording[1:])
    lines += board.sent()
    if saved:
        lines.append(f"Poses saved to {saved}.")
    return lines


def nobody_seen(board: Board) -> PoseRigError | None:
    """Returns why a run that began came to nothing, None if anybody was seen."""
    rows = board.cameras()
    if board.monitor.seen or not board.monitor.start_ns:
        return None
    if rows and not any(row.arrived for row in rows):
        return PoseRigError("No camera gave a frame.", "What is said of each camera tells why.")
    return PoseRigError(
        "Nobody was seen in any camera.",
        "Check that the person stands in the pictures as a whole, upright, in the light and large enough.",
    )


def _latency(monitor: Monitor) -> str:
    if not monitor.ages_ns:
        return "unknown"
    median, high = np.percentile(np.frombuffer(monitor.ages_ns, np.int64), (50, 95)) / 1e6
    return f"{median:.1f} ms median, {high:.1f} ms at the 95th percentile"


def _rig(board: Board, kept: Path | None) -> list[str]:
    if kept or board.monitor.solved:
        hint = "" if board.config.rig else " `pose-rig run --rig rig.toml` keeps it for the next start."
        said = f"Rig solved: remembered in {kept} (`pose-rig rig {kept}` shows it)." if kept else "Rig solved." + hint
        doubtful = board.monitor.rig is not None and board.monitor.rig.mode == "solved" and board.advice()
        return [said, board.advice()] if doubtful else [said]
    return [f"Rig not solved: {board.advice()}"] if board.advice() else []


def _camera(row: CameraRow, monitor: Monitor) -> str:
    heard = monitor.workers.get(row.name)
    if heard is None or not row.arrived:
        return _without_frames(row)
    seconds = (heard.busy_until_ns - monitor.start_ns) / 1e9
    rate_hz = heard.frames.total / seconds if seconds > 0 else 0.0
    facts = [f"{heard.frames.total} frames", f"{rate_hz:.1f} fps", f"{heard.dropped.total} dropped"]
    facts.append("saw nobody" if row.mean_agreement is None else f"agreement {row.mean_agreement:.0%}")
    if row.restarts:
        facts.append(f"restarted {row.restarts}×")
    last = "" if row.note == SEES_NOBODY else row.note  # which at the end is no news of the run
    return f"  {row.name}: {', '.join(facts)}. {row.error or last}".rstrip()


def _without_frames(row: CameraRow) -> str:
    facts = [f"{row.name} gave no frame"]
    if row.dropped:
        facts.append(f"{row.dropped} dropped")
    if row.restarts:
        facts.append(f"restarted {row.restarts}×")
    late = "It was not ready when the run ended." if row.state == "starting" else "The run ended before its first one."
    return f"  {', '.join(facts)}. {row.error or late}"
