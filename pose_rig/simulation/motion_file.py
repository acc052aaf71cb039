"""Reading of motion files (docs/training.md), with a message for everything that is wrong in them.

Axes: N frames, C clips, J = 17 joints.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_rig.chirality import chirality
from pose_rig.errors import PoseRigError, UsageError
from pose_rig.joint_name import JointError, joint_index
from pose_rig.npz import read_arrays
from pose_rig.skeleton import INDEX, JOINTS, J

REMEDY = "docs/training.md has the format of motion files."
REQUIRED = ("joints17_rel", "clip_start", "clip_len", "clip_label", "fps")
OPTIONAL = ("root", "joint_names", "up_axis", "units")
ROOT_TOLERANCE_M = 0.02
SHIN_M = (0.15, 0.8)  # range of the median shin length
UNITS = {"centimetres": 100.0, "millimetres": 1000.0}
MAX_BONE_VARIATION = 0.25  # standard deviation over mean, within a file; people of one file differ by 0.1
MIN_UP_COSINE = 0.5  # of y and the direction ankles → head, in the median of a file
MIN_CHIRALITY = -0.3  # people have 0.6 and more
_KINDS = {"f": "floats", "iu": "whole numbers", "U": "text", "iuf": "a number"}
_TURN = "Replace (x, y, z) by (x, z, -y), or the other way round if heads are then below feet."
MAX_CHECKED_FRAMES = 2000
_BONES = [(INDEX[f"{side}_{a}"], INDEX[f"{side}_{b}"]) for side in "lr" for a, b in (
    ("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"),
)]  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class MotionFile:
    """Content of a motion file.

    Attributes:
        joints: (N,17,3) float32, m relative to the pelvis, y up, in our order.
        root: (N,3) float32, m, the pelvis in the room; 0 if the file has none.
        start: (C,) first frame of each clip.
        length: (C,) number of its frames.
        label: (C,) kind of motion.
        fps: Frames per second.
    """

    joints: NDArray[np.float32]
    root: NDArray[np.float32]
    start: NDArray[np.int64]
    length: NDArray[np.int64]
    label: NDArray[np.str_]
    fps: float


def read_motion_file(path: Path) -> MotionFile:
    """Returns the content of a motion file.

    Raises:
        UsageError: It is missing, or not in the format of docs/training.md.
    """
    try:
        arrays = read_arrays(path, REMEDY, (*REQUIRED, *OPTIONAL))
        _check_shapes(arrays)
        joints = _in_our_order(arrays)
        _check_values(arrays, joints)
    except PoseRigError as error:
        raise UsageError(f"{path} is not a motion file: {error.cause}", error.remedy) from error
    return MotionFile(
        joints=joints,
        root=arrays.get("root", np.zeros((len(joints), 3))).astype(np.float32),
        start=arrays["clip_start"].astype(np.int64),
        length=arrays["clip_len"].astype(np.int64),
        label=arrays["clip_label"].astype(str),
        fps=float(arrays["fps"]),
    )


def _check_shapes(arrays: Mapping[str, NDArray[Any]]) -> None:
    for key in REQUIRED:
        if key not in arrays:
            raise UsageError(f"key {key!r} is missing.", REMEDY)
    count, clips = len(np.atleast_1d(arrays["joints17_rel"])), arrays["clip_start"].shape
    wanted = {
        "joints17_rel": ("f", f"(N,{J},3)", (count, J, 3)),
        "root": ("f", f"({count},3)", (count, 3)),
        "clip_start": ("iu", "(C,)", clips if len(clips) == 1 else (0,)),
        "clip_len": ("iu", str(clips), clips),
        "clip_label": ("U", str(clips), clips),
        "fps": ("iuf", "()", ()),
        "joint_names": ("U", f"({J},)", (J,)),
    }
    for key, (kinds, expected, shape) in wanted.items():
        if key in arrays and (arrays[key].shape != shape or arrays[key].dtype.kind not in kinds):
            found = f"{arrays[key].dtype} of shape {arrays[key].shape}"
            raise UsageError(f"key {key!r} is {found}, expected {_KINDS[kinds]} of shape {expected}.", REMEDY)
    start, length = arrays["clip_start"].astype(int), arrays["clip_len"].astype(int)
    if not len(start) or (start < 0).any() or (length < 1).any() or (start + length > count).any():
        raise UsageError(
            f"its clips do not lie within its {count} frames.",
            "clip_start are first frames, counted from 0, and clip_len how many frames each clip has.",
        )
    if not 0 < float(arrays["fps"]) < np.inf:
        raise UsageError(f"fps is {float(arrays['fps']):g}.", "Give frames per second, such as 120.")


def _in_our_order(arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
    """Returns (N,17,3) the joints in our order, by their names if the file has them."""
    joints = arrays["joints17_rel"].astype(np.float32)
    if "joint_names" not in arrays:
        return joints
    names = [str(name) for name in arrays["joint_names"]]
    try:
        return joints[:, [joint_index(joint, names) for joint in JOINTS]]
    except JointError as error:
        raise UsageError(f"key 'joint_names': {error.cause}", error.remedy) from error


def _check_values(arrays: Mapping[str, NDArray[Any]], joints: NDArray[np.float32]) -> None:
    for key, frames in (("joints17_rel", joints), ("root", arrays.get("root", np.zeros(3)))):
        unknown = ~np.isfinite(frames.reshape(len(frames), -1)).all(1)
        if unknown.any():
            raise UsageError(
                f"key {key!r} has NaN or infinity in {unknown.sum()} frames, first in frame {unknown.argmax()}.",
                "Cut these frames out: end a clip before them, and begin another one after them.",
            )
    some = joints[:: max(1, len(joints) // MAX_CHECKED_FRAMES)].astype(np.float64)
    _check_units(arrays, some)
    _check_skeleton(some)
    _check_up(arrays, some)
    if chirality(some) < MIN_CHIRALITY:
        raise UsageError(
            "its people are mirror images: left and right are exchanged, or one axis has the wrong sign.",
            "Axes are right-handed, and left and right are the person's own.",
        )


def _check_units(arrays: Mapping[str, NDArray[Any]], some: NDArray[np.float64]) -> None:
    shin = float(np.median(np.linalg.norm(some[:, INDEX["l_knee"]] - some[:, INDEX["l_ankle"]], axis=-1)))
    for unit, per_m in UNITS.items():
        if SHIN_M[0] * per_m < shin < SHIN_M[1] * per_m:
            raise UsageError(
                f"lengths are in {unit}, it seems: shins are {shin:.0f} long.",
                f"Divide joints17_rel and root by {per_m:.0f}: they are in metres.",
            )
    if not SHIN_M[0] < shin < SHIN_M[1]:
        raise UsageError(f"shins are {shin:.3g} m long.", "joints17_rel are in metres; or the joint order is another.")
    units = str(arrays.get("units", "m"))
    if units != "m":
        raise UsageError(f"key 'units' is {units!r}.", "joints17_rel and root are in metres.")
    off_m = float(np.abs(some[:, 0]).max())
    if off_m > ROOT_TOLERANCE_M:
        raise UsageError(
            f"the pelvis, joint 0, is {off_m:.2f} m off the origin: poses are not relative to it, or it is another.",
            f"Take joint 0 away from all joints and save it as root (N,3). The order is {', '.join(JOINTS)}.",
        )


def _check_skeleton(some: NDArray[np.float64]) -> None:
    lengths = np.stack([np.linalg.norm(some[:, a] - some[:, b], axis=-1) for a, b in _BONES])
    worst = float((lengths.std(1) / np.maximum(lengths.mean(1), 1e-6)).max())
    if worst > MAX_BONE_VARIATION:
        raise UsageError(
            f"bones change their length by {100 * worst:.0f} %, which bones do not: is the joint order another?",
            f"The order is {', '.join(JOINTS)}; or give joint_names.",
        )


def _check_up(arrays: Mapping[str, NDArray[Any]], some: NDArray[np.float64]) -> None:
    """Checks that people are upright along y; not if the file has ``up_axis`` = y, as for people on the floor."""
    up_axis = str(arrays.get("up_axis", ""))
    if up_axis not in ("", "y"):
        raise UsageError(f"key 'up_axis' is {up_axis!r}, not 'y'.", _TURN if up_axis == "z" else "Turn the axes.")
    if up_axis == "y":
        return
    body = some[:, INDEX["head"]] - 0.5 * (some[:, INDEX["l_ankle"]] + some[:, INDEX["r_ankle"]])
    up = np.median(body / np.maximum(np.linalg.norm(body, axis=-1, keepdims=True), 1e-9), axis=0)
    if up[1] > MIN_UP_COSINE:
        return
    if up[1] < -MIN_UP_COSINE:
        raise UsageError("heads are below feet: y points down.", "Negate y and z: y is up, and axes are right-handed.")
    if abs(up[2]) > MIN_UP_COSINE:
        raise UsageError(f"people stand along z, not y: {'z' if up[2] > 0 else '-z'} is up.", _TURN)
    raise UsageError(
        "people do not stand along y, which is up.",
        "Turn the axes; if they lie on the floor, set the key up_axis = 'y'.",
    )
