"""Which engines of a GPU can be tested here."""

from pathlib import Path

import pytest

from pose_rig.graph import Engine
from pose_rig.lifting.engine import DEFAULT_WEIGHTS, OrtEngine
from pose_rig.lifting.providers import gpu_engines


def gpu_engine(provider: str, cache: Path, path: Path = DEFAULT_WEIGHTS) -> Engine:
    """Returns an engine; skips the test where there is none."""
    engines, reasons = gpu_engines(path, (provider,), cache, OrtEngine(path))
    if not engines:
        pytest.skip("; ".join(reasons))
    return engines[0]
