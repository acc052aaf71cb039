"""A mesh for a skeleton: a slim octahedron along every bone, as Blender draws bones."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.session.formats.bone_names import EXTRA, NamedBone

HALF_WIDTH_RATIO = 0.1  # of a bone's length
WIDEST_RATIO = 0.15  # position of the widest point along the bone
# corners: beginning, four around, end; faces are counterclockwise from outside
FACES = ((0, 2, 1), (0, 3, 2), (0, 4, 3), (0, 1, 4), (5, 1, 2), (5, 2, 3), (5, 3, 4), (5, 4, 1))
MIN_LENGTH_M = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """Triangles in T-pose, three consecutive corners each.

    Attributes:
        position: (N,3) m.
        normal: (N,3) unit vectors.
        bone: (N,) index of the bone.
    """

    position: Floats
    normal: Floats
    bone: NDArray[np.int64]


def figure(bones: list[NamedBone]) -> Figure:
    """Returns the mesh of a skeleton, without extra bones and those shorter than `MIN_LENGTH_M`."""
    begins = np.zeros((len(bones), 3))
    triangles: list[Floats] = []
    owners: list[int] = []
    for index, bone in enumerate(bones):
        begins[index] = bone.offset + (begins[bone.parent] if bone.parent >= 0 else 0.0)
        if bone.source != EXTRA and float(np.linalg.norm(bone.tip)) > MIN_LENGTH_M:
            triangles.append(begins[index] + _octahedron(bone.tip))
            owners.append(index)
    corner = np.concatenate(triangles)
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    return Figure(corner.reshape(-1, 3), normal.repeat(3, axis=0), np.repeat(owners, 3 * len(FACES)))


def _octahedron(tip: Floats) -> Floats:
    """Returns (8,3,3) m the triangles of a bone at the origin."""
    length = float(np.linalg.norm(tip))
    along = tip / length
    across = np.cross(along, np.eye(3)[np.abs(along).argmin()])
    across *= HALF_WIDTH_RATIO * length / np.linalg.norm(across)
    third = np.cross(along, across)
    around = WIDEST_RATIO * tip + np.array([across, third, -across, -third])
    corners = np.vstack([np.zeros((1, 3)), around, tip[None]])
    return np.asarray(corners[np.array(FACES)])
