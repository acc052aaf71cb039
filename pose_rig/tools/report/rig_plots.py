"""Plots of the rig: timeline, frame rates, agreement, latency, reprojection error.

Axes: T poses, F frames, B bins.
"""

from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.names import shown
from pose_rig.session.formats.poses import Poses
from pose_rig.skeleton import J
from pose_rig.tools.report import plot_style as style
from pose_rig.tools.report.data import CameraTrack, ReportData
from pose_rig.tools.report.quality import residuals_px

ROW_IN = 0.3
BIN_S = 1.0
MAX_BINS = 600
MAX_PAUSE_S = 1.0  # after a longer one the bar of a camera is interrupted
MIN_GAP_WIDTH = 0.002  # of a drawn gap, share of the time axis
PERCENTILES = (50, 95)
FRAMES_ALPHA = 0.45  # so that gaps stand out


def timeline(data: ReportData) -> Figure:
    """Returns one row each for the mode, for every person, and for the frames of every camera."""
    people = data.people()
    names = ["person"] if len(people) == 1 else [one.whose.removeprefix(" of ") for one in people]
    rows = ["mode", *names, *(camera.name for camera in data.cameras)]
    note = "Mode of the rig, when a person was tracked, when cameras delivered frames; red: frames are missing."
    figure, (axes,) = style.page("Timeline", note, [ROW_IN * len(rows) + 0.25])
    if data.poses is not None:
        last = len(data.poses) - 1
        for a, b, mode in spans(data.poses.mode):
            _bar(
                axes,
                0,
                data.poses_s[a],
                data.poses_s[min(b, last)],
                style.MODE_COLOURS.get(mode, style.GREY),
            )
    for row, one in enumerate(people, 1):
        colour = style.PERSON_COLOUR if len(people) == 1 else style.person_colour(one.poses)
        _person_row(axes, row, one, colour)
    for number, camera in enumerate(data.cameras):
        _camera_row(axes, 1 + len(people) + number, camera, style.CAMERA_COLOURS(number % 10), data.duration_s)
    for at_s, text in data.markers:
        axes.axvline(at_s, color=style.INK, linewidth=0.9, linestyle=(0, (1, 2)))
        style.annotate(axes, shown(text), (at_s, -0.62), (3, 0), va="bottom", parse_math=False)
    for mode, colour in style.MODE_COLOURS.items():
        axes.plot([], [], color=colour, linewidth=6, label=mode, solid_capstyle="butt")
    style.legend(axes)
    axes.set_yticks(range(len(rows)), rows, fontsize=9, color=style.INK)
    axes.set_ylim(len(rows) - 0.5, -1.05 if data.markers else -0.6)
    axes.grid(visible=False, axis="y")
    style.time_axis([axes], data.duration_s)
    return figure


def spans(values: NDArray[np.str_]) -> list[tuple[int, int, str]]:
    """Returns the runs of equal values: the first index, the one past the last, and the value."""
    if not len(values):
        return []
    cuts = [0, *(np.flatnonzero(values[1:] != values[:-1]) + 1).tolist(), len(values)]
    return [(a, b, str(values[a])) for a, b in pairwise(cuts)]


def _person_row(axes: Axes, row: int, data: ReportData, colour: str) -> None:
    if data.poses is None:
        return
    last = len(data.poses) - 1
    for a, b, tracked in spans(data.poses.tracked.astype(str)):
        if tracked == "True":
            _bar(axes, row, data.poses_s[a], data.poses_s[min(b, last)], colour)


def _camera_row(axes: Axes, row: int, camera: CameraTrack, colour: tuple[float, ...], duration_s: float) -> None:
    times = camera.frames_s
    if len(times):
        cuts = np.flatnonzero(np.diff(times) > MAX_PAUSE_S)
        for a, b in zip([0, *(cuts + 1)], [*cuts, len(times) - 1], strict=True):
            _bar(axes, row, times[a], times[b], colour, FRAMES_ALPHA)
    for gap in camera.gaps:
        width_s = max(gap.to_s - gap.from_s, MIN_GAP_WIDTH * duration_s)
        _bar(axes, row, gap.from_s, gap.from_s + width_s, style.GAP_COLOUR)


def _bar(axes: Axes, row: int, from_s: float, to_s: float, colour: str | tuple[float, ...], alpha: float = 1.0) -> None:
    axes.barh(row, to_s - from_s, left=from_s, height=0.62, color=colour, linewidth=0, alpha=alpha)


