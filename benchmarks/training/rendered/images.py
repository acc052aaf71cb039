"""Images of posed people: clothes, backgrounds, light, things in front of them.

Axes: V vertices, H×W pixels. Colours are 0–255, RGB.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.training.rendered.bodies import Bodies
from benchmarks.training.rendered.raster import draw, normals
from pose_rig.arrays import Floats

Pixels = NDArray[np.float32]

SKINS = ((0.93, 0.76, 0.65), (0.85, 0.65, 0.5), (0.65, 0.45, 0.32), (0.4, 0.27, 0.2), (0.95, 0.82, 0.74))
HAIR = (1.0, 0.8, 0.6)
# what covers the bones of these names, and how often
CLOTHES = (
    ("trousers", ("root", "pelvis", "upperleg", "lowerleg01"), 1.0), ("trousers", ("lowerleg02",), 0.75),
    ("shoes", ("foot", "toe"), 1.0), ("shirt", ("spine", "clavicle", "shoulder01", "upperarm01"), 1.0),
    ("shirt", ("upperarm02",), 0.7), ("shirt", ("lowerarm",), 0.4),
)  # fmt: skip
BACKGROUND_PX = 600
IN_FRONT_SHARE = 0.12  # of the images have something in front of the person


@dataclass(frozen=True, slots=True)
class View:
    """What a camera sees of a person.

    Attributes:
        vertices: (V,3) m, camera axes.
        joints: (J,3) m, camera axes.
        camera_from_room: (3,3), room y up.
        focal_px: Focal length.
        size_px: Image (width, height).
    """

    vertices: Floats
    joints: Floats
    camera_from_room: Floats
    focal_px: float
    size_px: tuple[int, int]

    @property
    def joints_px(self) -> Floats:
        """(J,2)."""
        return np.asarray(self.focal_px * self.joints[:, :2] / self.joints[:, 2:] + np.array(self.size_px) / 2)


class Studio:
    """Makes images of people.

    Args:
        bodies: The people.
        rng: Random generator.
        backgrounds: Their number.
    """

    def __init__(self, bodies: Bodies, rng: np.random.Generator, backgrounds: int = 80) -> None:
        self._bodies, self._rng = bodies, rng
        self._main_bone = np.array(bodies.names)[bodies.bones[np.arange(len(bodies.bones)), bodies.weights.argmax(1)]]
        self._backgrounds = [_background(rng) for _ in range(backgrounds)]
        self._noise = rng.normal(0, 1, (BACKGROUND_PX, BACKGROUND_PX, 3)).astype(np.float32)

    def image(self, person: int, view: View) -> NDArray[np.uint8]:
        """Returns (H,W,3) an image of a person in new clothes."""
        rng, (width, height) = self._rng, view.size_px
        image = self._part(self._backgrounds[rng.integers(len(self._backgrounds))], width, height)
        image = image * np.float32(rng.uniform(0.6, 1.3))
        lit = self._colours(person) * self._light(view)[:, None]
        draw(image, view.vertices, self._bodies.triangles, lit, view.focal_px)
        if rng.random() < IN_FRONT_SHARE:
            corner = view.joints_px[rng.integers(len(view.joints))] - rng.uniform(0, (60, 30))
            _rectangle(image, corner, rng.uniform((20, 20), (110, 160)), rng.uniform(20, 230, 3))
        blurred = cv2.GaussianBlur(image, (3, 3), rng.uniform(0.3, 0.8))
        noisy = blurred + np.float32(rng.uniform(0, 5)) * self._part(self._noise, width, height)
        return np.asarray(np.clip(noisy, 0, 255), np.uint8)

    def _part(self, whole: Pixels, width: int, height: int) -> Pixels:
        row, column = (self._rng.integers(0, BACKGROUND_PX - side + 1) for side in (height, width))
        part = whole[row : row + height, column : column + width]
        return part[:, ::-1].copy() if self._rng.random() < 0.5 else part.copy()

    def _light(self, view: View) -> Floats:
        """Returns (V,) the brightness: a lamp, the sky, and the camera's side."""
        rng, normal = self._rng, normals(view.vertices, self._bodies.triangles)
        lamp = rng.normal((0, -1, -0.6), 1)
        diffuse = np.maximum(normal @ (lamp / np.linalg.norm(lamp)), 0)
        ambient, lamp_share, sky = rng.uniform(0.25, 0.6), rng.uniform(0.2, 0.7), rng.uniform(0, 0.3)
        sky_part, own_part = 0.5 - 0.5 * normal[:, 1], 0.15 * np.maximum(-normal[:, 2], 0)
        return np.asarray(ambient + lamp_share * diffuse + sky * sky_part + own_part)

    def _colours(self, person: int) -> Floats:
        """Returns (V,3): skin, clothes, hair, eyes."""
        rng, rest = self._rng, self._bodies.vertices[person]
        skin = np.array(SKINS[rng.integers(len(SKINS))])
        colour = {name: rng.uniform(0.03, 0.95, 3) * rng.uniform(0.4, 1) for name in ("shirt", "trousers", "shoes")}
        out = np.tile(skin, (len(rest), 1))
        for name, bones, share in CLOTHES:
            if rng.random() < share:
                out[self._covers(bones)] = colour[name]
        if rng.random() < 0.3:
            stripe = np.sin(rest[:, 1] * rng.uniform(60, 160)) > 0
            out[stripe & (out == colour["shirt"]).all(1)] *= rng.uniform(0.4, 0.9)
        self._paint_head(out, rest, rng.choice([0.05, 0.12, 0.3, 0.5]) * np.array(HAIR))
        return np.asarray(255 * out * np.clip(rng.normal(1, 0.05, (len(out), 1)), 0.6, 1.4))

    def _covers(self, bones: tuple[str, ...]) -> NDArray[np.bool_]:
        """Returns (V,) which vertices belong to the bones whose names begin so."""
        return np.asarray(np.char.startswith(self._main_bone[:, None], np.array(bones)).any(1))

    def _paint_head(self, colours: Floats, rest: Floats, hair: Floats) -> None:
        nose, *eyes = self._bodies.face @ rest
        ears = self._bodies.joints(rest)[10]
        head = self._covers(("head", "eye", "neck03"))
        long = self._rng.uniform(0.03, 0.2)
        behind = (rest[:, 2] < ears[2] + 0.01) & (rest[:, 1] > ears[1] - long)
        colours[head & (behind | (rest[:, 1] > eyes[0][1] + 0.055))] = hair
        front = head & (rest[:, 2] > ears[2] + 0.05)
        for eye in eyes:
            colours[head & (np.linalg.norm(rest - eye, axis=1) < 0.012)] = 0.08
            brow = np.abs(rest[:, :2] - eye[:2] - (0, 0.03)) < (0.022, 0.006)
            colours[front & brow.all(1)] = 0.7 * hair
        mouth = np.abs(rest[:, :2] - nose[:2] + (0, 0.045)) < (0.024, 0.008)
        colours[front & mouth.all(1)] *= (0.75, 0.45, 0.45)


