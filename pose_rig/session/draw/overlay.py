"""The images of all cameras side by side, with the detected and the refined 2D poses drawn on them.

Axes: V cameras, P people, K landmarks, J joints. Images are (H,W,3) uint8 BGR.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats, Image
from pose_rig.session.draw.annotations import RAW, landmark_bones, person_colour
from pose_rig.skeleton import BONES

MAX_SIZE_PX = (1920, 1060)  # of all tiles together; with the caption full HD
CAPTION_PX = 20
BACKGROUND, TEXT, SHADOW = (34, 30, 28), (235, 235, 235), (0, 0, 0)
FONT, FONT_SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.5
LINE_SHARE = 1 / 300  # of the larger side of a tile
FINE_SCALE = 0.4  # below, pixels are averaged, which takes ten times as long as interpolating them


@dataclass(frozen=True, slots=True)
class Tile:
    """The place of one camera in the image.

    Attributes:
        name: The camera.
        corner_px: (x, y) of its upper left corner.
        size_px: (width, height).
        scale: Pixels there per pixel of the camera.
    """

    name: str
    corner_px: tuple[int, int]
    size_px: tuple[int, int]
    scale: float

    @property
    def line_px(self) -> int:
        """Width of the lines."""
        return max(1, round(max(self.size_px) * LINE_SHARE))

    def cut_from(self, image: Image) -> Image:
        """Returns the part of an image that the tile covers, as a view."""
        (x, y), (width, height) = self.corner_px, self.size_px
        return image[y : y + height, x : x + width]


def tiles(names: Sequence[str], sizes_px: Sequence[tuple[int, int]]) -> list[Tile]:
    """Returns the tiles of cameras with images of these sizes, in rows, as large as `MAX_SIZE_PX` allows."""
    layouts = [_in_columns(names, sizes_px, columns) for columns in range(1, len(names) + 1)]
    return max(layouts, key=lambda layout: sum(tile.size_px[0] * tile.size_px[1] for tile in layout))


def _in_columns(names: Sequence[str], sizes_px: Sequence[tuple[int, int]], columns: int) -> list[Tile]:
    rows = -(-len(names) // columns)
    cell = MAX_SIZE_PX[0] // columns, MAX_SIZE_PX[1] // rows
    scales = [min(1.0, cell[0] / width, cell[1] / height) for width, height in sizes_px]
    shown = [
        (max(1, round(width * scale)), max(1, round(height * scale)))
        for (width, height), scale in zip(sizes_px, scales, strict=True)
    ]
    wide, tall = max(width for width, _ in shown), max(height for _, height in shown)
    return [
        Tile(name, (place % columns * wide, place // columns * tall), size, scale)
        for place, (name, size, scale) in enumerate(zip(names, shown, scales, strict=True))
    ]


def canvas(layout: Sequence[Tile]) -> Image:
    """Returns the empty image for tiles and caption; its sides are even, as video needs them."""
    width = max(tile.corner_px[0] + tile.size_px[0] for tile in layout)
    height = max(tile.corner_px[1] + tile.size_px[1] for tile in layout) + CAPTION_PX
    return np.full((height + height % 2, width + width % 2, 3), BACKGROUND, np.uint8)


def draw_image(image: Image, tile: Tile, source: Image | None) -> None:
    """Draws the image of a camera; None leaves the background."""
    part = tile.cut_from(image)
    if source is None:
        part[:] = BACKGROUND
    else:
        how = cv2.INTER_AREA if tile.scale < FINE_SCALE else cv2.INTER_LINEAR
        part[:] = cv2.resize(source, tile.size_px, interpolation=how)


def draw_detections(
    image: Image, tile: Tile, schema: str, xy_PK2: NDArray[np.float32], score_PK: NDArray[np.float32]
) -> None:
    """Draws all detected people, px of the camera, in amber: points, and lines along limbs and trunk."""
    part, colour = tile.cut_from(image), RAW[::-1]
    for xy, visible in zip(xy_PK2 * tile.scale, score_PK > 0, strict=True):
        for one, other in landmark_bones(schema):
            if visible[one] and visible[other]:
                _line(part, xy[one], xy[other], colour, tile.line_px)
        for point in xy[visible]:
            if _drawable(point):
                cv2.circle(part, _pixel(point), tile.line_px + 1, colour, cv2.FILLED, cv2.LINE_AA)


def draw_refined(image: Image, tile: Tile, xy_J2: Floats, person: int = 0) -> None:
    """Draws the refined pose of a person, px of the camera, in their colour; that of the first is green."""
    xy, colour = xy_J2 * tile.scale, person_colour(person)[::-1]
    for one, other in BONES:
        _line(tile.cut_from(image), xy[one], xy[other], colour, 2 * tile.line_px)


def draw_text(image: Image, xy_px: tuple[int, int], text: str, colour: tuple[int, int, int] = TEXT) -> None:
    """Writes a line of text whose lower left corner is at ``xy_px``, with a shadow."""
    cv2.putText(image, text, (xy_px[0] + 1, xy_px[1] + 1), FONT, FONT_SCALE, SHADOW, 1, cv2.LINE_AA)
    cv2.putText(image, text, xy_px, FONT, FONT_SCALE, colour, 1, cv2.LINE_AA)


def draw_caption(image: Image, text: str, people: Sequence[int] = (0,)) -> None:
    """Writes the caption below the tiles, with the meaning of the colours."""
    refined = [("refined" if len(people) < 2 else f"person {one + 1}", person_colour(one)[::-1]) for one in people]
    image[-CAPTION_PX:] = BACKGROUND
    at = (6, image.shape[0] - 6)
    for words, colour in ((text, TEXT), ("detected", RAW[::-1]), *refined):
        draw_text(image, at, words, (colour[0], colour[1], colour[2]))
        at = at[0] + cv2.getTextSize(words, FONT, FONT_SCALE, 1)[0][0] + 16, at[1]


def _line(
    image: Image, one: NDArray[np.floating], other: NDArray[np.floating], colour: Sequence[int], width_px: int
) -> None:
    if _drawable(one) and _drawable(other):
        cv2.line(image, _pixel(one), _pixel(other), colour, width_px, cv2.LINE_AA)


def _drawable(xy: NDArray[np.floating]) -> bool:
    """Returns whether a point is known, and near enough for OpenCV's coordinates."""
    return bool((np.abs(xy) < 1 << 14).all())  # NaN is not


def _pixel(xy: NDArray[np.floating]) -> tuple[int, int]:
    return round(float(xy[0])), round(float(xy[1]))
