"""A session on one page: a table of figures and the pictures below it, as one HTML file or one tall PNG."""

import base64
import html
import io
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
from pose_rig.tools.report.motion_plots import angles, limb_lengths, path_from_above, trajectories
from pose_rig.tools.report.plot_style import DPI, GREY, INK, LEFT_IN, WIDTH_IN
from pose_rig.tools.report.rig_plots import fit, frames, happenings, latency
from pose_rig.tools.report.statistics import CAMERA_HEADS, camera_facts, facts

ENDINGS = (".html", ".png")
JOINTS = ("head", "pelvis", "l_wrist", "r_wrist", "l_ankle", "r_ankle")
TITLE_IN, ROW_IN, FOOT_IN = 0.75, 0.24, 0.15
FACTS_IN, CAMERAS_IN = 1.2, (5.7, 7.7, 8.65, 9.65, 10.65)  # where the columns of the head begin, or end
STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #20242b; max-width: 1100px; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.4em; } img { width: 100%; display: block; margin: 1.2em 0; }
.tables { display: flex; flex-wrap: wrap; gap: 1em 4em; } table { border-collapse: collapse; align-self: start; }
td, th { padding: .2em 1em .2em 0; text-align: left; font-variant-numeric: tabular-nums; vertical-align: top; }
th { color: #7b838f; font-weight: normal; } td + td + td, .cameras td + td, .cameras th + th { text-align: right; }
"""


def check_ending(path: Path) -> None:
    """Refuses a report of a kind that we do not write.

    Raises:
        UsageError: It is neither HTML nor PNG.
    """
    if path.suffix.lower() not in ENDINGS:
        raise UsageError(
            f"A report is {' or '.join(ENDINGS)}, and {path} is neither.", f"Try --out {path.with_suffix('.html')}."
        )


def write_report(data: ReportData, path: Path, joints: Sequence[str] = JOINTS) -> None:
    """Writes a report.

    Args:
        data: What it is about.
        path: An HTML file, with all pictures in it, or a PNG; replaced when finished.
        joints: Those whose ways are drawn.

    Raises:
        UsageError: The ending is another one, or there is no such joint.
        PoseRigError: The file cannot be written.
    """
    check_ending(path)
    if data.poses is not None:
        joints = [joint_name(joint, data.poses.joints) for joint in joints]
    with output_file(path) as beside:
        if path.suffix.lower() == ".png":
            imsave(beside, np.vstack([_pixels(figure) for figure in (_head(data), *_pictures(data, joints))]))
        else:
            beside.write_text(_page(data, _pictures(data, joints)), "utf-8")


def _pictures(data: ReportData, joints: Sequence[str]) -> Iterator[Figure]:
    """Yields the pictures for which there is something to show."""
    poses = data.poses if data.poses is not None and data.poses.tracked.any() else None
    if data.cameras or poses:
        yield happenings(data)
    if data.cameras:
        yield frames(data)
    if poses is None:
        return
    for picture in (latency(data, poses), fit(data, poses)):
        if picture is not None:
            yield picture
    yield trajectories(data, poses, joints)
    yield angles(data, poses)
    yield limb_lengths(data, poses)
    yield path_from_above(data, poses)


def _page(data: ReportData, pictures: Iterator[Figure]) -> str:
    """Returns the HTML."""
    title = html.escape(data.name)
    told = "".join(_row(("th", what), ("td", figure)) for what, figure in facts(data))
    cameras = "".join(_row(*(("td", cell) for cell in camera_facts(camera))) for camera in data.cameras)
    if cameras:
        cameras = _row(*(("th", head) for head in CAMERA_HEADS)) + cameras
    images = [f'<img src="data:image/png;base64,{_base64(picture)}" alt="">' for picture in pictures]
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
            f"<title>{title}</title><style>{STYLE}</style></head>\n<body><h1>{title}</h1>",
            f'<div class="tables"><table>{told}</table>\n<table class="cameras">{cameras}</table></div>',
            *images,
            "</body></html>\n",
        ]
    )


def _row(*cells: tuple[str, str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(text)}</{tag}>" for tag, text in cells) + "</tr>\n"


def _head(data: ReportData) -> Figure:
    """Returns the title and the table of figures as a picture."""
    told = facts(data)
    rows = [CAMERA_HEADS, *map(camera_facts, data.cameras)] if data.cameras else []
    tall_in = TITLE_IN + ROW_IN * max(len(told), len(rows)) + FOOT_IN
    figure = Figure(figsize=(WIDTH_IN, tall_in), dpi=DPI, facecolor="white")

    def write(x_in: float, row: float, text: str, colour: str = INK, **more: Any) -> None:
        y = 1 - (TITLE_IN + ROW_IN * (row + 0.5)) / tall_in
        figure.text(x_in / WIDTH_IN, y, text, color=colour, va="center", **({"fontsize": 9.5} | more))

    write(LEFT_IN, -1.6, data.name, fontsize=17, fontweight="bold")
    for row, (what, number) in enumerate(told):
        write(LEFT_IN, row, what, GREY)
        write(LEFT_IN + FACTS_IN, row, number)
    for row, cells in enumerate(rows):
        for x_in, cell in zip(CAMERAS_IN, cells, strict=True):
            write(x_in, row, cell, GREY if row == 0 else INK, ha="left" if x_in == CAMERAS_IN[0] else "right")
    return figure


def _pixels(figure: Figure) -> NDArray[np.uint8]:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())[..., :3]  # type: ignore[no-untyped-call]


def _base64(figure: Figure) -> str:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return base64.b64encode(file.getvalue()).decode()