def camera_plot(data: ReportData) -> Figure:
    """Returns the frame rate of every camera, and its agreement with the others."""
    figure, (rates, agreements) = style.page(
        "Cameras", "Above: frames per second. Below: agreement with the other cameras, 0 = ignored or no person.",
        [1.5, 1.5],
    )  # fmt: skip
    edges = _bins(data.duration_s)
    for number, camera in enumerate(data.cameras):
        colour = style.CAMERA_COLOURS(number % 10)
        if len(camera.frames_s):
            counts = np.histogram(camera.frames_s, edges)[0] / np.diff(edges)
            rates.stairs(counts, edges, baseline=None, color=colour, label=camera.name, linewidth=1.2)
        style.line(agreements, camera.states_s, camera.agreement, colour)
    if not any(len(camera.states_s) for camera in data.cameras):
        style.empty_note(agreements, "No agreement: this session has not been fused.")
    style.label(rates, "frames/s")
    style.label(agreements, "agreement")
    rates.set_ylim(bottom=0)
    agreements.set_ylim(-0.03, 1.05)
    style.legend(rates)
    style.time_axis([rates, agreements], data.duration_s)
    return figure


def latency_plot(data: ReportData, poses: Poses) -> Figure | None:
    """Returns the latency of the poses over time and as a histogram; None if they were not live."""
    if data.origin != "live" or not poses.age_ns.any():
        return None
    age_ms = np.asarray(poses.age_ns * 1e-6, np.float64)
    figure, (over_time, histogram) = style.page(
        "Latency", "From the capture of the frames to the publication of the pose.", [1.9], columns=2
    )
    curves = _percentile_lines(over_time, data, age_ms)
    over_time.set_ylim(0, max(float(np.nanmax(curves)) * 1.1, 1.0))
    top = float(np.percentile(age_ms, 99.5)) * 1.15
    histogram.hist(np.minimum(age_ms, top), bins=60, range=(0, top), color=style.GREY, linewidth=0)
    for percentile in PERCENTILES:
        at_ms = float(np.percentile(age_ms, percentile))
        histogram.axvline(at_ms, color=style.INK, linewidth=1)
        text = f"{percentile} %: {at_ms:.0f} ms"
        style.annotate(histogram, text, (at_ms, 1.0), (3, 2), xycoords=("data", "axes fraction"))
    style.label(over_time, "ms")
    style.label(histogram, "poses", "ms")
    return figure


def reprojection_error_plot(data: ReportData, poses: Poses) -> Figure | None:
    """Returns the distance of the detections from the fused pose; None if it was not recorded."""
    if not np.nansum(poses.residual_px[:, :J]) > 0:
        return None
    note = "Distance of the detections from the fused pose, mean of the visible joints: percentiles."
    figure, (axes,) = style.page(f"Reprojection error{data.whose}", note, [1.4])
    _percentile_lines(axes, data, residuals_px(poses))
    axes.set_ylim(bottom=0)
    style.label(axes, "px")
    return figure


def _percentile_lines(axes: Axes, data: ReportData, values: Floats) -> Floats:
    """Draws the percentiles of ``values`` (T,) over time, and returns them (P,B)."""
    edges = _bins(data.duration_s)
    curves = binned_percentiles(data.poses_s, values, edges, PERCENTILES)
    for percentile, curve, colour in zip(PERCENTILES, curves, (style.INK, style.GREY), strict=True):
        style.line(axes, (edges[1:] + edges[:-1]) / 2, curve, colour, f"{percentile} % are below")
    style.legend(axes)
    style.time_axis([axes], data.duration_s)
    return curves


def _bins(duration_s: float) -> Floats:
    """Returns (B+1,) edges of bins of one second, longer in long sessions."""
    count = int(np.clip(np.ceil(duration_s / BIN_S), 1, MAX_BINS))
    return np.linspace(0.0, max(duration_s, 1e-3), count + 1)


def binned_percentiles(t_s: Floats, values: Floats, edges: Floats, percentiles: tuple[int, ...]) -> Floats:
    """Returns (len(percentiles), B) percentiles of the finite values of every bin; NaN where it has none."""
    finite = np.isfinite(values)
    t_s, values = t_s[finite], values[finite]
    bins = np.clip(np.searchsorted(edges, t_s, "right") - 1, 0, len(edges) - 2)
    out = np.full((len(percentiles), len(edges) - 1), np.nan)
    for number in np.unique(bins):
        out[:, number] = np.percentile(values[bins == number], percentiles)
    return out
