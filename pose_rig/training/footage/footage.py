"""What training learns from, wherever it comes from: synchronised 2D poses of one person before one rig.

Axes: T instants, V views, J = 17 joints.
"""

from dataclasses import dataclass, fields, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pose_rig.errors import UsageError
from pose_rig.skeleton import J

Frame = Literal["ray", "image"]

Single = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class GroundTruth:
    """What is known only of simulated rigs and of benchmark data; nothing self-supervised ever reads it.

    Attributes:
        joints: (T,V,J,3) m, in each camera's axes (x right, y down, z away).
        xy_px: (T,V,J,2) where the joints are in the picture.
    """

    joints: Single
    xy_px: Single


@dataclass(frozen=True, slots=True, eq=False)
class Footage:
    """One person before one rig.

    Attributes:
        name: Of the take, for messages and tables.
        subject: Who it is; people of one name share their bones.
        xy_px: (T,V,J,2) px, x right, y down; meaningless where the score is 0.
        score: (T,V,J) 0–1, 0 = not seen; a view that is missing at an instant has seen nothing.
        size_px: (V,2) image width, height.
        focal_px: (V,) known or assumed.
        moving: Whether the cameras move; nothing is then shared between instants.
        rotation: (V,3,3) camera_from_rig if the rig has learned it by itself, else None.
        truth: For scoring and supervised training, else None.
    """

    name: str
    subject: str
    xy_px: Single
    score: Single
    size_px: Single
    focal_px: Single
    moving: bool = False
    rotation: Single | None = None
    truth: GroundTruth | None = None

    def __post_init__(self) -> None:
        """Checks the shapes.

        Raises:
            UsageError: They do not fit together.
        """
        t, v = self.xy_px.shape[:2]
        wanted = {"xy_px": (t, v, J, 2), "score": (t, v, J), "size_px": (v, 2), "focal_px": (v,)}
        for name, shape in wanted.items():
            if getattr(self, name).shape != shape:
                raise UsageError(
                    f"{self.name}: {name} has the shape {getattr(self, name).shape}.",
                    f"{shape} belongs to these 2D poses.",
                )

    @property
    def instants(self) -> int:
        """How many there are."""
        return len(self.xy_px)

    @property
    def views(self) -> int:
        """How many cameras there are."""
        return int(self.xy_px.shape[1])

    def at(self, index: NDArray[np.integer] | NDArray[np.bool_] | slice) -> "Footage":
        """Returns some of the instants."""
        truth = (
            None
            if self.truth is None
            else GroundTruth(*(getattr(self.truth, f.name)[index] for f in fields(GroundTruth)))
        )
        return replace(self, xy_px=self.xy_px[index], score=self.score[index], truth=truth)
