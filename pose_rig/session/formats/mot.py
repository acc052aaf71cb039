"""Joint angles as OpenSim's motion file (.mot).

OpenSim 4.6 reads a ``nan`` in such a file as 0 and silently drops the rows after it (`opensim.Storage`, which its tools
and plots use). So every cell has a number: short gaps are interpolated, angles with longer ones left out.

Axes: T frames, C columns.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.atomic_file import output_file
from pose_rig.errors import SessionError
from pose_rig.session.formats.joint_angles import ANGLES, SIDES, angle_deg
from pose_rig.session.formats.markers import at_constant_rate
from pose_rig.session.formats.poses import MAX_GAP_S, Poses

# Names of Rajagopal's full body model (2016) and its derivatives, including Pose2Sim's; the elevation has its name in
# arm models (shoulder_elv). docs/opensim.md compares the definitions.
COORDINATES = {
    "knee flexion": "knee_angle",
    "hip flexion": "hip_flexion",
    "elbow flexion": "elbow_flex",
    "shoulder elevation": "shoulder_elv",
}


def write_mot(path: Path, poses: Poses, rate_hz: float | None = None) -> list[str]:
    """Writes the joint angles in degrees: frames at a constant rate, times in seconds from the first pose.

    Returns:
        What was left out or interpolated, one sentence each.

    Raises:
        SessionError: No angle is known without long gaps.
        PoseRigError: The file cannot be written, or there are fewer than two poses.
        UsageError: The rate is not a positive number.
    """
    (resampled,), rate_hz = at_constant_rate([poses], rate_hz)
    names = [f"{COORDINATES[name]}_{side}" for side in SIDES for name in ANGLES]
    angles = np.stack([angle_deg(resampled, name, side) for side in SIDES for name in ANGLES], axis=1)
    max_gap = int(MAX_GAP_S * rate_hz + 1e-6)  # frames
    first, last = _ends(np.isfinite(angles), max_gap)
    if last < first:
        raise SessionError("No joint angle is known for long enough in this part.", "Choose a longer part.")
    angles = angles[first : last + 1]
    complete = [c for c in range(len(names)) if _longest_gap(angles[:, c]) <= max_gap]
    if not complete:
        known = np.asarray(np.isfinite(angles).any(1))
        begin, end = ((first + at) / rate_hz for at in _longest_run(known))
        raise SessionError(
            f"No joint angle is known throughout; the longest part with any is {begin:.2f} to {end:.2f} s after the "
            "first of these poses.",
            "A .mot cannot have gaps: take such a part with --start and --end, or --to angles for a table with gaps.",
        )
    t_s = np.arange(first, last + 1) / rate_hz
    columns = np.stack([_interpolated(angles[:, c]) for c in complete], axis=1)
    notes = _notes(
        (t_s[0], t_s[-1]) if len(t_s) < len(resampled) else None,
        [names[c] for c in range(len(names)) if c not in complete],
        int(np.isnan(angles[:, complete]).sum()),
        int((resampled.mode[first : last + 1] != "solved").sum()),
    )
    _write(path, ["time", *(names[c] for c in complete)], np.column_stack([t_s, columns]), notes)
    return notes


def _ends(known_TC: NDArray[np.bool_], max_gap: int) -> tuple[int, int]:
    """Returns the first and last frame of the file: where all angles that begin or end within a gap are known.

    Raises:
        SessionError: No angle is known at all.
    """
    ever = known_TC[:, known_TC.any(0)]
    if not ever.size:
        raise SessionError("No joint angle is known in this part.", "Choose another part.")
    first = ever.argmax(0)
    last = len(ever) - 1 - ever[::-1].argmax(0)
    return int(first[first <= first.min() + max_gap].max()), int(last[last >= last.max() - max_gap].min())


def _longest_gap(values: Floats) -> int:
    """Returns the length of the longest gap in frames; more than all if the first or last value is missing."""
    missing = np.isnan(values)
    if missing.all():
        return sys.maxsize
    if missing[0] or missing[-1]:
        return len(values) + 1
    first, last = _longest_run(missing)
    return last - first + 1


def _longest_run(true: NDArray[np.bool_]) -> tuple[int, int]:
    """Returns the first and last index of the longest run of True; (0, -1) if there is none."""
    edges = np.flatnonzero(np.diff(true.astype(np.int8), prepend=0, append=0)).reshape(-1, 2)
    if not len(edges):
        return 0, -1
    first, end = edges[np.argmax(edges[:, 1] - edges[:, 0])]
    return int(first), int(end) - 1


def _interpolated(values: Floats) -> Floats:
    known, frames = np.isfinite(values), np.arange(len(values))
    return np.interp(frames, frames[known], values[known])


def _notes(part_s: tuple[float, float] | None, absent: Sequence[str], filled: int, unsolved: int) -> list[str]:
    notes = []
    if part_s is not None:
        notes.append(f"The mot covers {part_s[0]:.2f} to {part_s[1]:.2f} s, where angles are known.")
    if absent:
        gap = f"longer than {MAX_GAP_S:g} s"
        notes.append(f"Not in the mot, since they have a gap {gap}: {', '.join(absent)}.")
    if filled:
        notes.append(f"Interpolated in the mot, in gaps of at most {MAX_GAP_S:g} s: {filled} values.")
    if unsolved:
        notes.append(f"The rig was not solved in {unsolved} frames of the mot; angles are less accurate there.")
    return notes


def _write(path: Path, names: Sequence[str], rows: Floats, notes: Sequence[str]) -> None:
    header = (
        path.stem, "version=1", f"nRows={len(rows)}", f"nColumns={len(names)}", "inDegrees=yes", "",
        "Joint angles by pose-rig; docs/opensim.md has the definitions.", *notes, "endheader", "\t".join(names),
    )  # fmt: skip
    with output_file(path) as partial, partial.open("w", encoding="utf-8", newline="\n") as file:
        file.write("\n".join(header) + "\n")
        for t_s, *angles in rows.tolist():
            file.write(f"{t_s:.9f}" + "".join(f"\t{angle:.6f}" for angle in angles) + "\n")
