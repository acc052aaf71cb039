"""A report on one page: statistics, and the plots below them, as an HTML file or a PNG."""

import base64
import html
import io
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imsave
from numpy.typing import NDArray

from pose_rig.atomic_file import output_file
from pose_rig.errors import UsageError
from pose_rig.joint_name import joint_name
from pose_rig.tools.report.data import ReportData
from pose_rig.tools.report.motion_plots import angle_plot, limb_length_plot, top_view, trajectory_plot
from pose_rig.tools.report.plot_style import DPI, GREY, INK, LEFT_IN, WIDTH_IN
from pose_rig.tools.report.rig_plots import camera_plot, latency_plot, reprojection_error_plot, timeline
from pose_rig.tools.report.statistics import CAMERA_HEADS, camera_statistics, session_statistics

SUFFIXES = (".html", ".png")
DEFAULT_JOINTS = ("head", "pelvis", "l_wrist", "r_wrist", "l_ankle", "r_ankle")
TITLE_IN, ROW_IN, FOOT_IN = 0.75, 0.24, 0.15
NOTE_CHARACTERS = 125  # of a line
VALUES_IN, CAMERAS_IN = 1.2, (5.7, 7.7, 8.65, 9.65, 10.65)  # left or right edges of the columns
CSS = """
body { font: 15px/1.45 system-ui, sans-serif; color: #20242b; max-width: 1100px; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.4em; } img { width: 100%; display: block; margin: 1.2em 0; }
.tables { display: flex; flex-wrap: wrap; gap: 1em 4em; } table { border-collapse: collapse; align-self: start; }
td, th { padding: .2em 1em .2em 0; text-align: left; font-variant-numeric: tabular-nums; vertical-align: top; }
th { color: #7b838f; font-weight: normal; } td + td + td, .cameras td + td, .cameras th + th { text-align: right; }
"""


def check_suffix(path: Path) -> None:
    """Checks the format of a report.

    Raises:
        UsageError: The suffix is neither .html nor .png.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"A report is {' or '.join(SUFFIXES)}; got {path}.", f"Try --out {path.with_suffix('.html')}.")


def write_report(data: ReportData, path: Path, joints: Sequence[str] = DEFAULT_JOINTS) -> None:
    """Writes a report as an HTML file that contains its plots, or as a PNG, with the trajectories of some joints.

    Raises:
        UsageError: The suffix or a joint is unknown.
        PoseRigError: The file cannot be written.
    """
    check_suffix(path)
    if data.poses is not None:
        joints = [joint_name(joint, data.poses.joints) for joint in joints]
    with output_file(path) as partial:
        if path.suffix.lower() == ".png":
            imsave(partial, np.vstack([_pixels(figure) for figure in (_head(data), *_plots(data, joints))]))
        else:
            partial.write_text(_html(data, _plots(data, joints)), "utf-8")


def _plots(data: ReportData, joints: Sequence[str]) -> Iterator[Figure]:
    """Yields the plots for which there are data."""
    people = [(one, poses) for one in data.people() if (poses := one.tracked_poses) is not None]
    if data.cameras or people:
        yield timeline(data)
    if data.cameras:
        yield camera_plot(data)
    for one, poses in people[:1]:
        if (figure := latency_plot(one, poses)) is not None:
            yield figure
    for one, poses in people:
        if (figure := reprojection_error_plot(one, poses)) is not None:
            yield figure
        yield trajectory_plot(one, poses, joints)
        yield angle_plot(one, poses)
        yield limb_length_plot(one, poses)
    if people:
        yield top_view(data)


def _html(data: ReportData, figures: Iterator[Figure]) -> str:
    title = html.escape(data.name)
    statistics = "".join(_row(("th", label), ("td", value)) for label, value in session_statistics(data))
    cameras = "".join(_row(*(("td", cell) for cell in camera_statistics(camera))) for camera in data.cameras)
    if cameras:
        cameras = _row(*(("th", head) for head in CAMERA_HEADS)) + cameras
    images = [f'<img src="data:image/png;base64,{_base64(figure)}" alt="">' for figure in figures]
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
            f"<title>{title}</title><style>{CSS}</style></head>\n<body><h1>{title}</h1>",
            f'<div class="tables"><table>{statistics}</table>\n<table class="cameras">{cameras}</table></div>',
            *(f"<p>{html.escape(note)}</p>" for note in data.notes),
            *images,
            "</body></html>\n",
        ]
    )


def _row(*cells: tuple[str, str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(text)}</{tag}>" for tag, text in cells) + "</tr>\n"


def _head(data: ReportData) -> Figure:
    """Returns the title and the statistics as a figure."""
    statistics = session_statistics(data)
    rows = [CAMERA_HEADS, *map(camera_statistics, data.cameras)] if data.cameras else []
    notes = [line for note in data.notes for line in textwrap.wrap(note, NOTE_CHARACTERS)]
    tall = max(len(statistics), len(rows))
    height_in = TITLE_IN + ROW_IN * (tall + len(notes) + bool(notes)) + FOOT_IN
    figure = Figure(figsize=(WIDTH_IN, height_in), dpi=DPI, facecolor="white")

    def write(x_in: float, row: float, text: str, colour: str = INK, **more: Any) -> None:
        y = 1 - (TITLE_IN + ROW_IN * (row + 0.5)) / height_in
        figure.text(x_in / WIDTH_IN, y, text, color=colour, va="center", parse_math=False, **({"fontsize": 9.5} | more))

    write(LEFT_IN, -1.6, data.name, fontsize=17, fontweight="bold")
    for row, (label, value) in enumerate(statistics):
        write(LEFT_IN, row, label, GREY)
        write(LEFT_IN + VALUES_IN, row, value)
    for row, cells in enumerate(rows):
        for x_in, cell in zip(CAMERAS_IN, cells, strict=True):
            write(x_in, row, cell, GREY if row == 0 else INK, ha="left" if x_in == CAMERAS_IN[0] else "right")
    for row, line in enumerate(notes, tall + 1):
        write(LEFT_IN, row, line)
    return figure


def _pixels(figure: Figure) -> NDArray[np.uint8]:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())[..., :3]  # type: ignore[no-untyped-call]


def _base64(figure: Figure) -> str:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return base64.b64encode(file.getvalue()).decode()
