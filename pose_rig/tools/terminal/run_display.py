"""A run in the terminal: a live table, or a status line every five seconds."""

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.text import Text

from pose_rig.tools.terminal.console import Console, plain_table
from pose_rig.tools.terminal.screen import Screen
from pose_rig.tools.terminal.status import CameraStatus, RunStatus
from pose_rig.tools.terminal.time_left import time_left
from pose_rig.wire.messages import CameraState
from pose_rig.wire.services import FUSION

STATUS_INTERVAL_S = 5.0
COLUMNS = ("fps", "age ms", "dropped", "restarts", "agreement", "focal px", "pose")  # fit 80 characters
MIN_TEXT_WIDTH = 12  # characters of a name and a state that a narrow terminal keeps
_COLOURS = {"running": "green", "ready": "green", "ended": "dim", "starting": "yellow", "waiting": "yellow"}


def run_screen(console: Console, *, headless: bool) -> Screen[RunStatus]:
    """Returns a screen that shows a run; with ``headless`` in lines even in a terminal."""
    return Screen(console, render_table, lambda status: [status_line(status)], STATUS_INTERVAL_S, headless=headless)


def render_table(status: RunStatus) -> RenderableType:
    """Returns the table of the cameras, their problems, lines about fusion and people, a bar if the end is known."""
    table = plain_table(("camera", "state"), COLUMNS)
    cameras = status.cameras()
    for column, texts in zip(table.columns, ([c.name for c in cameras], [c.state for c in cameras]), strict=False):
        column.min_width = min(max(map(len, (str(column.header), *texts))), MIN_TEXT_WIDTH)
    for camera in cameras:
        table.add_row(*_cells(camera))
    parts: list[RenderableType] = [table]
    parts += [Text(f"{camera.name}: {camera.note}", style="yellow") for camera in cameras if camera.note]
    parts.append(Text(_fusion_line(status), no_wrap=True, overflow="ellipsis"))
    parts += [Text(text, no_wrap=True, overflow="ellipsis") for text in status.people()]
    parts += [Text(text, style="dim") for text in status.remote_clocks()]
    parts += [Text(text) for text in (status.recording(), status.streaming()) if text]
    if advice := status.advice():
        parts.append(Text(advice, style="yellow"))
    done, total = status.progress()
    if status.config.pace == "all" and total:
        parts += [ProgressBar(total=total, completed=done, width=60), Text(_progress(status))]
    marks = ", m sets a marker" if status.config.record else ""
    parts.append(Text(f"{status.elapsed_s():.0f} s   {status.height()}   q stops{marks}", style="dim"))
    return Group(*parts)


def status_line(status: RunStatus) -> str:
    """Returns the status in one line."""
    cameras = status.cameras()
    if not status.telemetry.start_ns:
        fusion = status.health(FUSION)
        states = [f"{camera.name} {camera.state}" for camera in cameras]
        return "Starting: " + ", ".join([*states, f"fusion {fusion.state if fusion else 'starting'}"])
    if status.config.pace == "all" and status.progress()[1]:
        progress = [_progress(status)]
    else:
        progress = [_camera_text(camera) for camera in cameras]
    facts = [f"{status.elapsed_s():.0f} s", f"{status.telemetry.poses} poses", status.mode(), *progress]
    facts += [status.recording(), status.streaming(), status.advice()]
    return " | ".join(fact for fact in facts if fact)


def _progress(status: RunStatus) -> str:
    done, total = status.progress()
    return ", ".join(text for text in (f"{done} of {total} frames", time_left(status)) if text)


def _cells(camera: CameraStatus) -> tuple[RenderableType, ...]:
    known = camera.calibration
    return (
        Text(camera.name),
        Text(camera.state, style=_COLOURS.get(camera.state, "red")),
        f"{camera.health.rate_hz:.1f}",
        f"{camera.health.age_ms:.0f}",
        str(camera.dropped),
        str(camera.restarts),
        f"{known.health:.0%}" if known else "–",
        _focal(known) if known else "",
        _pose_sd(known) if known else "",
    )


def _focal(camera: CameraState) -> str:
    return f"{camera.focal_px:.0f}" + ("" if camera.focal_sd_px is None else f" ±{camera.focal_sd_px:.0f}")


def _pose_sd(camera: CameraState) -> str:
    if camera.moving:
        return "moving"
    rotation = "" if camera.rotation_sd_deg is None else f"±{camera.rotation_sd_deg:.1f}°"
    position = "" if camera.translation_sd_m is None else f"±{camera.translation_sd_m * 100:.0f} cm"
    return f"{rotation} {position}".strip()


def _fusion_line(status: RunStatus) -> str:
    health, restarts = status.health(FUSION), status.states[FUSION].restarts
    if health is None:
        return "fusion: starting"
    stages = ", ".join(f"{name} {ms:.1f} ms" for name, ms in health.stages_ms.items())
    facts = [status.mode() or health.state, f"{health.rate_hz:.1f} poses/s", f"age {health.age_ms:.0f} ms"]
    facts += [stages, health.detail, health.error, f"restarts {restarts}" if restarts else ""]
    return "fusion: " + "   ".join(fact for fact in facts if fact)


def _camera_text(camera: CameraStatus) -> str:
    if camera.state not in ("ready", "running"):
        return f"{camera.name} {camera.state}"
    return f"{camera.name} {camera.health.rate_hz:.0f} fps" if camera.has_frames else f"{camera.name} no frames yet"
