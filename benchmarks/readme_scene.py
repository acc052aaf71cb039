"""The 3D half of the image in README.md: floor, solved cameras and skeleton in perspective.

Frame ``rig``: m, y up. Axes: T frames, J = 17 joints.
"""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Polygon

from pose_rig.arrays import Floats
from pose_rig.skeleton import BONES, INDEX, JOINTS

LEFT, RIGHT, TRUNK = "#1f78d1", "#e8641b", "#475160"
FLOOR, GRID, SHADOW = "#f1f4f7", "#dde2e9", "#c8ced8"
CAMERAS = ("#7a4fd0", "#12897b", "#b8860b", "#c2347f")
LABEL_PT = 13

EYE_M, TARGET_M = np.array([6.3, 6.4, 12.0]), np.array([0.0, 0.8, 0.0])
DISTANCE_M = float(np.linalg.norm(EYE_M - TARGET_M))
SIDES_M, BELOW_M = (-3.05, 3.07), -3.0  # left, right and lower edge of the page, at the distance of the target
FLOOR_RADIUS_M = 2.95
FRUSTUM_M = 0.6  # depth of the drawn viewing frustums
TRAIL_FRAMES = 36  # of hands and feet, before the last frame
TO_FLOOR = np.array([1.0, 0.0, 1.0])  # × a point = its projection onto the floor


@dataclass(frozen=True, slots=True, eq=False)
class SolvedView:
    """A solved camera.

    Attributes:
        name: Label.
        colour: Colour.
        position_m: (3,) in ``rig``.
        camera_from_rig: (3,3) rotation.
        half_size: (2,) half the width and height of the image / focal length.
    """

    name: str
    colour: str
    position_m: Floats
    camera_from_rig: Floats
    half_size: Floats

    @property
    def is_near(self) -> bool:
        """Whether the camera is nearer to the viewer than the person."""
        return bool(np.linalg.norm(self.position_m - EYE_M) < DISTANCE_M)


def draw_scene(axes: Axes, cameras: list[SolvedView], xyz_m: Floats) -> None:
    """Draws cameras and person, from far to near.

    Args:
        axes: Empty; its limits are set, with equal scales.
        cameras: The solved cameras.
        xyz_m: (T,J,3); the last frame is shown, the ones before it as trails.
    """
    size = axes.get_window_extent()
    axes.set_xlim(*SIDES_M)
    axes.set_ylim(BELOW_M, BELOW_M + (SIDES_M[1] - SIDES_M[0]) * size.height / size.width)
    _floor(axes)
    bones(axes, _on_page(xyz_m[-1] * TO_FLOOR), 6, SHADOW)
    for camera in cameras:
        if not camera.is_near:
            _camera(axes, camera)
    _trails(axes, xyz_m[-TRAIL_FRAMES - 1 :])
    skeleton(axes, _on_page(xyz_m[-1]), 7.5)
    for camera in cameras:
        if camera.is_near:
            _camera(axes, camera)


def skeleton(axes: Axes, xy: Floats, width: float) -> None:
    """Draws joints (J,2) and the bones between them, left and right in their colours, with a white edge."""
    bones(axes, xy, width + 3, "white")
    bones(axes, xy, width, None)
    for (x, y), name in zip(xy, JOINTS, strict=True):
        axes.plot(x, y, "o", ms=width + 2, color=_side(name), markeredgecolor="white", markeredgewidth=1.3)


def bones(axes: Axes, xy: Floats, width: float, colour: str | None) -> None:
    """Draws the bones between joints (J,2); without a colour, in the colours of the sides."""
    for parent, child in BONES:
        axes.plot(*xy[[parent, child]].T, color=colour or _side(JOINTS[child]), lw=width, solid_capstyle="round")


def _on_page(points_m: Floats) -> Floats:
    """Returns (…,2) the perspective projection of points (…,3): y up, m at the distance of the target."""
    back = (EYE_M - TARGET_M) / DISTANCE_M
    right = np.cross([0.0, 1.0, 0.0], back)
    right /= np.linalg.norm(right)
    local = (points_m - EYE_M) @ np.stack([right, np.cross(back, right), back]).T
    return np.asarray(local[..., :2] / -local[..., 2:] * DISTANCE_M, float)


def _floor(axes: Axes) -> None:
    """Draws a round floor with a grid of one metre."""
    turn = np.linspace(0, 2 * np.pi, 120)
    edge = FLOOR_RADIUS_M * np.stack([np.cos(turn), np.zeros_like(turn), np.sin(turn)], -1)
    axes.add_patch(Polygon(_on_page(edge), facecolor=FLOOR, edgecolor="none", zorder=0))
    for at in np.arange(-np.floor(FLOOR_RADIUS_M), FLOOR_RADIUS_M):
        half = np.sqrt(FLOOR_RADIUS_M**2 - at**2)
        for ends in ([[at, 0, -half], [at, 0, half]], [[-half, 0, at], [half, 0, at]]):
            axes.plot(*_on_page(np.array(ends, float)).T, color=GRID, lw=1.4, zorder=0)


def _trails(axes: Axes, xyz_m: Floats) -> None:
    """Draws the paths of hands and feet over the frames (T,J,3), fading into the past."""
    for name in ("l_wrist", "r_wrist", "l_ankle", "r_ankle"):
        path = _on_page(xyz_m[:, INDEX[name]])
        for i in range(len(path) - 1):
            alpha = 0.6 * (i + 1) / len(path)
            axes.plot(*path[i : i + 2].T, color=_side(name), lw=3, alpha=alpha, solid_capstyle="butt")


def _camera(axes: Axes, camera: SolvedView) -> None:
    """Draws a camera as its viewing frustum, and a line down to the floor."""
    corners = np.array(
        [[x * camera.half_size[0], y * camera.half_size[1], 1] for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    )
    far = _on_page(camera.position_m + FRUSTUM_M * corners @ camera.camera_from_rig)
    near, foot = _on_page(camera.position_m), _on_page(camera.position_m * TO_FLOOR)
    axes.plot(*np.stack([foot, near]).T, color=SHADOW, lw=1.6, linestyle=(0, (2, 2)), zorder=1)
    axes.plot(*foot, "o", ms=5, color=SHADOW, zorder=1)
    for i in range(4):
        side = [near, far[i], far[(i + 1) % 4]]
        axes.add_patch(Polygon(side, facecolor=camera.colour, alpha=0.16, lw=0))
        axes.plot(*np.stack(side).T, color=camera.colour, lw=1.8)
    axes.plot(*near, "o", ms=9, color=camera.colour)
    _label(axes, camera, near)


def _label(axes: Axes, camera: SolvedView, near: Floats) -> None:
    """Writes the name of a camera on the outer side of its position (2,) on the page."""
    right = near[0] > 0
    axes.annotate(
        camera.name, (near[0], near[1]), (12 if right else -12, 0), textcoords="offset points",
        ha="left" if right else "right", va="center", color=camera.colour, weight="bold", size=LABEL_PT,
    )  # fmt: skip


def _side(joint: str) -> str:
    return {"l_": LEFT, "r_": RIGHT}.get(joint[:2], TRUNK)
