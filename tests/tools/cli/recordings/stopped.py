"""Commands that are stopped while they record."""

import signal
import subprocess
import sys
import time
from pathlib import Path


def stopped(arguments: list[str], session: Path, by: signal.Signals, timeout_s: float) -> tuple[int, str]:
    """Exit code and output of a pose-rig command that gets a signal as soon as there is a part of a session."""
    command = [sys.executable, "-m", "pose_rig", *arguments, "--headless"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        while not session.with_name(session.name + ".partial").exists():
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(by)
        output, _ = process.communicate(timeout=timeout_s)
    return process.returncode, output
