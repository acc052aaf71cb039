"""Poses as a table, for spreadsheets, pandas, R and MATLAB: one row per time step and person, one column per number."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_rig.atomic_file import output_file
from pose_rig.installer import requires_extra
from pose_rig.session.formats.joint_angles import angles_deg
from pose_rig.session.formats.people import People, as_people, at_common_times, in_rows
from pose_rig.session.formats.poses import FRAME_DESCRIPTION, Poses


def write_csv(path: Path, people: People, rate_hz: float | None = None) -> None:
    """Writes `Poses.columns` with one line of names, comma-separated; unknown values are empty cells.

    ``rate_hz`` resamples the poses; None = one row per pose. With several people there is a column ``person``.

    Raises:
        PoseRigError: The file cannot be written.
    """
    _write(path, _columns(as_people(people), rate_hz))


def write_angles_csv(path: Path, poses: Poses, rate_hz: float | None = None, start_ns: int | None = None) -> None:
    """Writes ``t_ns``, ``t_s``, ``mode`` and the joint angles, ``l_knee_flexion_deg`` and so on, as `write_csv` does.

    A cell is empty where a joint of the angle is not detected or guessed. ``t_s`` is the time from ``start_ns``; None =
    from the first pose.

    Raises:
        PoseRigError: The file cannot be written.
    """
    poses = poses.without_guesses().resampled(rate_hz) if rate_hz else poses
    angles = {f"{name}_deg": values for name, values in angles_deg(poses).items()}
    t_s = poses.t_s if start_ns is None else (poses.t_ns - start_ns) * 1e-9
    _write(path, {"t_ns": poses.t_ns, "t_s": t_s, "mode": poses.mode, **angles})


def _columns(people: Sequence[Poses], rate_hz: float | None) -> dict[str, NDArray[Any]]:
    """Returns the columns of all people; with several, ``person`` is the first column after ``mode``."""
    people = at_common_times(people, rate_hz) if rate_hz else people
    if len(people) == 1:
        return people[0].columns()
    rows, person, _ = in_rows(people)
    columns = rows.columns()
    return {name: columns[name] for name in list(columns)[:3]} | {"person": person} | columns


def _write(path: Path, table: dict[str, NDArray[Any]]) -> None:
    numbers = np.stack([table[name] for name in list(table)[3:]], axis=1)
    row = "%d,%.9f,%s" + ",%.6g" * numbers.shape[1] + "\n"
    with output_file(path) as partial, partial.open("w", encoding="utf-8", newline="\n") as file:
        file.write(",".join(table) + "\n")
        for t_ns, t_s, mode, values in zip(table["t_ns"], table["t_s"], table["mode"], numbers, strict=True):
            file.write((row % (t_ns, t_s, mode, *values.tolist())).replace("nan", ""))


def write_parquet(path: Path, people: People, rate_hz: float | None = None) -> None:
    """Writes `Poses.columns` as Parquet; frame, units and scale are in the metadata of its schema, as text.

    With several people there is a column ``person``, as in `write_csv`.

    Raises:
        PoseRigError: pyarrow is not installed, or the file cannot be written.
    """
    with requires_extra("Parquet", "files"):
        import pyarrow
        import pyarrow.parquet
    people = as_people(people)
    table = pyarrow.table(_columns(people, rate_hz), metadata=_metadata(people))
    with output_file(path) as partial:
        pyarrow.parquet.write_table(table, partial)


def _metadata(people: Sequence[Poses]) -> dict[str, str]:
    poses = people[0]
    further = {
        "people": json.dumps([one.person for one in people]),
        "people_height_m": json.dumps([one.height_m for one in people]),
        "people_height_assumed": json.dumps([one.height_assumed for one in people]),
    }
    return {
        **(further if len(people) > 1 else {}),
        "frame": FRAME_DESCRIPTION,
        "length_unit": "m",
        "height_m": f"{poses.height_m:g}",
        "height_assumed": json.dumps(poses.height_assumed),
        "joints": json.dumps(poses.joints),
    }
