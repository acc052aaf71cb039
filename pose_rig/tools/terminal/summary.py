"""What a run prints when it is over."""

from pathlib import Path

import numpy as np

from pose_rig.errors import PoseRigError
from pose_rig.tools.terminal.status import CameraStatus, RunStatus
from pose_rig.tools.terminal.telemetry import Telemetry
from pose_rig.wire.messages import NO_PERSON
from pose_rig.wire.services import FUSION


def summary(status: RunStatus, saved: Path | None, kept: Path | None = None) -> list[str]:
    """Returns the lines that sum up a run.

    Args:
        status: The rig after the run.
        saved: The poses file, None if there is none.
        kept: The rig.toml that the solved rig was written to, None if it was not.
    """
    telemetry = status.telemetry
    if not telemetry.start_ns:
        return ["The run ended before it began."]
    nobody = no_person_error(status)
    lines = [
        *([f"{nobody.cause} {nobody.remedy}"] if nobody else []),
        f"Ran {status.elapsed_s():.1f} s: {telemetry.poses} poses, {telemetry.pose_rate_hz:.1f} per second"
        + (f", latency {_latency(telemetry)}." if status.config.pace == "realtime" else "."),
        *(_camera(row, telemetry) for row in status.cameras()),
        "Mode: " + (", ".join(f"{mode} after {at_s:.1f} s" for mode, at_s in telemetry.modes) or "none reached") + ".",
    ]
    lines += _rig(status, kept)
    if provider := status.provider():
        lines.append(f"fusion: {provider}")
    if (fusion := telemetry.workers.get(FUSION)) and fusion.dropped.total:
        lines.append(f"fusion: {fusion.dropped.total} messages or instants dropped. {fusion.health.error}".rstrip())
    if telemetry.refused:
        lines.append(f"Refused: {telemetry.refused} connections of programs that are not part of this rig.")
    lines.append(f"Scale: {status.height()}.")
    if recording := status.recording():
        lines.append(recording[0].upper() + recording[1:])
    lines += status.sent()
    if saved:
        lines.append(f"Poses saved to {saved}.")
    return lines


def no_person_error(status: RunStatus) -> PoseRigError | None:
    """Returns why a run that began came to nothing, None if anybody was seen."""
    rows = status.cameras()
    if status.telemetry.seen or not status.telemetry.start_ns:
        return None
    if rows and not any(row.arrived for row in rows):
        return PoseRigError("No camera gave a frame.", "What is said of each camera tells why.")
    return PoseRigError(
        "Nobody was seen in any camera.",
        "Check that the person stands in the pictures as a whole, upright, in the light and large enough.",
    )


def _latency(telemetry: Telemetry) -> str:
    if not telemetry.ages_ns:
        return "unknown"
    median, high = np.percentile(np.frombuffer(telemetry.ages_ns, np.int64), (50, 95)) / 1e6
    return f"{median:.1f} ms median, {high:.1f} ms at the 95th percentile"


def _rig(status: RunStatus, kept: Path | None) -> list[str]:
    if kept or status.telemetry.solved:
        hint = "" if status.config.rig else " `pose-rig run --rig rig.toml` keeps it for the next start."
        said = f"Rig solved: remembered in {kept} (`pose-rig rig {kept}` shows it)." if kept else "Rig solved." + hint
        doubtful = status.telemetry.rig is not None and status.telemetry.rig.mode == "solved" and status.advice()
        return [said, status.advice()] if doubtful else [said]
    return [f"Rig not solved: {status.advice()}"] if status.advice() else []


def _camera(row: CameraStatus, telemetry: Telemetry) -> str:
    heard = telemetry.workers.get(row.name)
    if heard is None or not row.arrived:
        return _without_frames(row)
    seconds = (heard.busy_until_ns - telemetry.start_ns) / 1e9
    rate_hz = heard.frames.total / seconds if seconds > 0 else 0.0
    facts = [f"{heard.frames.total} frames", f"{rate_hz:.1f} fps", f"{heard.dropped.total} dropped"]
    facts.append("saw nobody" if row.mean_agreement is None else f"agreement {row.mean_agreement:.0%}")
    if row.restarts:
        facts.append(f"restarted {row.restarts}×")
    last = "" if row.note == NO_PERSON else row.note  # which at the end is no news of the run
    return f"  {row.name}: {', '.join(facts)}. {row.error or last}".rstrip()


def _without_frames(row: CameraStatus) -> str:
    facts = [f"{row.name} gave no frame"]
    if row.dropped:
        facts.append(f"{row.dropped} dropped")
    if row.restarts:
        facts.append(f"restarted {row.restarts}×")
    late = "It was not ready when the run ended." if row.state == "starting" else "The run ended before its first one."
    return f"  {', '.join(facts)}. {row.error or late}"
