"""A solved rig as a picture, to scale: from above, and below that the way camera 0 looks.

Frame ``rig``: m, y up, floor at y = 0, camera 0 looks along −z. Axes: V cameras.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Polygon
from matplotlib.patheffects import AbstractPathEffect, withStroke
from matplotlib.ticker import MultipleLocator

from pose_rig.arrays import Floats
from pose_rig.config import SolvedCamera
from pose_rig.errors import PoseRigError, UsageError
from pose_rig.tools.rig_files.rig_camera import RigCamera, axis, position_m, rotation

# Which of (x, y, z) go right and up the page.
ABOVE = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
FRONT = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
WIDTH_IN, DPI = 9.0, 130
BORDERS_IN = (0.75, 0.25, 0.9, 0.75, 0.75)  # left, right, below, between the views, above
AROUND_M = np.array([0.9, 0.5, 0.9])  # room beside, above and below, before and behind the outermost camera
LEAST_M = np.array([1.5, 2.0, 1.5])  # shown on each side of the person in any case, and above the floor
MOST_UPRIGHT = 0.65  # width of the page over the heights of both views, at least
PYRAMID = 0.09  # depth of the drawn viewing pyramid, share of the picture
CIRCLE_SD = 2.0
LARGEST_CIRCLE = 0.04  # share of the picture that the largest circle may fill once enlarged
ENLARGED = (50, 20, 10, 5, 2, 1)
PERSON_M = 1.7  # a figure at the origin, for scale
GAP_PX = 9.0
ROUNDS = 200
BACK = 0.05  # how strongly a label is drawn back to where it belongs, at first
COLOURS = colormaps["tab10"]
GREY, GRID, FLOOR = "#8a919c", "#e3e6eb", "#f1ede6"


def draw(places: Sequence[RigCamera], path: Path, title: str) -> None:
    """Draws the solved cameras of a rig into a PNG.

    Args:
        places: The cameras, at least one solved.
        path: Where to.
        title: What the picture is called.

    Raises:
        UsageError: The path is no PNG.
        PoseRigError: It cannot be written.
    """
    if path.suffix.lower() != ".png":
        raise UsageError(f"The picture is a PNG, and {path} is none.", f"Try --picture {path.with_suffix('.png')}.")
    solved = [(number, place.name, place.solved) for number, place in enumerate(places) if place.solved]
    low, high = bounds(np.stack([position_m(camera) for _, _, camera in solved]))
    figure, above, front = _page(low, high, title)
    size_m = float((high - low).max())
    enlarged = _enlarged([camera for _, _, camera in solved], size_m)
    _person(above, front)
    for axes, view in ((above, ABOVE), (front, FRONT)):
        for number, _, camera in solved:
            _camera(axes, view, camera, COLOURS(number % 10), PYRAMID * size_m, enlarged)
        _names(axes, view, solved, enlarged)
    figure.text(0.5, 0.12 / figure.get_figheight(), _legend(enlarged), ha="center", color=GREY, fontsize=9)
    try:
        figure.savefig(path)
    except OSError as error:
        raise PoseRigError(f"Cannot write {path}: {error.strerror}.", "Check the folder of --picture.") from error


def bounds(position: Floats) -> tuple[Floats, Floats]:
    """Returns the lower and the upper corner (3,) of what is shown, for cameras at (V,3); all in m."""
    low = np.minimum(position.min(0) - AROUND_M, -LEAST_M)
    high = np.maximum(position.max(0) + AROUND_M, LEAST_M)
    low[1] = min(position[:, 1].min() - AROUND_M[1], -0.25)
    missing = (high - low)[1:].sum() * MOST_UPRIGHT - (high - low)[0]
    if missing > 0:  # a long and narrow rig: more floor beside it keeps the page from becoming a ribbon
        low[0], high[0] = low[0] - missing / 2, high[0] + missing / 2
    return low, high


def _page(low: Floats, high: Floats, title: str) -> tuple[Figure, Axes, Axes]:
    """Returns an empty page with the two views, both at the same scale and one under the other."""
    left, right, below, between, over = BORDERS_IN
    width, height, depth = high - low
    inch = (WIDTH_IN - left - right) / width  # per metre
    tall_in = below + height * inch + between + depth * inch + over
    figure = Figure(figsize=(WIDTH_IN, tall_in), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    wide = (WIDTH_IN - left - right) / WIDTH_IN
    front = figure.add_axes((left / WIDTH_IN, below / tall_in, wide, height * inch / tall_in))
    start = (below + height * inch + between) / tall_in
    above = figure.add_axes((left / WIDTH_IN, start, wide, depth * inch / tall_in))
    for axes, text in ((above, "from above"), (front, "from the front, as camera 0 looks")):
        axes.set_title(text, loc="left", fontsize=10, color=GREY)
        axes.xaxis.set_major_locator(MultipleLocator(1 if width < 16 else 5))
        axes.yaxis.set_major_locator(MultipleLocator(1 if max(width, depth) < 16 else 5))
        axes.grid(color=GRID, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(colors=GREY, length=0, labelsize=8)
        axes.spines[:].set_visible(False)
        axes.set_aspect("equal")
        axes.set_xlim(low[0], high[0])
        axes.set_xlabel("x, m", color=GREY, fontsize=9)
    above.set_ylim(-high[2], -low[2])
    above.yaxis.set_major_formatter(lambda value, _: f"{0 - value:g}".replace("-", "−"))
    above.set_ylabel("z, m (towards camera 0)", color=GREY, fontsize=9)
    front.set_ylim(low[1], high[1])
    front.set_ylabel("height, m", color=GREY, fontsize=9)
    front.axhspan(low[1], 0, color=FLOOR, zorder=0)
    front.axhline(0, color=GREY, linewidth=1)
    figure.text(left / WIDTH_IN, 1 - 0.36 / tall_in, title, fontsize=13, fontweight="bold")
    return figure, above, front


def _person(above: Axes, front: Axes) -> None:
    """Draws the origin, and somebody standing there."""
    above.plot([0], [0], marker="+", markersize=14, color=GREY)
    above.annotate("origin", (0, 0), (6, -12), textcoords="offset points", color=GREY, fontsize=8)
    hip, neck, head = 0.53 * PERSON_M, 0.83 * PERSON_M, 0.93 * PERSON_M
    for line in (
        [(-0.13, 0.0), (0.0, hip), (0.13, 0.0)],
        [(0.0, hip), (0.0, neck)],
        [(-0.27, hip), (0.0, 0.79 * PERSON_M), (0.27, hip)],
    ):
        front.plot(*zip(*line, strict=True), color=GREY, linewidth=1.5, solid_capstyle="round")
    front.add_patch(Circle((0, head), 0.07 * PERSON_M, color=GREY, linewidth=0))


def _camera(
    axes: Axes, view: Floats, camera: SolvedCamera, colour: tuple[float, ...], depth_m: float, enlarged: int
) -> None:
    """Draws a camera as its viewing pyramid, its axis until above the person, and how well its place is known."""
    place = position_m(camera)
    half = np.array(camera.size_px) / 2 / camera.focal_px
    corners = np.array([[x * half[0], y * half[1], 1.0] for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))])
    far = (place + depth_m * corners @ rotation(camera)) @ view.T
    near = view @ place
    for i in range(4):
        axes.add_patch(Polygon([near, far[i], far[(i + 1) % 4]], color=colour, alpha=0.13, linewidth=0))
        axes.plot(*np.stack([near, far[i], far[(i + 1) % 4]]).T, color=colour, linewidth=1.0, alpha=0.9)
    end = view @ (place + max(float(-place @ axis(camera)), depth_m) * axis(camera))
    axes.plot(*np.stack([near, end]).T, color=colour, linewidth=0.9, linestyle=(0, (1, 3)))
    axes.plot(*near, marker="o", markersize=4, color=colour)
    axes.add_patch(
        Circle((near[0], near[1]), _radius_m(camera, enlarged), facecolor="none", edgecolor=colour, linewidth=1.0)
    )


def _names(axes: Axes, view: Floats, solved: Sequence[tuple[int, str, SolvedCamera]], enlarged: int) -> None:
    """Writes the names behind the cameras, clear of each other."""
    halo: list[AbstractPathEffect] = [withStroke(linewidth=3, foreground="white")]
    texts = [
        axes.text(0, 0, name, color=COLOURS(number % 10), weight="bold", size=9, ha="center", va="center")
        for number, name, _ in solved
    ]
    for text in texts:
        text.set_path_effects(halo)
    sizes = np.array([[text.get_window_extent().width, text.get_window_extent().height] for text in texts])
    points = axes.transData.transform([view @ position_m(camera) for _, _, camera in solved])
    px_per_m = axes.transData.transform([1.0, 0.0])[0] - axes.transData.transform([0.0, 0.0])[0]
    radius = px_per_m * np.array([_radius_m(camera, enlarged) for _, _, camera in solved])
    behind = np.stack([-view @ axis(camera) for _, _, camera in solved])
    frame = axes.get_window_extent()
    centres = spread(points, radius, sizes, behind, np.array([[frame.x0, frame.y0], [frame.x1, frame.y1]]))
    for text, (x, y) in zip(texts, axes.transData.inverted().transform(centres), strict=True):
        text.set_position((x, y))


def _radius_m(camera: SolvedCamera, enlarged: int) -> float:
    return CIRCLE_SD * camera.translation_sd_m * enlarged


def _enlarged(cameras: Sequence[SolvedCamera], size_m: float) -> int:
    """Returns how many times larger the circles are drawn so that they can be seen."""
    largest = max(CIRCLE_SD * camera.translation_sd_m for camera in cameras)
    return next((times for times in ENLARGED if largest * times <= LARGEST_CIRCLE * size_m), 1)


def _legend(enlarged: int) -> str:
    larger = f", drawn {enlarged}× larger" if enlarged > 1 else ""
    return f"Circles: ±{CIRCLE_SD:g} standard deviations of the position{larger}. Figure: {PERSON_M:.2f} m, for scale."


def spread(points: Floats, radius: Floats, sizes: Floats, away: Floats, frame: Floats) -> Floats:
    """Returns (V,2) centres of labels that lie beside their points, inside the frame, and overlap as little as can be.

    Args:
        points: (V,2) px.
        radius: (V,) room to keep around each point, px.
        sizes: (V,2) width and height of each label, px.
        away: (V,2) where each label would best lie, seen from its point; any length.
        frame: (2,2) lower and upper corner of where labels may lie, px.
    """
    length = np.linalg.norm(away, axis=1, keepdims=True)
    direction = np.where(length > 1e-3, away / np.maximum(length, 1e-9), [0.0, 1.0])
    home = points + direction * (sizes / 2 + GAP_PX / 2 + radius[:, None])
    centres = home.copy()
    boxes = np.concatenate([sizes, np.full_like(sizes, GAP_PX)])  # the points themselves must not be covered either
    for done in range(ROUNDS):
        centres += BACK * (1 - done / ROUNDS) * (home - centres)
        centres += _push(np.concatenate([centres, points]), boxes)[: len(points)]
        centres = np.clip(centres, frame[0] + sizes / 2, frame[1] - sizes / 2)
    return centres


def _push(centres: Floats, sizes: Floats) -> Floats:
    """Returns (N,2) the steps that part overlapping boxes, each along the axis on which they overlap least."""
    apart = centres[:, None] - centres[None]
    overlap = (sizes[:, None] + sizes[None]) / 2 + 2.0 - np.abs(apart)
    hit = (overlap > 0).all(-1) & ~np.eye(len(centres), dtype=bool)
    along = np.eye(2)[overlap.argmin(-1)]
    order = np.arange(len(centres))
    side = np.where(apart == 0, np.sign(order[:, None] - order)[..., None], np.sign(apart))
    return np.asarray((hit[..., None] * along * side * overlap / 2).sum(1))
