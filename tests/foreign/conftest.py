"""Other programs as judges: they run in a Python of their own, `make test-foreign` makes it and says where it is."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Judge = Callable[..., Any]


@pytest.fixture
def judge() -> Judge:
    """Returns ``judge(script, *arguments)``: what a script in this folder prints as JSON in its last line."""
    python = os.environ.get("POSE_RIG_FOREIGN_PYTHON")
    if python is None:
        pytest.skip("needs Blender and OpenSim: make test-foreign")

    def run(script: str, *arguments: str | Path) -> Any:
        command = [python, str(Path(__file__).with_name(script)), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.strip().rpartition("\n")[2])

    return run
