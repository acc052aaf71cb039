"""The poses file (npz) of ``--save`` and ``convert --to npz``: its keys, writing and reading (docs/frames.md).

Axes: T rows, V views, K landmarks, J joints, P people. Rows are time steps of one person; those of several people are
in order of time, then of identity.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_rig.atomic_file import output_file
from pose_rig.errors import SourceError
from pose_rig.joint_name import JointError, joint_index
from pose_rig.names import is_label
from pose_rig.npz import read_arrays
from pose_rig.session.formats.people import People, as_people, chosen, in_rows, of_each
from pose_rig.session.formats.poses import Poses
from pose_rig.skeleton import JOINTS

REMEDY = "docs/frames.md describes poses files."
# key → (dtype kinds, shape), in the order of the file; a converted session has no key that it cannot fill
KEYS: dict[str, tuple[str, tuple[str | int, ...]]] = {
    "joints": ("U", ("J",)),
    "mode": ("U", ("T",)),
    "cameras": ("U", ("V",)),
    "landmarks": ("U", ("K",)),
    "K": ("f", ("V", 3, 3)),
    "R": ("f", ("V", 3, 3)),
    "t": ("f", ("V", 3)),
    "k1": ("f", ("V",)),
    "dist": ("f", ("V", 5)),
    "fisheye": ("b", ("V",)),
    "size_px": ("f", ("V", 2)),
    "R_sd_deg": ("f", ("V",)),
    "t_sd_m": ("f", ("V",)),
    "focal_sd_px": ("f", ("V",)),
    "time_offset_s": ("f", ("V",)),
    "time_offset_sd_s": ("f", ("V",)),
    "time_rate": ("f", ("V",)),  # where a rate was found
    "height_m": ("iuf", ()),
    "height_assumed": ("b", ()),
    "exact": ("b", ()),  # --save only: False = computed in stretches, side by side
    "people": ("iu", ("P",)),  # the next four only with several people
    "people_height_m": ("f", ("P",)),
    "people_height_assumed": ("b", ("P",)),
    "person": ("iu", ("T",)),
    "t_ns": ("iu", ("T",)),
    "xyz": ("f", ("T", "J", 3)),
    "xyz_raw": ("f", ("T", "J", 3)),  # --save only
    "covariance": ("f", ("T", "J", 3, 3)),
    "score": ("f", ("T", "J")),
    "xy": ("f", ("T", "V", "K", 2)),
    "xy_score": ("f", ("T", "V", "K")),
    "xy_refined": ("f", ("T", "V", len(JOINTS), 2)),
    "lifted": ("f", ("T", "V", len(JOINTS), 3)),  # --save only
    "rotation": ("f", ("T", "V", 3, 3)),  # --save only
    "residual_px": ("f", ("T", "J")),  # convert only
    "age_ns": ("iu", ("T",)),  # convert only
}
CAMERA_KEYS = (
    "K", "R", "t", "k1", "dist", "fisheye", "size_px",
    "R_sd_deg", "t_sd_m", "focal_sd_px", "time_offset_s", "time_offset_sd_s",
)  # fmt: skip
KEYS_OF_ROWS = frozenset(key for key, (_, axes) in KEYS.items() if axes[:1] == ("T",))
REQUIRED = ("t_ns", "joints", "xyz", "score", "mode", "height_m", "height_assumed")
OPTIONAL = ("covariance", "residual_px", "age_ns", "person", "people", "people_height_m", "people_height_assumed")


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Writes the arrays of a poses file under the names and in the order of `KEYS`.

    Raises:
        OSError: The file cannot be written.
    """
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **{key: arrays[key] for key in sorted(arrays, key=list(KEYS).index)})


def unsolved_cameras(views: int) -> dict[str, NDArray[Any]]:
    """Returns the arrays of `CAMERA_KEYS`, all NaN except for the clock of the first camera, which is the rig's."""
    arrays: dict[str, NDArray[Any]] = {
        key: np.full((views, *(side for side in KEYS[key][1] if isinstance(side, int))), np.nan) for key in CAMERA_KEYS
    }
    arrays["fisheye"] = np.zeros(views, bool)
    arrays["time_offset_s"][:1] = arrays["time_offset_sd_s"][:1] = 0.0
    return arrays


def write_poses(path: Path, people: People, views: Mapping[str, NDArray[Any]] | None = None) -> None:
    """Writes a poses file.

    Args:
        path: Where.
        people: The poses of one person, or of each.
        views: Further arrays of `KEYS`: 2D keypoints and cameras. Their rows follow those of ``people``, one after the
            other.

    Raises:
        PoseRigError: The file cannot be written.
    """
    people = as_people(people)
    poses, person, order = in_rows(people)
    further = {key: array[order] if key in KEYS_OF_ROWS else array for key, array in (views or {}).items()}
    heights = {one.person: (one.height_m, one.height_assumed) for one in people}
    arrays: dict[str, Any] = {
        "t_ns": poses.t_ns,
        "joints": np.array(poses.joints),
        "xyz": poses.xyz,
        "score": poses.score,
        "mode": poses.mode,
        "covariance": poses.covariance_m2,
        "residual_px": poses.residual_px,
        "age_ns": poses.age_ns,
        "height_m": np.array(poses.height_m),
        "height_assumed": np.array(poses.height_assumed),
        **person_arrays(person, heights),
    }
    with output_file(path) as partial:
        write_arrays(partial, {**arrays, **further})


