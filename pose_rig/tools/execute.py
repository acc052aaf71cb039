"""Running a rig in this terminal, from its configuration to the summary."""

from pathlib import Path

from rich.console import Console

from pose_rig.assets import detector_model
from pose_rig.config import Config
from pose_rig.tools.camera_list import check_readable, needs_detector
from pose_rig.tools.limits import check
from pose_rig.tools.live_table import LiveTable
from pose_rig.tools.plain_lines import PlainLines
from pose_rig.tools.run_loop import Run
from pose_rig.tools.summary import summary
from pose_rig.tools.workers import plan


def execute(config: Config, *, headless: bool = False, debug: bool = False) -> None:
    """Runs a rig until it ends, and prints its summary however it ends.

    Args:
        config: The rig, its cameras named.
        headless: Print plain lines even in a terminal.
        debug: Let the workers write to the terminal.

    Raises:
        PoseRigError: The rig cannot run, or failed.
    """
    check(config)
    check_readable(config)
    console = Console()
    lines = PlainLines(console)
    ready = plan(config, _detector_model(config, lines))
    names = ", ".join(camera.name for camera in config.camera)
    lines.say(f"Starting {len(config.camera)} camera(s): {names}. Poses on {ready.output}.")
    display = lines if headless or debug or not console.is_terminal else LiveTable(console)
    run = Run(ready, display, debug=debug)
    written_ns = _written_ns(config.save)
    try:
        with display:
            run.run()
    finally:
        saved = Path(config.save) if _written_ns(config.save) != written_ns else None
        for line in summary(run.board, saved):
            lines.say(line)


def _detector_model(config: Config, lines: PlainLines) -> str:
    """Returns the path of the detector model, fetched if need be; empty if no camera wants one."""
    if not any(needs_detector(camera) for camera in config.camera):
        return ""
    return str(detector_model(config.detector.model, lines.say))


def _written_ns(path: str) -> int:
    """Returns when the file at ``path`` was last written, 0 if there is none."""
    return Path(path).stat().st_mtime_ns if path and Path(path).is_file() else 0
