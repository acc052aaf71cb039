"""The summary that is printed after a run."""

from pathlib import Path

import numpy as np

from pose_rig.errors import PoseRigError
from pose_rig.tools.terminal.status import CameraStatus, RunStatus, clock_text
from pose_rig.tools.terminal.telemetry import Telemetry
from pose_rig.wire.messages import NO_PERSON
from pose_rig.wire.services import FUSION

MAX_SHARES = 8  # people whose share is printed


def summary(status: RunStatus, poses_file: Path | None, rig_file: Path | None = None) -> list[str]:
    """Returns the lines of the summary.

    Args:
        status: The status after the run.
        poses_file: The saved poses, None if there are none.
        rig_file: The rig.toml that the solved rig was written to, None if it was not.
    """
    telemetry = status.telemetry
    if not telemetry.start_ns:
        return ["The run ended before it started."]
    modes = ", ".join(f"{mode} after {at_s:.1f} s" for mode, at_s in telemetry.modes)
    error = no_person_error(status)
    lines = [
        str(error) if error else "",
        f"Ran {status.elapsed_s():.1f} s: {telemetry.poses} poses, {_rate_hz(status):.1f} per second"
        + (f", latency {_latency(telemetry)}." if status.config.pace == "realtime" else "."),
        *(_camera_line(camera, telemetry) for camera in status.cameras()),
        f"Mode: {modes or 'none reached'}.",
        *_people_lines(status),
        *_rig_lines(status, rig_file),
    ]
    if provider := status.provider():
        lines.append(f"fusion: {provider}")
    if (fusion := telemetry.workers.get(FUSION)) and fusion.dropped.total:
        lines.append(f"fusion: {fusion.dropped.total} messages or time steps dropped. {fusion.health.error}".rstrip())
    if telemetry.refused:
        lines.append(f"Refused {telemetry.refused} connections of programs that are not part of this rig.")
    lines.append(f"Scale: {status.height()}.")
    if recording := status.recording():
        lines.append(recording[0].upper() + recording[1:])
    lines += status.stream_totals()
    if poses_file:
        lines.append(f"Poses saved to {poses_file}.")
    return [line for line in lines if line]


def no_person_error(status: RunStatus) -> PoseRigError | None:
    """Returns why a run has no result, None if a person was detected or if it did not start."""
    cameras = status.cameras()
    if status.telemetry.person_detected or not status.telemetry.start_ns:
        return None
    if cameras and not any(camera.has_frames for camera in cameras):
        return PoseRigError("No camera delivered a frame.", "The line of each camera gives the reason.")
    return PoseRigError(
        "No person was detected in any camera.",
        "Check that the whole person is in the images, upright, well lit and large enough.",
    )


def _latency(telemetry: Telemetry) -> str:
    if not telemetry.ages_ns:
        return "unknown"
    median, high = np.percentile(np.frombuffer(telemetry.ages_ns, np.int64), (50, 95)) / 1e6
    return f"{median:.1f} ms median, {high:.1f} ms at the 95th percentile"


def _people_lines(status: RunStatus) -> list[str]:
    """Returns how many people were tracked, and how long each; empty if one was to be tracked."""
    people, steps = status.telemetry.people, len(status.telemetry.ages_ns)
    if status.config.people == 1 or not steps:
        return []
    shares = [f"person {person + 1} in {poses / steps:.0%}" for person, poses in sorted(people.poses.items())]
    more = f", and {len(shares) - MAX_SHARES} more" if len(shares) > MAX_SHARES else ""
    of_poses = f": {', '.join(shares[:MAX_SHARES])} of the poses{more}" if shares else ""
    return [f"People: at most {people.most} at once{of_poses}."]


def _rig_lines(status: RunStatus, rig_file: Path | None) -> list[str]:
    telemetry, advice = status.telemetry, status.advice()
    if rig_file is None and telemetry.solved is None:
        return [f"Rig not solved: {advice}"] if advice else []
    if rig_file:
        solved = f"Rig solved and saved to {rig_file} (`pose-rig rig {rig_file}` shows it)."
    else:
        hint = "" if status.config.rig else " `pose-rig run --rig rig.toml` saves it for the next start."
        solved = f"Rig solved.{hint}"
    still_solved = telemetry.rig is not None and telemetry.rig.mode == "solved"
    return [solved, advice if still_solved else ""]


def _camera_line(camera: CameraStatus, telemetry: Telemetry) -> str:
    known = camera.calibration
    restarts = [f"restarted {camera.restarts}×"] if camera.restarts else []
    if not camera.has_frames or camera.name not in telemetry.workers:
        dropped = [f"{camera.dropped} dropped"] if camera.dropped else []
        facts = [f"{camera.name} delivered no frame", *dropped, *restarts]
        starting = camera.state in ("starting", "waiting")
        reason = "It was not ready when the run ended." if starting else "The run ended before its first one."
        return f"  {', '.join(facts)}. {camera.error or reason}"
    seconds = (telemetry.workers[camera.name].last_frame_ns - telemetry.start_ns) / 1e9
    rate_hz = camera.frames / seconds if seconds > 0 else 0.0
    agreement = (known.agreement or known.health) if known else None
    facts = [f"{camera.frames} frames", f"{rate_hz:.1f} fps", f"{camera.dropped} dropped"]
    facts += [f"agreement {agreement:.0%}" if agreement else "no person detected", *restarts]
    if clock := clock_text(camera.health):
        facts.append(clock)
    note = "" if camera.note == NO_PERSON else camera.note  # true of the last frames only
    return f"  {camera.name}: {', '.join(facts)}. {camera.error or note}".rstrip()


def _rate_hz(status: RunStatus) -> float:
    """Returns the poses per second; of two passes over the whole run, for the second one gives many at once."""
    telemetry = status.telemetry
    if status.config.passes == 2:
        return telemetry.poses / max(status.elapsed_s(), 1e-9)
    return telemetry.pose_rate_hz
