import numpy as np
import pytest

from pose_rig.geometry import rotation_from_vector
from tests.fusion.simulated import SIZE_PX, acrobat, calibration, images


@pytest.mark.parametrize("k1", [0.0, 0.1, -0.12, -0.35])
def test_points_are_seen_where_the_formula_says(k1: float) -> None:
    cameras, people = calibration(3, focal_px=(700.0, 1100.0), k1=k1), acrobat(5)
    seen, depth = cameras.project(people)
    assert seen == pytest.approx(images(people, cameras))
    assert depth == pytest.approx(
        np.stack([people @ r[2] + t[2] for r, t in zip(cameras.rotation, cameras.translation, strict=True)], 1)
    )


@pytest.mark.parametrize("k1", [0.0, 0.1, -0.12, -0.35])
def test_flat_undoes_the_lens(k1: float) -> None:
    cameras, people = calibration(3, focal_px=(700.0, 1100.0), k1=k1), acrobat(5)
    local = np.einsum("vij,nkj->nvki", cameras.rotation, people) + cameras.translation[:, None]
    assert cameras.ideal_xy(images(people, cameras)) == pytest.approx(local[..., :2] / local[..., 2:], abs=1e-5)


def test_one_pose_alone_has_no_leading_axis() -> None:
    cameras, people = calibration(3), acrobat(2)
    seen, depth = cameras.project(people[1])
    assert (seen.shape, depth.shape) == ((3, 17, 2), (3, 17))
    assert seen == pytest.approx(cameras.project(people)[0][1])
    assert cameras.ideal_xy(seen).shape == (3, 17, 2)


def test_what_a_camera_looks_at_is_in_the_middle_of_its_picture() -> None:
    cameras = calibration(2)
    ahead = cameras.centre[0] + 2.5 * cameras.rotation[0, 2]
    seen, depth = cameras.project(ahead[None])
    assert seen[0, 0] == pytest.approx(0.5 * np.array(SIZE_PX))
    assert depth[0, 0] == pytest.approx(2.5)


def test_a_camera_sees_nothing_at_its_own_place_and_says_so() -> None:
    cameras = calibration(2)
    assert cameras.rotation @ cameras.centre[..., None] == pytest.approx(-cameras.translation[..., None])
    seen, depth = cameras.project(np.stack([cameras.centre[0], cameras.centre[0] - cameras.rotation[0, 2]]))
    assert np.isfinite(seen).all()
    assert depth[0] == pytest.approx([0.0, -1.0], abs=1e-9)


def test_in_another_frame_the_pictures_are_the_same() -> None:
    cameras, people = calibration(3, k1=0.05), acrobat(4)
    turn, origin, scale = rotation_from_vector(np.array([0.3, -1.1, 0.4])), np.array([0.5, -2.0, 1.0]), 1.7
    moved = cameras.transformed(turn, origin, scale)
    there = scale * (people - origin) @ turn.T
    seen, depth = moved.project(there)
    assert seen == pytest.approx(cameras.project(people)[0])
    assert depth == pytest.approx(scale * cameras.project(people)[1])
    assert moved.centre == pytest.approx(scale * (cameras.centre - origin) @ turn.T)
    assert moved.translation_sd == pytest.approx(scale * cameras.translation_sd)
    assert moved.rotation_sd == pytest.approx(cameras.rotation_sd)
