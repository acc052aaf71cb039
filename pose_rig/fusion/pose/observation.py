"""One time step: every candidate of every view, in its ray frame.

Axes: C candidates over all views, V views, J = 17 joints, A numbers of an appearance.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.pose.sync import Sample
from pose_rig.geometry import complete_root, ray_depths, rectify_ideal
from pose_rig.intrinsics import Intrinsics
from pose_rig.skeleton import MIRROR, J, Landmarks

MIN_JOINTS = 6  # visible, of a detection that counts as a person


@dataclass(frozen=True, slots=True)
class Observation:
    """All candidates of one time step.

    Attributes:
        t_ns: Time.
        view: (C,) index of each candidate's view.
        person: (C,) index of the person in that view's sample.
        xy_px: (C,J,2).
        ideal_xy: (C,J,2) the same in ideal coordinates, by the intrinsics in use.
        score: (C,J) 0–1.
        ray_xy: (C,J,2), norm: (C,), ray_from_camera: (C,3,3): see `pose_rig.geometry.rectify_ideal`.
        mirrored: (C,) whether left and right were exchanged.
        one_ear: (C,) whether the head is one ear alone.
        ray_depth: (C,J) as estimated by the detector, in units of ``ray_xy``; NaN = unknown.
        appearance: (C,A) as in `pose_rig.wire.messages.Keypoints2D`; 0 throughout where it is unknown, A = 0 if of all.
        views: V.
    """

    t_ns: int
    view: NDArray[np.int64]
    person: NDArray[np.int64]
    xy_px: Floats
    ideal_xy: Floats
    score: Floats
    ray_xy: Floats
    norm: Floats
    ray_from_camera: Floats
    mirrored: NDArray[np.bool_]
    one_ear: NDArray[np.bool_]
    ray_depth: Floats
    appearance: Floats
    views: int

    def with_mirrors(self) -> "Observation":
        """Returns all candidates, followed by each with left and right exchanged.

        Detectors sometimes confuse front and back; left and right are then exchanged.
        """
        order = list(MIRROR)
        twice: dict[str, Any] = {name: np.concatenate([getattr(self, name)] * 2) for name in self.__slots__[1:-1]}
        for name in ("xy_px", "ideal_xy", "score", "ray_xy", "ray_depth"):
            twice[name][len(self.view) :] = getattr(self, name)[:, order]
        twice["mirrored"][len(self.view) :] = ~self.mirrored
        return replace(self, **twice)

    def part(self, candidates: NDArray[np.int64]) -> "Observation":
        """Returns some of the candidates."""
        return replace(self, **{name: getattr(self, name)[candidates] for name in self.__slots__[1:-1]})

    @property
    def present(self) -> NDArray[np.bool_]:
        """(V,) views with a candidate."""
        return np.asarray(np.bincount(self.view, minlength=self.views) > 0)

    def candidates_of(self, view: int) -> NDArray[np.int64]:
        """Returns the indices of a view's candidates."""
        return np.flatnonzero(self.view == view)


@dataclass(frozen=True, slots=True)
class Observe:
    """What a time step observes, as a `Computation` that returns `Observation`; attributes are those of `observe`."""

    t_ns: int
    samples: Sequence[Sample | None]
    landmarks: Sequence[Landmarks | None]
    intrinsics: Intrinsics
    stage: ClassVar[int] = 0

    @property
    def kind(self) -> Hashable:
        """Observations of the same cameras."""
        return Observe, id(self.intrinsics), id(self.landmarks)

    def alone(self) -> Observation:
        """Returns the candidates of one time step."""
        return observe(self.t_ns, self.samples, self.landmarks, self.intrinsics)

    @classmethod
    def together(cls, computations: Sequence["Observe"]) -> list[Observation]:
        """Returns those of several time steps."""
        first, views = computations[0], len(computations[0].samples)
        samples = [sample for one in computations for sample in one.samples]
        seen = observe(0, samples, [*first.landmarks] * len(computations), first.intrinsics, views)
        bounds = np.searchsorted(seen.view, views * np.arange(len(computations) + 1)).tolist()
        return [
            _part(seen, slice(bounds[i], bounds[i + 1]), one.t_ns, i * views, views)
            for i, one in enumerate(computations)
        ]


