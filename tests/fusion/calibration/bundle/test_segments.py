"""Segments of known lengths."""

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.bundle.segments import (
    LENGTH_INDEX,
    MAX_STRETCH,
    POINTS,
    SEGMENTS,
    with_segment_lengths,
)
from pose_rig.skeleton import INDEX
from tests.fusion.simulated import LENGTH_M, acrobat, points_of

PEOPLE = points_of(acrobat(6))
TRUNK = slice(10, 12)  # its sides, of the segments


def lengths_of(points: Floats) -> Floats:
    """(S,) m."""
    return np.asarray(np.linalg.norm(SEGMENTS @ points, axis=-1))


def test_points_of_any_size_and_place_get_the_segments_of_a_person() -> None:
    assert lengths_of(PEOPLE[0])[TRUNK] == pytest.approx(LENGTH_M[6], rel=0.15)
    for true in PEOPLE:
        own = LENGTH_M * np.linspace(0.9, 1.1, len(LENGTH_M))
        found = with_segment_lengths(0.3 * true + 5.0, own)
        assert np.delete(lengths_of(found) / own[LENGTH_INDEX], TRUNK) == pytest.approx(1, abs=0.05)
        assert lengths_of(found)[TRUNK].mean() == pytest.approx(own[6], rel=0.1)
        direction, before = (SEGMENTS @ points for points in (found, true))
        cosine = (direction * before).sum(-1) / lengths_of(found) / lengths_of(true)
        assert cosine.min() > 0.98


def test_a_pose_with_the_right_segments_is_only_moved() -> None:
    own = np.array([lengths_of(PEOPLE[0])[i == LENGTH_INDEX].mean() for i in range(len(LENGTH_M))])
    found = with_segment_lengths(PEOPLE[0], own)
    moved = found - PEOPLE[0]
    assert np.ptp(moved, axis=0).max() < 0.02


def test_a_segment_without_length_is_not_stretched_to_infinity() -> None:
    flat = PEOPLE[0].copy()
    flat[POINTS.index(INDEX["l_wrist"])] = flat[POINTS.index(INDEX["l_elbow"])] + [0.0, 0.0, 1e-9]
    found = with_segment_lengths(flat, LENGTH_M)
    assert np.isfinite(found).all()
    forearm = found[POINTS.index(INDEX["l_wrist"])] - found[POINTS.index(INDEX["l_elbow"])]
    assert np.linalg.norm(forearm) < 2 * MAX_STRETCH * 1e-9 + 0.02
    assert np.isfinite(with_segment_lengths(np.zeros_like(flat), LENGTH_M)).all()
