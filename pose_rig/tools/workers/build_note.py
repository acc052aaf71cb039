"""How far the build of a TensorRT engine is: a small file, because a worker that still loads has no connection."""

import time
from contextlib import suppress
from pathlib import Path

from pose_rig.assets.cache import cache_folder

NAME = "building.txt"


def engine_folder() -> Path:
    """Returns the folder of built engines."""
    return cache_folder() / "engines"


def write_build_note(text: str) -> None:
    """Replaces the note; without a writable folder there is none."""
    with suppress(OSError):
        engine_folder().mkdir(parents=True, exist_ok=True)
        (engine_folder() / NAME).write_text(text, "utf-8")


def build_note(max_age_s: float) -> str:
    """Returns the note; empty if there is none, or if it is older."""
    try:
        path = engine_folder() / NAME
        return path.read_text("utf-8") if time.time() - path.stat().st_mtime <= max_age_s else ""
    except OSError:
        return ""
