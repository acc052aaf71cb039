"""Captured movement from files, and movement made from formulas, as clips."""

from collections.abc import Sequence
from pathlib import Path

from pose_rig.errors import UsageError
from pose_rig.simulation import synthetic
from pose_rig.simulation.motion import FASTEST_M_S, SHORTEST_S, Clip, whole_parts
from pose_rig.simulation.motion_file import read_motion_file


def load_clips(paths: Sequence[Path]) -> list[Clip]:
    """Returns all clips of the given files.

    Args:
        paths: Motion files; `pose_rig.simulation.synthetic.NAME` for the movement that the program makes itself.

    Raises:
        UsageError: A file is missing or not in their format, or nothing of it is long enough; says what is wrong.
    """
    return [clip for path in paths for clip in (synthetic.clips() if path == synthetic.NAME else _clips(path))]


def _clips(path: Path) -> list[Clip]:
    file = read_motion_file(path)
    clips: list[Clip] = []
    for start, length, label in zip(file.start, file.length, file.label, strict=True):
        part = slice(start, start + length)
        clips += whole_parts(Clip(str(label), file.fps, file.joints[part], file.root[part]))
    if not clips:
        raise UsageError(
            f"{path} has no clip of {SHORTEST_S:g} s in which no joint moves faster than {FASTEST_M_S:g} m/s.",
            "Check fps and units; clips are cut where they jump.",
        )
    return clips
