"""Small motion files."""

from pathlib import Path
from typing import Any

import numpy as np

from pose_rig.simulation.clips import load_clips
from pose_rig.simulation.motion import Clip
from tests.fusion.fakes import FPS, walk

CLIPS = 8


def write_motion(path: Path, **changes: Any) -> Path:
    """Eight clips of a second each, cut from a walk."""
    joints = walk(CLIPS)
    content: dict[str, Any] = {
        "joints17_rel": joints - joints[:, :1],
        "root": joints[:, 0],
        "clip_start": 30 * np.arange(CLIPS),
        "clip_len": np.full(CLIPS, 30),
        "clip_label": np.array([f"walking_{i}" for i in range(CLIPS - 2)] + ["running_a", "running_b"]),
        "fps": FPS,
        **changes,
    }
    np.savez(path, **{key: np.asarray(value) for key, value in content.items() if value is not None})  # type: ignore[arg-type]
    return path


def clips(tmp_path: Path) -> list[Clip]:
    return load_clips([write_motion(tmp_path / "motion.npz")])
