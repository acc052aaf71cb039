from pathlib import Path

import cv2
import numpy as np
import pytest

from pose_rig.errors import PoseRigError, UsageError
from pose_rig.tools.report.plot_style import CAMERA_COLOURS
from pose_rig.tools.rig_files.drawing import DPI, WIDTH_IN, bounds, draw_rig, place_labels
from pose_rig.tools.rig_files.rig_camera import RigCamera, corner_directions, horizontal_fov_deg, position_m
from tests.tools.rigs import facing, places, solved


@pytest.mark.parametrize("count", [1, 2, 8])
def test_every_solved_camera_is_drawn_in_its_colour(tmp_path: Path, count: int) -> None:
    path = tmp_path / "rig.png"
    draw_rig([*places(count), RigCamera("lost", None)], path, "studio.toml")
    image = cv2.imread(str(path))
    assert image is not None
    assert image.shape[1] == round(WIDTH_IN * DPI)
    for member in range(10):
        colour = 255 * np.array(CAMERA_COLOURS(member)[2::-1])
        drawn = (abs(image - colour).max(-1) < 12).sum() > 100
        assert drawn == (member < count), member


def test_both_views_have_one_scale_and_show_all_cameras(tmp_path: Path) -> None:
    rig = [facing("near", 0.0), RigCamera("high", solved(3, translation_m=(0.0, 3.5, 9.0)))]
    position = np.stack([position_m(place.solved) for place in rig if place.solved])
    low, high = bounds(position)
    assert (low < position).all()
    assert (high > position).all()
    assert low[1] < 0
    path = tmp_path / "rig.png"
    draw_rig(rig, path, "x")
    image = cv2.imread(str(path))
    assert image is not None
    left, right, below, between, over = (0.75, 0.25, 0.9, 0.75, 0.75)
    inch = (WIDTH_IN - left - right) / (high - low)[0]
    assert image.shape[0] == pytest.approx(DPI * (below + between + over + inch * (high - low)[1:].sum()), abs=2)


def test_a_long_narrow_rig_still_fits_a_page() -> None:
    low, high = bounds(np.array([[0.0, 1.0, -9.0], [0.0, 1.0, 9.0]]))
    assert (high - low)[0] >= 0.6 * (high - low)[1:].sum()


def test_the_pyramid_of_a_wide_lens_is_as_wide_as_its_view() -> None:
    wide = solved(0, focal_px=560.0, k1=0.0, distortion=(0.03, 0.002, -0.001, 0.0), fisheye=True)
    corners = corner_directions(wide)
    assert corners[0, :2].tolist() == pytest.approx((-corners[2, :2]).tolist())
    half_deg = np.degrees(np.arctan(np.linalg.norm(corners[:, :2], axis=1)))
    assert (half_deg > 70).all()
    assert horizontal_fov_deg(wide) == pytest.approx(2 * np.degrees(np.arctan(corners[1, 0])), rel=0.1)
    shifted = corner_directions(solved(0, k1=0.0, principal_point_px=(700.0, 360.0)))
    assert -shifted[0, 0] > shifted[1, 0]


def test_labels_do_not_overlap() -> None:
    points = np.array([[100.0, 100.0], [103.0, 101.0], [102.0, 99.0], [100.0, 100.0]])
    sizes = np.tile([60.0, 14.0], (4, 1))
    frame = np.array([[0.0, 0.0], [300.0, 300.0]])
    centres = place_labels(points, np.zeros(4), sizes, np.zeros((4, 2)), frame)
    apart = abs(centres[:, None] - centres[None])[np.triu_indices(4, 1)]
    assert ((apart[:, 0] > 55) | (apart[:, 1] > 12)).all()
    assert (centres - sizes / 2 >= frame[0]).all()
    assert (centres + sizes / 2 <= frame[1]).all()


def test_a_drawing_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"The drawing is a PNG; got rig\.svg\. Try --picture rig\.png"):
        draw_rig([RigCamera("a", solved(0))], Path("rig.svg"), "x")
    with pytest.raises(PoseRigError, match=r"Cannot write .*: No such file or directory. Check the folder of"):
        draw_rig([RigCamera("a", solved(0))], tmp_path / "no" / "rig.png", "x")
