"""Coordinate axes of engines, converted from ``rig`` (right-handed, y up).

A person who faces camera 0 faces the same way as the engine's imported characters. Every conversion changes order and
signs only, so a rotation is converted by its vector part alone.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from pose_rig.arrays import Floats

Name = Literal["rig", "unity", "unreal", "blender", "godot"]


@dataclass(frozen=True, eq=False)
class Axes:
    """One engine's axes.

    Attributes:
        name: Engine.
        order: (3,) coordinate of ``rig`` that becomes x, y, z.
        sign: (3,) its sign.
        up: Axis that points up.
        forward: Axis that a person facing camera 0 faces.
        unit: Unit of length.
        per_m: Units per metre.
    """

    name: Name
    order: tuple[int, int, int]
    sign: tuple[float, float, float]
    up: str
    forward: str
    unit: Literal["m", "cm"] = "m"
    per_m: float = 1.0

    @property
    def handedness(self) -> Literal["left", "right"]:
        """Handedness of the axes; those of ``rig`` are right-handed."""
        return "right" if self._parity > 0 else "left"

    @property
    def _parity(self) -> float:
        even = self.order in ((0, 1, 2), (1, 2, 0), (2, 0, 1))
        return float(np.prod(self.sign)) * (1.0 if even else -1.0)

    def points(self, xyz: Floats) -> Floats:
        """Returns points (...,3) m of ``rig`` in these axes and units."""
        return np.asarray(xyz[..., self.order] * self._scale)

    def rotations(self, q: Floats) -> Floats:
        """Returns quaternions (...,4), x y z w, of ``rig`` in these axes, by its vector part and the parity."""
        return np.asarray(q[..., (*self.order, 3)] * self._vector_sign)

    @cached_property
    def _scale(self) -> Floats:
        return np.array(self.sign) * self.per_m

    @cached_property
    def _vector_sign(self) -> Floats:
        return np.array([*(sign * self._parity for sign in self.sign), 1.0])


RIG = Axes("rig", (0, 1, 2), (1.0, 1.0, 1.0), "+y", "+z")
UNITY = Axes("unity", (0, 1, 2), (-1.0, 1.0, 1.0), "+y", "+z")
UNREAL = Axes("unreal", (0, 2, 1), (1.0, 1.0, 1.0), "+z", "+y", "cm", 100.0)
BLENDER = Axes("blender", (0, 2, 1), (1.0, -1.0, 1.0), "+z", "-y")
GODOT = Axes("godot", (0, 1, 2), (1.0, 1.0, 1.0), "+y", "+z")  # as glTF, from which Godot's characters come
AXES: dict[str, Axes] = {axes.name: axes for axes in (RIG, UNITY, UNREAL, BLENDER, GODOT)}
