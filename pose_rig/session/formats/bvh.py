"""Motion as BVH with the axes of Blender: y up, the person faces +z with the left hand at +x.

These are the axes of ``rig``. Blender, Maya and MotionBuilder take the root's position channels as positions, three.js
and others add the root's offset: with an offset of zero all agree. BVH has neither units nor comments.

Rotations are three angles about z, x, y: R = Rz · Rx · Ry. Every rotation has two such triples (and each angle any
number of whole turns); the one nearest to the previous time step is taken, so that a knee that bends from 90° to 100°
does not change all three angles.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.atomic_file import output_file
from pose_rig.errors import PoseRigError
from pose_rig.humanoid.bones import Motion
from pose_rig.session.formats.bone_names import EXTRA, BoneNaming, NamedBone, named_bones

CENTIMETRES_PER_M = 100.0
ROTATION = "Zrotation Xrotation Yrotation"
POSITION = "Xposition Yposition Zposition"
ANGLE = "%.4f"  # 0.0001° is 2 µm at the end of a leg
LENGTH = "%.6f"
ROWS_PER_WRITE = 4096  # 2 MB of text
GIMBAL_LOCK_RAD = 1e-7  # about; below this z and y are not separable in float64, and z - y keeps its value


def write_bvh(
    path: Path, motion: Motion, *, rate_hz: float, names: BoneNaming = "vrm", scale: float = CENTIMETRES_PER_M
) -> None:
    """Writes a motion as BVH.

    Args:
        path: Replaced when finished.
        motion: At a constant rate.
        rate_hz: Time steps per second of ``motion``.
        names: Bone names.
        scale: Units of the file per metre.

    Raises:
        PoseRigError: The motion is empty, or the file cannot be written.
    """
    if len(motion.t_ns) == 0:
        raise PoseRigError(f"There is no motion to write to {path}.", "Choose a part with a person.")
    bones = named_bones(motion.rest, names)
    with output_file(path) as partial, partial.open("w", encoding="ascii", newline="\n") as file:
        file.writelines(f"{line}\n" for line in _hierarchy(bones, scale))
        file.write(f"MOTION\nFrames: {len(motion.t_ns)}\nFrame Time: {1 / rate_hz:.9f}\n")
        _write_rows(file, _channels(bones, motion, scale))


def _hierarchy(bones: list[NamedBone], scale: float) -> Iterator[str]:
    yield "HIERARCHY"
    yield from _joint(bones, 0, scale, "")


def _joint(bones: list[NamedBone], index: int, scale: float, indent: str) -> Iterator[str]:
    """Yields the lines of a bone and its descendants."""
    bone, inner = bones[index], f"{indent}\t"
    root = bone.parent < 0
    yield f"{indent}{'ROOT' if root else 'JOINT'} {bone.name}"
    yield f"{indent}{{"
    yield f"{inner}OFFSET {_vector(np.zeros(3) if root else bone.offset * scale)}"
    yield f"{inner}CHANNELS {f'6 {POSITION}' if root else '3'} {ROTATION}"
    children = [child for child, other in enumerate(bones) if other.parent == index]
    for child in children:
        yield from _joint(bones, child, scale, inner)
    if not children:
        yield f"{inner}End Site"
        yield f"{inner}{{"
        yield f"{inner}\tOFFSET {_vector(bone.tip * scale)}"
        yield f"{inner}}}"
    yield f"{indent}}}"


def _vector(xyz: Floats) -> str:
    return " ".join(LENGTH % value for value in xyz)


def _channels(bones: list[NamedBone], motion: Motion, scale: float) -> Floats:
    """Returns (T,3 + 3 × bones) the channel values."""
    rows = np.zeros((len(motion.t_ns), 3 + 3 * len(bones)))
    rows[:, :3] = motion.root * scale
    for index, bone in enumerate(bones):
        if bone.source != EXTRA:
            rows[:, 3 + 3 * index : 6 + 3 * index] = zxy_deg(motion.rotation[:, bone.source])
    return rows


def _write_rows(file: TextIO, rows: Floats) -> None:
    line = " ".join([LENGTH] * 3 + [ANGLE] * (rows.shape[1] - 3)) + "\n"
    for first in range(0, len(rows), ROWS_PER_WRITE):
        part = rows[first : first + ROWS_PER_WRITE]
        file.write(line * len(part) % tuple(part.ravel().tolist()))


def zxy_deg(rotation: Floats) -> Floats:
    """Returns (T,3) degrees about z, x, y of one bone's rotations, continuous over time.

    The half angles follow from sums and differences of the quaternion's parts, which stay exact at x = ±90°; after
    Bernardes and Viollet, "Quaternion to Euler angles conversion", PLoS ONE 17(11), 2022.

    Args:
        rotation: (T,4) unit quaternions x, y, z, w.
    """
    x, y, z, w = rotation.T
    plus, minus = np.hypot(w + x, y + z), np.hypot(w - x, z - y)
    half_sum = _held(np.arctan2(y + z, w + x), plus < GIMBAL_LOCK_RAD)
    half_difference = _held(np.arctan2(z - y, w - x), minus < GIMBAL_LOCK_RAD)
    tilt = 2 * np.arctan2(plus - minus, plus + minus)
    return np.rad2deg(_continuous(np.stack([half_sum + half_difference, tilt, half_sum - half_difference], -1)))


def _held(angle: Floats, locked: NDArray[np.bool_]) -> Floats:
    """Returns (T,) the angles, with the last unlocked one where they are locked (0 at the beginning)."""
    last = np.maximum.accumulate(np.where(locked, -1, np.arange(len(angle))))
    return np.where(last < 0, 0.0, angle[last])


def _continuous(zxy: Floats) -> Floats:
    """Returns (T,3) the equivalent triples of radians nearest to those of the previous time step."""
    out = np.vstack([np.zeros((1, 3)), zxy])
    # the distance of two triples is unchanged if both are replaced by their twins: only changes count
    stay = np.abs(_wrapped(out[1:] - out[:-1])).sum(1)
    change = np.abs(_wrapped(_twin(out[1:]) - out[:-1])).sum(1)
    twin = np.cumsum(change < stay) % 2 == 1
    out[1:] = np.where(twin[:, None], _twin(zxy), zxy)
    return np.unwrap(out, axis=0)[1:]


def _twin(zxy: Floats) -> Floats:
    """Returns (T,3) the other angles, in radians, of the same rotations."""
    return np.asarray([np.pi, np.pi, np.pi] + zxy * [1.0, -1.0, 1.0])


def _wrapped(angle: Floats) -> Floats:
    """Returns radians within ±π."""
    return np.asarray((angle + np.pi) % (2 * np.pi) - np.pi)