def _background(rng: np.random.Generator) -> Pixels:
    """Returns a wall with blotches, a floor, and furniture made of rectangles."""
    side = BACKGROUND_PX
    image = np.full((side, side, 3), np.clip(rng.uniform(30, 230) + rng.normal(0, 20, 3), 10, 245), np.float32)
    for octave in range(6):
        cells = 3 * 2**octave
        grey = rng.normal(0, rng.uniform(2, 30) / (1 + 0.5 * octave), (cells, cells, 1))
        coloured = grey + rng.normal(0, rng.uniform(0, 10), (cells, cells, 3))
        smooth = cv2.INTER_CUBIC if rng.random() < 0.7 else cv2.INTER_NEAREST
        image += cv2.resize(coloured.astype(np.float32), (side, side), interpolation=smooth)
    floor = image[int(side * rng.uniform(0.4, 0.9)) :]
    floor[:] = 0.8 * floor - 0.5 * floor.mean((0, 1)) + 0.7 * rng.uniform(20, 200, 3)
    for _ in range(rng.integers(0, 9)):
        colour = np.clip(rng.uniform(0, 255) + rng.normal(0, 30, 3), 0, 255)
        _rectangle(image, rng.uniform(0, side, 2), rng.uniform(10, (200, 400)), colour)
    return image


def _rectangle(image: Pixels, corner: Floats, size: Floats, colour: Floats) -> None:
    (x, y), (right, bottom) = np.maximum(corner, 0).astype(int), np.maximum(corner + size, 0).astype(int)
    image[y:bottom, x:right] = colour