def _part(seen: Observation, rows: slice, t_ns: int, first_view: int, views: int) -> Observation:
    return Observation(
        t_ns, seen.view[rows] - first_view, seen.person[rows], seen.xy_px[rows], seen.ideal_xy[rows], seen.score[rows],
        seen.ray_xy[rows], seen.norm[rows], seen.ray_from_camera[rows], seen.mirrored[rows], seen.one_ear[rows],
        seen.ray_depth[rows], seen.appearance[rows], views,
    )  # fmt: skip


def observe(
    t_ns: int,
    samples: Sequence[Sample | None],
    landmarks: Sequence[Landmarks | None],
    intrinsics: Intrinsics,
    cameras: int | None = None,
) -> Observation:
    """Returns the candidates of one time step, without people who lack a root or shoulders (`complete_root`).

    Args:
        t_ns: Time.
        samples: Detections of each view, None without any.
        landmarks: Each view's landmark set, None until its first sample.
        intrinsics: Of the cameras, assumed or solved.
        cameras: Their number where views are those of several time steps, one after the other; None = one each.
    """
    used = [(v, sample) for v, sample in enumerate(samples) if sample is not None and landmarks[v] is not None]
    view = np.repeat([v for v, _ in used], [len(sample.xy_px) for _, sample in used]).astype(np.int64)
    person = np.concatenate([np.arange(len(sample.xy_px)) for _, sample in used] or [np.zeros(0, np.int64)])
    xy_px, score, depth_px, one_ear = _joints([(landmarks[v], sample) for v, sample in used])
    xy_px, rooted = complete_root(xy_px, score)
    usable = rooted & ((score > 0).sum(-1) >= MIN_JOINTS)
    view, person, xy_px, score = view[usable], person[usable], xy_px[usable], score[usable]
    depth = ray_depths(depth_px[usable], xy_px, score)
    ideal_xy = intrinsics.ideal_xy(xy_px, view % (cameras or len(samples)))
    ray_xy, norm, ray_from_camera = rectify_ideal(ideal_xy, score)
    mirrored, one_ear = np.zeros(len(view), bool), one_ear[usable]
    appearance = _appearances([sample for _, sample in used])[usable]
    return Observation(
        t_ns, view, person, xy_px, ideal_xy, score, ray_xy, norm, ray_from_camera, mirrored, one_ear, depth,
        appearance, len(samples),
    )  # fmt: skip


def _joints(detected: Sequence[tuple[Landmarks | None, Sample]]) -> tuple[Floats, Floats, Floats, NDArray[np.bool_]]:
    """Returns the joints (C,J,2), scores (C,J), depths (C,J) px, and whose head is one ear (C,).

    One batch per landmark set; depths are NaN where unknown.
    """
    parts: list[tuple[Floats, Floats, Floats, NDArray[np.bool_]]] = [
        (np.zeros((0, J, 2)), np.zeros((0, J)), np.zeros((0, J)), np.zeros(0, bool))
    ]
    for marks, run in groupby(detected, key=lambda pair: pair[0]):
        if marks is not None:
            samples = [sample for _, sample in run]
            xy = np.concatenate([sample.xy_px for sample in samples])
            score = np.concatenate([sample.score for sample in samples])
            depth = np.concatenate([_depths(marks, sample) for sample in samples])
            parts.append((*marks.to_joints(xy, score), depth, marks.has_one_ear(score)))
    xy, score, depth, one_ear = (np.concatenate(column) for column in zip(*parts, strict=True))
    return xy, score, depth, one_ear


def _appearances(samples: Sequence[Sample]) -> Floats:
    """Returns (C,A), zeros where a camera has none, or one of another length than the longest."""
    length = max((sample.appearance.shape[1] for sample in samples if sample.appearance.ndim > 1), default=0)
    unknown = [np.zeros((len(sample.xy_px), length)) for sample in samples]
    rows = [
        sample.appearance if sample.appearance.shape == zeros.shape else zeros
        for sample, zeros in zip(samples, unknown, strict=True)
    ]
    return np.concatenate([*rows, np.zeros((0, length))])


def _depths(marks: Landmarks, sample: Sample) -> Floats:
    """Returns (P,J) px, NaN where the detector has none."""
    if not sample.depth_px.size:
        return np.full((len(sample.xy_px), J), np.nan)
    return marks.depths(sample.depth_px, sample.score)
