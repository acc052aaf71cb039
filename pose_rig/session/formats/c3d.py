"""C3D, the marker file of motion analysis laboratories.

Axes: T frames, M markers.
"""

import errno
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pose_rig.atomic_file import output_file
from pose_rig.errors import UsageError
from pose_rig.installer import requires_extra
from pose_rig.session.formats.markers import MarkerNaming, Markers, prefix
from pose_rig.session.formats.people import People, as_people
from pose_rig.session.formats.poses import Poses

MM_PER_M = 1000.0
GAP_RESIDUAL = -1.0  # of a missing point
MAX_FRAMES = 65535  # 16 bits; ezc3d and c3d ignore the extension fields of some laboratories' programs
POINT_BYTES = 16


def write_c3d(path: Path, people: People, rate_hz: float | None = None, naming: MarkerNaming = "opensim") -> Markers:
    """Writes the joints as points: millimetres, y up, gaps as NaN with residual −1; returns the markers.

    ``rate_hz`` = None keeps the rate of the poses. Markers of several people have a `prefix`, which is in SUBJECTS.

    The origin of the scale is written to POINT:DESCRIPTIONS and to SUBJECTS:HEIGHT_ASSUMED.

    Raises:
        PoseRigError: ezc3d is not installed, the file cannot be written, or there are fewer than two poses.
        UsageError: The rate is not a positive number, or there are too many frames for the format.
    """
    people = as_people(people)
    markers = Markers.from_poses(people, rate_hz, naming)
    frames, count = markers.xyz.shape[:2]
    if frames > MAX_FRAMES:
        raise UsageError(
            f"C3D holds at most {MAX_FRAMES} frames, {MAX_FRAMES / markers.rate_hz / 60:.1f} min at "
            f"{markers.rate_hz:g} Hz; there are {frames}.",
            "Write it in parts with --start and --end, at a lower --rate, or as TRC.",
        )
    content = _content(markers, people)
    with output_file(path) as partial:
        content.write(str(partial))  # does not report errors
        if partial.stat().st_size < frames * count * POINT_BYTES:
            raise OSError(errno.ENOSPC, "the disk is full")
    return markers


def _content(markers: Markers, people: Sequence[Poses]) -> Any:
    with requires_extra("C3D", "files"):
        import ezc3d
    content = ezc3d.c3d()
    visible = np.isfinite(markers.xyz).all(-1)
    points = np.ones((4, len(markers.names), len(markers.xyz)))
    points[:3] = markers.xyz.transpose(2, 1, 0) * MM_PER_M
    content["data"]["points"] = points
    content["data"]["meta_points"]["residuals"] = np.where(visible, 0.0, GAP_RESIDUAL).T[None]
    point = content["parameters"]["POINT"]
    point["RATE"]["value"] = [markers.rate_hz]
    point["UNITS"]["value"] = ["mm"]
    point["LABELS"]["value"] = list(markers.names)
    point["DESCRIPTIONS"]["value"] = list(markers.heights)
    content.add_parameter("POINT", "X_SCREEN", ["+X"])
    content.add_parameter("POINT", "Y_SCREEN", ["+Y"])
    content.add_parameter("MANUFACTURER", "SOFTWARE", ["pose-rig"])
    content.add_parameter("SUBJECTS", "HEIGHT_M", [float(one.height_m) for one in people])
    content.add_parameter("SUBJECTS", "HEIGHT_ASSUMED", [int(one.height_assumed) for one in people])
    if len(people) > 1:
        prefixes = [prefix(one.person) for one in people]
        content.add_parameter("SUBJECTS", "USED", [len(people)])
        content.add_parameter("SUBJECTS", "USES_PREFIXES", [1])
        content.add_parameter("SUBJECTS", "NAMES", [name.rstrip("_") for name in prefixes])
        content.add_parameter("SUBJECTS", "LABEL_PREFIXES", prefixes)
    return content
