"""Training and evaluation footage from any source: synchronised 2D poses of a person in front of one rig.

Axes: T frames, V views, J = 17 joints.
"""

from dataclasses import dataclass, fields, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pose_rig.errors import UsageError
from pose_rig.skeleton import J

InputFrame = Literal["ray", "image"]  # `pose_rig.lifting.model.LifterConfig.frame`

Single = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class GroundTruth:
    """True poses, known for simulated rigs and benchmarks only; self-supervised training does not read them.

    Attributes:
        joints: (T,V,J,3) m, in the axes of each camera (x right, y down, z forward).
        xy_px: (T,V,J,2) projections of the joints.
    """

    joints: Single
    xy_px: Single


@dataclass(frozen=True, slots=True, eq=False)
class Footage:
    """A person in front of one rig, or the frames of several people, one after the other.

    Attributes:
        name: Name of the take, for messages and tables.
        subject: Name of the person.
        xy_px: (T,V,J,2) px, x right, y down; undefined where the score is 0.
        score: (T,V,J) 0–1, 0 = not visible, also where a view has no image.
        size_px: (V,2) image width, height.
        focal_px: (V,) known or assumed.
        moving: Whether the cameras move.
        camera_from_rig: (V,3,3) rotations if the rig has solved them, else None.
        truth: For scores and supervised training, else None.
        depth_px: (T,V,J) as estimated by the detector (`pose_rig.wire.messages.Keypoints2D`), NaN = unknown; None = all
            are.
    """

    name: str
    subject: str
    xy_px: Single
    score: Single
    size_px: Single
    focal_px: Single
    moving: bool = False
    camera_from_rig: Single | None = None
    truth: GroundTruth | None = None
    depth_px: Single | None = None

    def __post_init__(self) -> None:
        """Checks the shapes.

        Raises:
            UsageError: An array has another shape than the 2D poses require.
        """
        t, v = self.xy_px.shape[:2]
        expected = {"xy_px": (t, v, J, 2), "score": (t, v, J), "size_px": (v, 2), "focal_px": (v,)}
        if self.depth_px is not None:
            expected["depth_px"] = (t, v, J)
        for name, shape in expected.items():
            if (found := getattr(self, name).shape) != shape:
                raise UsageError(f"{self.name}: {name} has the shape {found}.", f"These 2D poses require {shape}.")

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.xy_px)

    @property
    def views(self) -> int:
        """Number of cameras."""
        return int(self.xy_px.shape[1])

    def without_depths(self) -> "Footage":
        """Returns the footage as of a detector that estimates no depths."""
        return replace(self, depth_px=None)

    def at(self, index: NDArray[np.integer] | NDArray[np.bool_] | slice) -> "Footage":
        """Returns the footage of some frames."""
        truth = self.truth
        if truth is not None:
            truth = GroundTruth(*(getattr(truth, field.name)[index] for field in fields(truth)))
        depth_px = None if self.depth_px is None else self.depth_px[index]
        return replace(self, xy_px=self.xy_px[index], score=self.score[index], truth=truth, depth_px=depth_px)
