"""TRC, the marker file of OpenSim and Pose2Sim.

Axes: T frames, M markers.
"""

from pathlib import Path

from pose_rig.atomic_file import output_file
from pose_rig.session.formats.markers import MarkerNaming, Markers
from pose_rig.session.formats.people import People

KEYS = "DataRate CameraRate NumFrames NumMarkers Units OrigDataRate OrigDataStartFrame OrigNumFrames"


def write_trc(path: Path, people: People, rate_hz: float | None = None, naming: MarkerNaming = "opensim") -> Markers:
    """Writes the joints as markers: metres, y up, frames from 1, times from 0 s, gaps as ``nan``; returns the markers.

    ``rate_hz`` = None keeps the rate of the poses. Markers of several people have a `prefix`.

    The format has no field for comments: the origin of the scale follows the file name in the first line.

    Raises:
        PoseRigError: The file cannot be written, or there are fewer than two poses.
        UsageError: The rate is not a positive number.
    """
    markers = Markers.from_poses(people, rate_hz, naming)
    frames, count = markers.xyz.shape[:2]
    # nan: OpenSim refuses rows that end in an empty cell
    row = "%d\t%.6f" + "\t%.6f" * (3 * count) + "\n"
    with output_file(path) as partial, partial.open("w", encoding="utf-8", newline="\n") as file:
        file.write(_header(path.name, markers))
        for frame, values in enumerate(markers.xyz.reshape(frames, -1)):
            file.write(row % (frame + 1, frame / markers.rate_hz, *values.tolist()))
    return markers


def _header(name: str, markers: Markers) -> str:
    """Returns the five lines of the header and the blank one that OpenSim requires."""
    frames, count = markers.xyz.shape[:2]
    rate = f"{markers.rate_hz:.10g}"
    axes = [f"{axis}{marker}" for marker in range(1, count + 1) for axis in "XYZ"]
    lines = (
        ("PathFileType", "4", "(X/Y/Z)", f"{name} ({markers.scale})"),
        KEYS.split(),
        (rate, rate, str(frames), str(count), "m", rate, "1", str(frames)),
        ("Frame#", "Time", "\t\t\t".join(markers.names), "", ""),
        ("", "", *axes),
        (),
    )
    return "".join("\t".join(line) + "\n" for line in lines)
