"""Drawing a solved rig to scale: a top view, and below it a front view in the viewing direction of camera 0.

Frame ``rig``: m, y up, floor at y = 0, optical axis of camera 0 along −z. Axes: V cameras.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Polygon
from matplotlib.patheffects import AbstractPathEffect, withStroke
from matplotlib.ticker import MultipleLocator

from pose_rig.arrays import Floats
from pose_rig.config import SolvedCamera
from pose_rig.errors import PoseRigError, UsageError
from pose_rig.tools.report.plot_style import CAMERA_COLOURS, GREY, label, styled
from pose_rig.tools.rig_files.rig_camera import (
    RigCamera,
    SolvedCameras,
    camera_from_rig,
    corner_directions,
    optical_axis,
    position_m,
    solved_cameras,
)

# (2,3) page_from_rig: right and up on the page
TOP_VIEW = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
FRONT_VIEW = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
WIDTH_IN, DPI = 9.0, 130
BORDERS_IN = (0.75, 0.25, 0.9, 0.75, 0.75)  # left, right, bottom, between the views, top
CAMERA_MARGIN_M = np.array([0.9, 0.5, 0.9])  # around the outermost cameras
MIN_EXTENT_M = np.array([1.5, 2.0, 1.5])  # around the person, and above the floor
MIN_ASPECT = 0.65  # width of the page over the heights of both views
PYRAMID_DEPTH = 0.09  # of a drawn viewing pyramid, share of the drawing
MAX_SLANT = 2.0  # length of the edges of the pyramid of a wide lens over its depth
CIRCLE_SD = 2.0
MAX_CIRCLE = 0.04  # radius of the largest enlarged circle, share of the drawing
ENLARGEMENTS = (50, 20, 10, 5, 2, 1)
PERSON_M = 1.7  # height of the figure at the origin
LABEL_GAP_PX = 9.0
LABEL_ITERATIONS = 200
LABEL_PULL = 0.05  # share of the way back to its preferred position that a label moves in the first iteration
FLOOR = "#f1ede6"


def draw_rig(cameras: Sequence[RigCamera], path: Path, title: str) -> None:
    """Draws the solved cameras of a rig, at least one, into a PNG.

    Raises:
        UsageError: The path does not end in .png.
        PoseRigError: The file cannot be written.
    """
    if path.suffix.lower() != ".png":
        raise UsageError(f"The drawing is a PNG; got {path}.", f"Try --picture {path.with_suffix('.png')}.")
    solved = solved_cameras(cameras)
    low, high = bounds(np.stack([position_m(camera) for _, _, camera in solved]))
    figure, top, front = _page(low, high, title)
    size_m = float((high - low).max())
    enlarged = _enlargement([camera for _, _, camera in solved], size_m)
    _draw_person(top, front)
    for axes, view in ((top, TOP_VIEW), (front, FRONT_VIEW)):
        for index, _, camera in solved:
            _draw_camera(axes, view, camera, CAMERA_COLOURS(index % 10), PYRAMID_DEPTH * size_m, enlarged)
        _draw_labels(axes, view, solved, enlarged)
    figure.text(0.5, 0.12 / figure.get_figheight(), _legend(enlarged, solved), ha="center", color=GREY, fontsize=9)
    try:
        figure.savefig(path)
    except OSError as error:
        raise PoseRigError(f"Cannot write {path}: {error.strerror}.", "Check the folder of --picture.") from error


def bounds(position: Floats) -> tuple[Floats, Floats]:
    """Returns the lower and the upper corner (3,) of the drawn space, for camera positions (V,3); all in m."""
    low = np.minimum(position.min(0) - CAMERA_MARGIN_M, -MIN_EXTENT_M)
    high = np.maximum(position.max(0) + CAMERA_MARGIN_M, MIN_EXTENT_M)
    low[1] = min(position[:, 1].min() - CAMERA_MARGIN_M[1], -0.25)
    missing = (high - low)[1:].sum() * MIN_ASPECT - (high - low)[0]
    if missing > 0:  # a long, narrow rig: more floor on both sides keeps the page readable
        low[0], high[0] = low[0] - missing / 2, high[0] + missing / 2
    return low, high


def _page(low: Floats, high: Floats, title: str) -> tuple[Figure, Axes, Axes]:
    """Returns an empty page with the top view above the front view, at the same scale."""
    left, right, bottom, between, over = BORDERS_IN
    width, height, depth = high - low
    in_per_m = (WIDTH_IN - left - right) / width
    height_in = bottom + height * in_per_m + between + depth * in_per_m + over
    figure = Figure(figsize=(WIDTH_IN, height_in), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    wide = (WIDTH_IN - left - right) / WIDTH_IN
    front = styled(figure.add_axes((left / WIDTH_IN, bottom / height_in, wide, height * in_per_m / height_in)))
    bottom_of_top = (bottom + height * in_per_m + between) / height_in
    top = styled(figure.add_axes((left / WIDTH_IN, bottom_of_top, wide, depth * in_per_m / height_in)))
    for axes, text in ((top, "top view"), (front, "front view, in the viewing direction of camera 0")):
        axes.set_title(text, loc="left", fontsize=10, color=GREY)
        axes.xaxis.set_major_locator(MultipleLocator(1 if width < 16 else 5))
        axes.yaxis.set_major_locator(MultipleLocator(1 if max(width, depth) < 16 else 5))
        axes.set_aspect("equal")
        axes.set_xlim(low[0], high[0])
    top.set_ylim(-high[2], -low[2])
    top.yaxis.set_major_formatter(lambda value, _: f"{0 - value:g}".replace("-", "−"))
    label(top, "z, m (towards camera 0)", "x, m")
    front.set_ylim(low[1], high[1])
    label(front, "height, m", "x, m")
    front.axhspan(low[1], 0, color=FLOOR, zorder=0)
    front.axhline(0, color=GREY, linewidth=1)
    figure.text(left / WIDTH_IN, 1 - 0.36 / height_in, title, fontsize=13, fontweight="bold")
    return figure, top, front


def _draw_person(top: Axes, front: Axes) -> None:
    """Draws the origin and a standing figure."""
    top.plot([0], [0], marker="+", markersize=14, color=GREY)
    top.annotate("origin", (0, 0), (6, -12), textcoords="offset points", color=GREY, fontsize=8)
    hip, neck, head = 0.53 * PERSON_M, 0.83 * PERSON_M, 0.93 * PERSON_M
    for line in (
        [(-0.13, 0.0), (0.0, hip), (0.13, 0.0)],
        [(0.0, hip), (0.0, neck)],
        [(-0.27, hip), (0.0, 0.79 * PERSON_M), (0.27, hip)],
    ):
        front.plot(*zip(*line, strict=True), color=GREY, linewidth=1.5, solid_capstyle="round")
    front.add_patch(Circle((0, head), 0.07 * PERSON_M, color=GREY, linewidth=0))


def _draw_camera(
    axes: Axes, view: Floats, camera: SolvedCamera, colour: tuple[float, ...], depth_m: float, enlarged: int
) -> None:
    """Draws a camera: viewing pyramid, optical axis as far as the person, and uncertainty of the position."""
    position = position_m(camera)
    corners = corner_directions(camera)
    corners = corners / np.maximum(np.linalg.norm(corners, axis=1, keepdims=True) / MAX_SLANT, 1.0)
    far = (position + depth_m * corners @ camera_from_rig(camera)) @ view.T
    near = view @ position
    for i in range(4):
        axes.add_patch(Polygon([near, far[i], far[(i + 1) % 4]], color=colour, alpha=0.13, linewidth=0))
        axes.plot(*np.stack([near, far[i], far[(i + 1) % 4]]).T, color=colour, linewidth=1.0, alpha=0.9)
    axis = optical_axis(camera)
    end = view @ (position + max(float(-position @ axis), depth_m) * axis)
    axes.plot(*np.stack([near, end]).T, color=colour, linewidth=0.9, linestyle=(0, (1, 3)))
    axes.plot(*near, marker="o", markersize=4, color=colour)
    axes.add_patch(
        Circle((near[0], near[1]), _radius_m(camera, enlarged), facecolor="none", edgecolor=colour, linewidth=1.0)
    )


def _draw_labels(axes: Axes, view: Floats, solved: SolvedCameras, enlarged: int) -> None:
    """Writes the names behind the cameras, without overlap."""
    halo: list[AbstractPathEffect] = [withStroke(linewidth=3, foreground="white")]
    texts = [
        axes.text(0, 0, name, color=CAMERA_COLOURS(index % 10), weight="bold", size=9, ha="center", va="center")
        for index, name, _ in solved
    ]
    for text in texts:
        text.set_path_effects(halo)
    sizes = np.array([[text.get_window_extent().width, text.get_window_extent().height] for text in texts])
    points = axes.transData.transform([view @ position_m(camera) for _, _, camera in solved])
    px_per_m = axes.transData.transform([1.0, 0.0])[0] - axes.transData.transform([0.0, 0.0])[0]
    radius = px_per_m * np.array([_radius_m(camera, enlarged) for _, _, camera in solved])
    behind = np.stack([-view @ optical_axis(camera) for _, _, camera in solved])
    frame = axes.get_window_extent()
    centres = place_labels(points, radius, sizes, behind, np.array([[frame.x0, frame.y0], [frame.x1, frame.y1]]))
    for text, (x, y) in zip(texts, axes.transData.inverted().transform(centres), strict=True):
        text.set_position((x, y))


def _radius_m(camera: SolvedCamera, enlarged: int) -> float:
    return CIRCLE_SD * camera.translation_sd_m * enlarged


def _enlargement(cameras: Sequence[SolvedCamera], size_m: float) -> int:
    """Returns the factor by which the circles are enlarged to be visible."""
    largest = max(CIRCLE_SD * camera.translation_sd_m for camera in cameras)
    return next((times for times in ENLARGEMENTS if largest * times <= MAX_CIRCLE * size_m), 1)


def _legend(enlarged: int, solved: SolvedCameras) -> str:
    larger = f", drawn {enlarged}× larger" if enlarged > 1 else ""
    clocks = ", ".join(f"{name} {one.time_offset_s:+.3f} s" for _, name, one in solved if one.time_offset_s)
    return (
        f"Circles: ±{CIRCLE_SD:g} standard deviations of the position{larger}. Figure: {PERSON_M:.2f} m, for scale."
        + (f"\nClocks: {clocks}." if clocks else "")
    )


def place_labels(points: Floats, radius: Floats, sizes: Floats, away: Floats, frame: Floats) -> Floats:
    """Returns (V,2) centres of labels next to their points, inside the frame, with as little overlap as possible.

    Args:
        points: (V,2) px.
        radius: (V,) free space around each point, px.
        sizes: (V,2) width and height of each label, px.
        away: (V,2) preferred direction of each label from its point; any length.
        frame: (2,2) lower and upper corner of the area for labels, px.
    """
    length = np.linalg.norm(away, axis=1, keepdims=True)
    direction = np.where(length > 1e-3, away / np.maximum(length, 1e-9), [0.0, 1.0])
    home = points + direction * (sizes / 2 + LABEL_GAP_PX / 2 + radius[:, None])
    centres = home.copy()
    boxes = np.concatenate([sizes, np.full_like(sizes, LABEL_GAP_PX)])  # the points must not be covered either
    for done in range(LABEL_ITERATIONS):
        centres += LABEL_PULL * (1 - done / LABEL_ITERATIONS) * (home - centres)
        centres += _push(np.concatenate([centres, points]), boxes)[: len(points)]
        centres = np.clip(centres, frame[0] + sizes / 2, frame[1] - sizes / 2)
    return centres


def _push(centres: Floats, sizes: Floats) -> Floats:
    """Returns (N,2) the steps that separate overlapping boxes, each along the axis of least overlap."""
    apart = centres[:, None] - centres[None]
    overlap = (sizes[:, None] + sizes[None]) / 2 + 2.0 - np.abs(apart)
    hit = (overlap > 0).all(-1) & ~np.eye(len(centres), dtype=bool)
    along = np.eye(2)[overlap.argmin(-1)]
    order = np.arange(len(centres))
    side = np.where(apart == 0, np.sign(order[:, None] - order)[..., None], np.sign(apart))
    return np.asarray((hit[..., None] * along * side * overlap / 2).sum(1))
