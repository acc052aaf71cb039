"""Movement as BVH, with Blender's idea of it: y up, the person faces +z and has the left hand at +x.

These are the axes of ``rig``, so nothing is turned. Blender, Maya and MotionBuilder take the root's position channels
as places, three.js and others add the root's offset to them: with an offset of zero all agree. BVH has no units and no
comments, so neither the unit nor what the scale rests on can be said in the file.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.atomic_file import output_file
from pose_rig.errors import PoseRigError
from pose_rig.humanoid.bones import Motion
from pose_rig.session.formats.bone_names import EXTRA, NamedBone, Names, named_bones
from pose_rig.session.formats.euler import zxy_deg

CENTIMETRES_PER_M = 100.0
ROTATION = "Zrotation Xrotation Yrotation"
POSITION = "Xposition Yposition Zposition"
# the lever of a tall person's leg turns 0.0001° into 2 µm
ANGLE = "%.4f"
LENGTH = "%.6f"
# lines formatted at once: 2 MB of text
LINES = 4096


def write_bvh(
    path: Path, motion: Motion, *, rate_hz: float, names: Names = "vrm", scale: float = CENTIMETRES_PER_M
) -> None:
    """Writes a movement as BVH.

    Args:
        path: Where to; what is there already is replaced when all is written.
        motion: What to write, at even distances.
        rate_hz: Instants per second of ``motion``.
        names: Whose bone names.
        scale: Units of the file per metre.

    Raises:
        PoseRigError: There is no movement, or the file cannot be written.
    """
    if len(motion.t_ns) == 0:
        raise PoseRigError(f"There is no movement to write to {path}.", "Choose a part in which somebody is seen.")
    bones = named_bones(motion.rest, names)
    with output_file(path) as partial, partial.open("w", encoding="ascii", newline="\n") as file:
        file.writelines(f"{line}\n" for line in _hierarchy(bones, scale))
        file.write(f"MOTION\nFrames: {len(motion.t_ns)}\nFrame Time: {1 / rate_hz:.9f}\n")
        _write_rows(file, _channels(bones, motion, scale))


def _hierarchy(bones: list[NamedBone], scale: float) -> Iterator[str]:
    yield "HIERARCHY"
    yield from _joint(bones, 0, scale, "")


def _joint(bones: list[NamedBone], index: int, scale: float, indent: str) -> Iterator[str]:
    """Yields the lines of a bone and all below it."""
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
    """Returns (T,3 + 3 × bones) the numbers of the file."""
    rows = np.zeros((len(motion.t_ns), 3 + 3 * len(bones)))
    rows[:, :3] = motion.root * scale
    for index, bone in enumerate(bones):
        if bone.source != EXTRA:
            rows[:, 3 + 3 * index : 6 + 3 * index] = zxy_deg(motion.rotation[:, bone.source])
    return rows


def _write_rows(file: TextIO, rows: Floats) -> None:
    line = " ".join([LENGTH] * 3 + [ANGLE] * (rows.shape[1] - 3)) + "\n"
    for first in range(0, len(rows), LINES):
        part = rows[first : first + LINES]
        file.write(line * len(part) % tuple(part.ravel().tolist()))
