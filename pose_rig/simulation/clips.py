"""Motion clips from files, and synthetic ones."""

from collections.abc import Sequence
from pathlib import Path

from pose_rig.errors import UsageError
from pose_rig.simulation import synthetic
from pose_rig.simulation.motion import MAX_SPEED_M_S, MIN_DURATION_S, Clip, split_at_jumps
from pose_rig.simulation.motion_file import read_motion_file


def load_clips(paths: Sequence[Path]) -> list[Clip]:
    """Returns all clips of the given files.

    Args:
        paths: Motion files; `pose_rig.simulation.synthetic.SYNTHETIC_MOTION` stands for synthetic motion.

    Raises:
        UsageError: A file is missing, has another format, or has no clip of sufficient length.
    """
    return [
        clip for path in paths for clip in (synthetic.clips() if path == synthetic.SYNTHETIC_MOTION else _clips(path))
    ]


def _clips(path: Path) -> list[Clip]:
    file = read_motion_file(path)
    clips: list[Clip] = []
    for start, length, label in zip(file.start, file.length, file.label, strict=True):
        part = slice(start, start + length)
        clips += split_at_jumps(Clip(str(label), file.fps, file.joints[part], file.root[part]))
    if not clips:
        raise UsageError(
            f"{path} has no clip of {MIN_DURATION_S:g} s in which no joint moves faster than {MAX_SPEED_M_S:g} m/s.",
            "Check fps and units; clips are split at jumps.",
        )
    return clips
