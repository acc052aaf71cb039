"""One instant as the fusion sees it: every candidate of every view, in its ray frame.

Axes: C candidates over all views, V views, J = 17 joints.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pose_rig.fusion.sync import Sample
from pose_rig.geometry import complete_root, rectify
from pose_rig.skeleton import MIRROR, J, Landmarks

Floats = NDArray[np.float64]

FEWEST_JOINTS = 6  # below this a detection is no body


@dataclass(frozen=True, slots=True)
class Observation:
    """All candidates of one instant.

    Attributes:
        t_ns: The instant.
        view: (C,) which view each candidate belongs to.
        person: (C,) which person of that view's sample it is.
        xy_px: (C,J,2).
        score: (C,J) 0–1.
        flat: (C,J,2), norm: (C,), ray_from_camera: (C,3,3): see `pose_rig.geometry.rectify`.
        views: V.
    """

    t_ns: int
    view: NDArray[np.int64]
    person: NDArray[np.int64]
    xy_px: Floats
    score: Floats
    flat: Floats
    norm: Floats
    ray_from_camera: Floats
    views: int

    def with_mirrors(self) -> "Observation":
        """Returns all candidates and, after them, each once more with left and right exchanged.

        Detectors now and then take a back for a front; what they then call left is right.
        """
        order = list(MIRROR)
        return replace(
            self,
            view=np.tile(self.view, 2),
            person=np.tile(self.person, 2),
            xy_px=np.concatenate([self.xy_px, self.xy_px[:, order]]),
            score=np.concatenate([self.score, self.score[:, order]]),
            flat=np.concatenate([self.flat, self.flat[:, order]]),
            norm=np.tile(self.norm, 2),
            ray_from_camera=np.tile(self.ray_from_camera, (2, 1, 1)),
        )

    def of(self, view: int) -> NDArray[np.int64]:
        """Returns the candidates of a view."""
        return np.flatnonzero(self.view == view)


def observe(
    t_ns: int,
    samples: Sequence[Sample | None],
    landmarks: Sequence[Landmarks | None],
    focal_px: Floats,
    size_px: Floats,
) -> Observation:
    """Returns the candidates of one instant; people without shoulders and anything above or below are left out.

    Args:
        t_ns: The instant.
        samples: What each view saw, None if nothing.
        landmarks: Each view's landmark set, None until it has spoken.
        focal_px: (V,).
        size_px: (V,2).
    """
    view: list[int] = []
    person: list[int] = []
    joints: list[Floats] = []
    scores: list[Floats] = []
    for v, (sample, marks) in enumerate(zip(samples, landmarks, strict=True)):
        if sample is None or marks is None or not len(sample.xy_px):
            continue
        xy, score = marks.to_joints(sample.xy_px, sample.score)
        xy, rooted = complete_root(xy, score)
        for p in range(len(xy)):
            if (score[p] > 0).sum() >= FEWEST_JOINTS and rooted[p]:
                view.append(v)
                person.append(p)
                joints.append(xy[p])
                scores.append(score[p])
    index = np.array(view, np.int64)
    xy_px = np.array(joints).reshape(-1, J, 2)
    score_all = np.array(scores).reshape(-1, J)
    flat, norm, frame = rectify(xy_px, score_all, focal_px[index], size_px[index])
    return Observation(t_ns, index, np.array(person, np.int64), xy_px, score_all, flat, norm, frame, len(samples))