def person_arrays(person: NDArray[np.integer], heights: Mapping[int, tuple[float, bool]]) -> dict[str, NDArray[Any]]:
    """Returns the arrays that name people; none if all rows (T,) are of the first person.

    Args:
        person: (T,) identity of each row.
        heights: Body height by identity, m, and whether it is assumed.
    """
    if not person.any():
        return {}
    people = np.unique(person)
    kind = np.int32 if people[-1] <= np.iinfo(np.int32).max else np.int64
    return {
        "person": person.astype(kind),
        "people": people.astype(kind),
        "people_height_m": np.array([heights[one][0] for one in people.tolist()], np.float64),
        "people_height_assumed": np.array([heights[one][1] for one in people.tolist()], bool),
    }


def read_poses(path: Path | str, person: int | None = None) -> Poses:
    """Returns the poses of a person in a poses file, of the one with the lowest identity by default.

    Missing values are NaN, missing ages 0. Joints may be spelled otherwise (`pose_rig.joint_name.joint_index`) and be
    in another order.

    Raises:
        SourceError: The file cannot be read, a key is missing or has the wrong shape or values (names the key), or this
            person is not in it.
    """
    people = read_people(path)
    poses = chosen(people, person)
    if poses is None:
        raise SourceError(
            f"There is no person {person} in {path}.", f"It has {', '.join(str(one.person) for one in people)}."
        )
    return poses


def read_people(path: Path | str) -> list[Poses]:
    """Returns the poses of each person in a poses file, in ascending order of identity; an empty file has one person.

    Raises:
        SourceError: The file cannot be read, or a key is missing or has the wrong shape or values; names the key.
    """
    path = Path(path)
    arrays = read_arrays(path, REMEDY, (*REQUIRED, *OPTIONAL))
    sizes: dict[str | int, int] = {}
    for key in (*REQUIRED, *OPTIONAL):
        if key in arrays:
            _check_shape(path, key, arrays[key], sizes)
        elif key in REQUIRED:
            raise SourceError(f"{path}: key {key!r} is missing.", REMEDY)
    if not all(is_label(str(name)) for name in arrays["joints"]):
        raise SourceError(f"{path}: key 'joints' contains an invalid name.", REMEDY)
    _check_order(path, arrays)
    poses = _poses(path, arrays)
    if "person" not in arrays:
        return [poses]
    columns = (arrays.get(key, np.zeros(0)).tolist() for key in ("people", "people_height_m", "people_height_assumed"))
    heights = {
        one: {"height_m": height_m, "height_assumed": assumed} for one, height_m, assumed in zip(*columns, strict=False)
    }
    return [replace(one, **heights.get(one.person, {})) for one in of_each(poses, arrays["person"])]


def _check_order(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Checks that time increases from row to row, and identity within a time step."""
    step_ns = np.diff(arrays["t_ns"].astype(np.int64))
    if "person" not in arrays:
        if (step_ns <= 0).any():
            raise SourceError(f"{path}: key 't_ns' must increase from row to row.", REMEDY)
    elif ((step_ns < 0) | ((step_ns == 0) & (np.diff(arrays["person"].astype(np.int64)) <= 0))).any():
        raise SourceError(f"{path}: keys 't_ns' and 'person' must increase from row to row.", REMEDY)


def _check_shape(path: Path, key: str, array: NDArray[Any], sizes: dict[str | int, int]) -> None:
    """Checks an array against `KEYS`, and adds its axes to the ``sizes`` that later arrays must have."""
    kinds, axes = KEYS[key]
    expected = tuple(sizes.get(axis, axis) for axis in axes)
    fits = array.ndim == len(expected) and all(
        isinstance(side, str) or side == got for side, got in zip(expected, array.shape, strict=True)
    )
    if not fits or array.dtype.kind not in kinds:
        raise SourceError(f"{path}: key {key!r} is {array.dtype} {array.shape}, expected {expected}.", REMEDY)
    sizes.update({axis: side for axis, side in zip(axes, array.shape, strict=True) if isinstance(axis, str)})


def _joint_order(path: Path, names: tuple[str, ...]) -> tuple[tuple[str, ...], list[int]]:
    """Returns the joints in our spelling, the 17 of `JOINTS` first, and the index of each in ``names``.

    Raises:
        SourceError: One of the 17 is missing.
    """
    try:
        ours = [joint_index(joint, names) for joint in JOINTS]
    except JointError as error:
        raise SourceError(f"{path}: key 'joints' is not complete. {error.cause}", REMEDY) from error
    others = [j for j in range(len(names)) if j not in ours]
    return (*JOINTS, *(names[j] for j in others)), ours + others


def _poses(path: Path, arrays: Mapping[str, NDArray[Any]]) -> Poses:
    steps, joints = arrays["score"].shape
    covariance = arrays.get("covariance", np.full((steps, joints, 3, 3), np.nan))
    residual = arrays.get("residual_px", np.full((steps, joints), np.nan))
    names, order = _joint_order(path, tuple(str(name) for name in arrays["joints"]))
    return Poses(
        t_ns=arrays["t_ns"].astype(np.int64),
        joints=names,
        xyz=arrays["xyz"][:, order].astype(np.float32),
        score=arrays["score"][:, order].astype(np.float32),
        covariance_m2=covariance[:, order].astype(np.float32),
        residual_px=residual[:, order].astype(np.float32),
        mode=arrays["mode"],
        age_ns=arrays.get("age_ns", np.zeros(steps)).astype(np.int64),
        height_m=float(arrays["height_m"]),
        height_assumed=bool(arrays["height_assumed"]),
    )
