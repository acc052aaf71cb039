"""What a run prints when it is over."""

from pathlib import Path

import numpy as np

from pose_rig.tools.board import Board, CameraRow
from pose_rig.tools.monitor import Monitor


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
    lines = [
        f"Ran {board.elapsed_s():.1f} s: {monitor.poses} poses, {monitor.pose_rate_hz:.1f} per second"
        + (f", latency {_latency(monitor)}." if board.config.pace == "realtime" else "."),
        *(_camera(row, monitor) for row in board.cameras()),
        "Mode: " + (", ".join(f"{mode} after {at_s:.1f} s" for mode, at_s in monitor.modes) or "none reached") + ".",
    ]
    lines += _rig(board, kept)
    if not monitor.tracked:
        lines.append("Nobody was seen." if monitor.pose else "No pose came out: nobody was seen in time.")
    if provider := board.provider():
        lines.append(f"fusion: {provider}")
    lines.append(f"Scale: {board.height()}.")
    if recording := board.recording():
        lines.append(recording[0].upper() + recording[1:])
    if sending := board.sent():
        lines.append(sending)
    if saved:
        lines.append(f"Poses saved to {saved}.")
    return lines


def _latency(monitor: Monitor) -> str:
    if not monitor.ages_ns:
        return "unknown"
    median, high = np.percentile(np.frombuffer(monitor.ages_ns, np.int64), (50, 95)) / 1e6
    return f"{median:.1f} ms median, {high:.1f} ms at the 95th percentile"


def _rig(board: Board, kept: Path | None) -> list[str]:
    if kept:
        return [f"Rig solved: remembered in {kept} (`pose-rig rig {kept}` shows it)."]
    if board.monitor.solved:
        hint = "" if board.config.rig else " `pose-rig run --rig rig.toml` keeps it for the next start."
        return ["Rig solved." + hint]
    return [f"Rig not solved: {board.advice()}"] if board.advice() else []


def _camera(row: CameraRow, monitor: Monitor) -> str:
    heard = monitor.workers.get(row.name)
    if heard is None:
        return f"  {row.name}: no frames, restarted {row.restarts}×. {row.note}".rstrip()
    seconds = (heard.busy_until_ns - monitor.start_ns) / 1e9
    rate_hz = heard.frames.total / seconds if seconds > 0 else 0.0
    facts = [f"{heard.frames.total} frames", f"{rate_hz:.1f} fps", f"{heard.dropped.total} dropped"]
    if row.agreement is not None:
        facts.append(f"agreement {row.agreement:.0%}")
    if row.restarts:
        facts.append(f"restarted {row.restarts}×")
    return f"  {row.name}: {', '.join(facts)}. {row.note}".rstrip()
