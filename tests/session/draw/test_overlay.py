import numpy as np
import pytest

from pose_rig.session.draw.annotations import RAW, REFINED
from pose_rig.session.draw.overlay import (
    BACKGROUND,
    CAPTION_PX,
    MAX_SIZE_PX,
    Tile,
    canvas,
    draw_caption,
    draw_detections,
    draw_image,
    draw_refined,
    tiles,
)
from pose_rig.skeleton import J
from tests.session.drawable import SIZE_PX, seen

Sizes = list[tuple[int, int]]


@pytest.mark.parametrize(
    "sizes",
    [[(640, 480)], [(1920, 1080)] * 2, [(1080, 1920)] * 4, [(1281, 721), (720, 1280), (64, 48)], [(1920, 1080)] * 16],
)
def test_tiles_are_apart_inside_and_in_proportion(sizes: Sizes) -> None:
    layout = tiles([f"cam{i}" for i in range(len(sizes))], sizes)
    image = canvas(layout)
    assert image.shape[0] % 2 == image.shape[1] % 2 == 0
    assert image.shape[1] <= MAX_SIZE_PX[0] + 1
    assert image.shape[0] <= MAX_SIZE_PX[1] + CAPTION_PX + 1
    covered = np.zeros(image.shape[:2], int)
    for tile, (width, height) in zip(layout, sizes, strict=True):
        covered[tile.corner_px[1] :, tile.corner_px[0] :][: tile.size_px[1], : tile.size_px[0]] += 1
        assert tile.scale <= 1
        assert tile.size_px == (max(1, round(width * tile.scale)), max(1, round(height * tile.scale)))
    assert covered.max() == 1
    assert covered.sum() == sum(tile.size_px[0] * tile.size_px[1] for tile in layout)


def test_four_upright_videos_stand_side_by_side() -> None:
    layout = tiles(list("abcd"), [(1080, 1920)] * 4)
    assert [tile.corner_px for tile in layout] == [(0, 0), (480, 0), (960, 0), (1440, 0)]


def near(image: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], xy: tuple[float, float], bgr: object) -> bool:
    """Returns whether a colour is within two pixels of a place."""
    x, y = round(xy[0]), round(xy[1])
    part = image[y - 2 : y + 3, x - 2 : x + 3].astype(int)
    return bool((np.abs(part - np.array(bgr)).max(-1) < 40).any())


def test_detections_and_the_refined_pose_are_drawn_where_they_are() -> None:
    tile = Tile("cam0", (100, 40), (640, 360), 0.5)
    image = np.zeros((420, 760, 3), np.uint8)
    xy, score = seen(0), np.ones(J, np.float32)
    score[16] = 0
    draw_detections(image, tile, "rig17", xy[None], score[None])
    for joint in (6, 13):  # an ankle, a wrist
        assert near(image, tuple(xy[joint] * 0.5 + tile.corner_px), RAW[::-1])
    assert not near(image, tuple(xy[16] * 0.5 + tile.corner_px), RAW[::-1])
    draw_refined(image, tile, xy.astype(float) + np.array([40.0, 0.0]))
    assert near(image, tuple((xy[6] + np.array([40.0, 0.0])) * 0.5 + tile.corner_px), REFINED[::-1])


def test_nothing_is_drawn_outside_its_tile_or_where_it_is_unknown() -> None:
    tile = Tile("cam0", (100, 40), (640, 360), 0.5)
    image = np.zeros((420, 760, 3), np.uint8)
    away = np.full((1, J, 2), 1e5, np.float32)
    away[:, ::2] = np.nan
    draw_detections(image, tile, "rig17", away, np.ones((1, J), np.float32))
    draw_refined(image, tile, seen(0).astype(float) + np.array([SIZE_PX[0], 0.0]))
    draw_detections(image, tile, "rig17", np.zeros((0, J, 2), np.float32), np.zeros((0, J), np.float32))
    assert not image.any()


def test_an_image_fills_its_tile_and_none_leaves_the_background() -> None:
    layout = tiles(["a", "b"], [(64, 48)] * 2)
    image = canvas(layout)
    draw_image(image, layout[0], np.full((48, 64, 3), 200, np.uint8))
    draw_image(image, layout[1], None)
    assert (layout[0].cut_from(image) == 200).all()
    assert (layout[1].cut_from(image) == BACKGROUND).all()


def test_a_caption_replaces_the_last_one() -> None:
    image = canvas(tiles(["a"], [(1280, 720)]))
    draw_caption(image, "1.00 s")
    first = image.copy()
    draw_caption(image, "2.00 s solved")
    draw_caption(image, "1.00 s")
    assert (image == first).all()
    assert image[-CAPTION_PX:].std() > 5
