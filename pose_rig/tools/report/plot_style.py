"""The common style of the plots of a report: width, axes, colours of sides, modes and cameras."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from pose_rig.arrays import Floats
from pose_rig.session.formats.poses import Poses

WIDTH_IN, DPI = 11.0, 120
LEFT_IN, RIGHT_IN = 0.95, 0.35
TITLE_IN, BELOW_IN, BETWEEN_IN = 0.62, 0.55, 0.3
CAMERA_COLOURS = colormaps["tab10"]
RIGHT_COLOUR, LEFT_COLOUR, PERSON_COLOUR = "#d9483b", "#2f7de1", "#5b6470"
PEOPLE_COLOURS = ("#0b736e", "#2a5fb8", "#a82e7c", "#5c7a0e", "#6546b8", "#a04a24")
MODE_COLOURS = {"cold": "#b8c4d6", "settled": "#f2c14e", "solved": "#4fae72"}
INK, GREY, GRID, GAP_COLOUR = "#20242b", "#7b838f", "#e6e9ee", "#c8322b"
MINUTES_FROM_S = 180.0
MAX_LINE_POINTS = 20_000  # more would fall on the same pixels
LEGEND_COLUMNS = 8
MAX_LINE_GAP_S = 0.5  # lines are interrupted in longer gaps


def person_colour(poses: Poses | None) -> str:
    """Returns the colour of the person of some poses."""
    return PEOPLE_COLOURS[(poses.person if poses is not None else 0) % len(PEOPLE_COLOURS)]


def page(title: str, note: str, heights_in: Sequence[float], columns: int = 1) -> tuple[Figure, list[Axes]]:
    """Returns a figure and its empty axes, left to right and top to bottom.

    Args:
        title: Title of the figure.
        note: How to read it, in one line.
        heights_in: Height of every row.
        columns: Axes per row.
    """
    tall_in = TITLE_IN + sum(heights_in) + BETWEEN_IN * (len(heights_in) - 1) + BELOW_IN
    figure = Figure(figsize=(WIDTH_IN, tall_in), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    figure.text(LEFT_IN / WIDTH_IN, 1 - 0.24 / tall_in, title, fontsize=13, fontweight="bold", color=INK, va="center")
    figure.text(LEFT_IN / WIDTH_IN, 1 - 0.47 / tall_in, note, fontsize=9, color=GREY, va="center")
    gap_in = 0.75
    wide_in = (WIDTH_IN - LEFT_IN - RIGHT_IN - gap_in * (columns - 1)) / columns
    out, top_in = [], tall_in - TITLE_IN
    for height_in in heights_in:
        top_in -= height_in
        for column in range(columns):
            left_in = LEFT_IN + column * (wide_in + gap_in)
            box = (left_in / WIDTH_IN, top_in / tall_in, wide_in / WIDTH_IN, height_in / tall_in)
            out.append(styled(figure.add_axes(box)))
        top_in -= BETWEEN_IN
    return figure, out


def styled(axes: Axes) -> Axes:
    """Returns the axes with a light grid and no frame."""
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=GREY, length=0, labelsize=8)
    axes.spines[:].set_visible(False)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    return axes


def time_axis(axes: Sequence[Axes], duration_s: float) -> None:
    """Sets the same time axis for all axes; only the last ones show its numbers."""
    minutes = duration_s > MINUTES_FROM_S
    for each in axes:
        each.set_xlim(0.0, max(duration_s, 1e-3))
        each.xaxis.set_major_locator(MaxNLocator(10, steps=[1, 2, 3, 6, 10] if minutes else None))
        each.xaxis.set_major_formatter(FuncFormatter(_clock if minutes else _seconds))
        each.tick_params(labelbottom=each is axes[-1])
    axes[-1].set_xlabel("min:s" if minutes else "s", color=GREY, fontsize=9)


def label(axes: Axes, y: str, x: str = "") -> None:
    """Labels the axes."""
    axes.set_ylabel(y, color=GREY, fontsize=9)
    if x:
        axes.set_xlabel(x, color=GREY, fontsize=9)


def annotate(axes: Axes, text: str, xy: tuple[float, float], offset: tuple[float, float], **how: Any) -> None:
    """Writes a small text near a point; ``offset`` is in typographic points."""
    options: dict[str, Any] = {"fontsize": 8, "color": INK, **how}
    axes.annotate(text, xy, offset, textcoords="offset points", **options)


def legend(axes: Axes, inside: bool = False) -> None:
    """Adds a legend to the right of the title of the figure, or in the upper right corner of the axes."""
    figure = axes.get_figure(root=True)
    if figure is None or not axes.get_legend_handles_labels()[0]:
        return
    corner = (1 - RIGHT_IN / WIDTH_IN, 1 - 0.24 / figure.get_figheight())
    anchor, frame = ((1.0, 1.0), axes.transAxes) if inside else (corner, figure.transFigure)
    axes.legend(
        loc="upper right" if inside else "center right", bbox_to_anchor=anchor, bbox_transform=frame,
        ncols=LEGEND_COLUMNS, frameon=False,
        fontsize=8, labelcolor=INK, borderaxespad=0.0, handlelength=1.4, columnspacing=1.2,
    )  # fmt: skip


def line(axes: Axes, x: Floats, y: Floats, colour: str | tuple[float, ...], name: str = "", width: float = 1.1) -> None:
    """Draws a line, interrupted in gaps and reduced to the resolution of a page."""
    step = max(1, len(x) // MAX_LINE_POINTS)
    x, y = x[::step], np.array(y[::step], float)
    gaps = np.flatnonzero(
        np.diff(x) > max(MAX_LINE_GAP_S, 3 * step * float(np.median(np.diff(x)))) if len(x) > 2 else []
    )
    x, y = np.insert(x, gaps + 1, x[gaps]), np.insert(y, gaps + 1, np.nan)
    axes.plot(x, y, color=colour, linewidth=width, label=name or "_", solid_joinstyle="round")


def empty_note(axes: Axes, text: str) -> None:
    """Writes into empty axes why they are empty."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=GREY, fontsize=10)
    axes.set_yticks([])


def _clock(value: float, _: object) -> str:
    return f"{int(value // 60)}:{int(value % 60):02d}"


def _seconds(value: float, _: object) -> str:
    return f"{value:g}"
