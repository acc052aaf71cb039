"""Pictures of how the rig did: what happened when, frames, agreement, latency.

Axes: T poses, F frames, B bins.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pose_rig.arrays import Floats
from pose_rig.names import shown
from pose_rig.session.formats.poses import Poses
from pose_rig.tools.report.data import CameraTrack, ReportData, spans
from pose_rig.tools.report.plot_style import (
    ALARM,
    CAMERAS,
    GREY,
    INK,
    MIDDLE,
    MODES,
    label,
    legend,
    line,
    page,
    say,
    time_axis,
)  # fmt: skip

ROW_IN = 0.3
BIN_S = 1.0
MOST_BINS = 600
SILENCE_S = 1.0  # a camera that gives no frame for longer is away
SHORTEST_MARK = 0.002  # share of the page that a gap is drawn with at least
SHARES = (50, 95)
PALE = 0.45  # so that the gaps stand out


def happenings(data: ReportData) -> Figure:
    """Returns one row each for the mode, for the person, and for every camera: when it gave frames, and where not."""
    rows = ["mode", "person", *(camera.name for camera in data.cameras)]
    note = "How the rig was known, when somebody was seen, when cameras gave frames; red where frames are missing."
    figure, (axes,) = page("What happened", note, [ROW_IN * len(rows) + 0.25])
    if data.poses is not None:
        for a, b, mode in spans(data.poses.mode):
            _bar(axes, 0, data.poses_s[a], data.poses_s[min(b, len(data.poses) - 1)], MODES.get(mode, GREY))
        for a, b, seen in spans(data.poses.tracked.astype(str)):
            if seen == "True":
                _bar(axes, 1, data.poses_s[a], data.poses_s[min(b, len(data.poses) - 1)], MIDDLE)
    for row, camera in enumerate(data.cameras, 2):
        _presence(axes, row, camera, CAMERAS((row - 2) % 10), data.duration_s)
    for at_s, text in data.markers:
        axes.axvline(at_s, color=INK, linewidth=0.9, linestyle=(0, (1, 2)))
        said = axes.annotate(shown(text), (at_s, -0.62), (3, 0), textcoords="offset points", fontsize=8, color=INK)
        said.set(va="bottom", parse_math=False)
    for mode, colour in MODES.items():
        axes.plot([], [], color=colour, linewidth=6, label=mode, solid_capstyle="butt")
    legend(axes)
    axes.set_yticks(range(len(rows)), rows, fontsize=9, color=INK)
    axes.set_ylim(len(rows) - 0.5, -1.05 if data.markers else -0.6)
    axes.grid(visible=False, axis="y")
    time_axis([axes], data.duration_s)
    return figure


def _presence(axes: Axes, row: int, camera: CameraTrack, colour: tuple[float, ...], duration_s: float) -> None:
    times = camera.frames_s
    if len(times):
        cuts = np.flatnonzero(np.diff(times) > SILENCE_S)
        for a, b in zip([0, *(cuts + 1)], [*cuts, len(times) - 1], strict=True):
            _bar(axes, row, times[a], times[b], colour, PALE)
    for hole in camera.holes:
        missing_s = max(hole.to_s - hole.from_s, SHORTEST_MARK * duration_s)
        _bar(axes, row, hole.from_s, hole.from_s + missing_s, ALARM)


def _bar(
    axes: Axes, row: int, from_s: float, to_s: float, colour: str | tuple[float, ...], opaque: float = 1.0
) -> None:
    axes.barh(row, to_s - from_s, left=from_s, height=0.62, color=colour, linewidth=0, alpha=opaque)


def frames(data: ReportData) -> Figure:
    """Returns the frames per second of every camera, and how well it agreed with the others."""
    figure, axes = page(
        "Cameras", "Above: frames per second. Below: agreement with the other cameras, 0 = ignored or sees nobody.",
        [1.5, 1.5],
    )  # fmt: skip
    edges = _bins(data.duration_s)
    for number, camera in enumerate(data.cameras):
        colour = CAMERAS(number % 10)
        counts = np.histogram(camera.frames_s, edges)[0] / np.diff(edges)
        if len(camera.frames_s):
            axes[0].stairs(counts, edges, baseline=None, color=colour, label=camera.name, linewidth=1.2)
        line(axes[1], camera.states_s, camera.agreement, colour)
    if not any(len(camera.states_s) for camera in data.cameras):
        say(axes[1], "The rig said nothing of its cameras: this session has not been fused.")
    label(axes[0], "frames/s")
    label(axes[1], "agreement")
    axes[0].set_ylim(bottom=0)
    axes[1].set_ylim(-0.03, 1.05)
    legend(axes[0])
    time_axis(axes, data.duration_s)
    return figure


def latency(data: ReportData, poses: Poses) -> Figure | None:
    """Returns the age of the poses at their publication, over time and as a histogram; None if they were not live."""
    if data.origin != "live" or not poses.age_ns.any():
        return None
    age_ms = np.asarray(poses.age_ns * 1e-6, np.float64)
    figure, (over_time, histogram) = page(
        "Latency", "Age of a pose when it was published, counted from the capture of its frames.", [1.9], columns=2
    )
    edges = _bins(data.duration_s)
    middle = (edges[1:] + edges[:-1]) / 2
    shares = binned_percentiles(data.poses_s, age_ms, edges, SHARES)
    for share, values, colour in zip(SHARES, shares, (INK, GREY), strict=True):
        line(over_time, middle, values, colour, f"{share} % are younger")
    top = float(np.percentile(age_ms, 99.5)) * 1.15
    over_time.set_ylim(0, max(float(np.nanmax(shares)) * 1.1, 1.0))
    histogram.hist(np.minimum(age_ms, top), bins=60, range=(0, top), color=GREY, linewidth=0)
    for share in SHARES:
        at_ms = float(np.percentile(age_ms, share))
        histogram.axvline(at_ms, color=INK, linewidth=1)
        histogram.annotate(
            f"{share} %: {at_ms:.0f} ms", (at_ms, 1.0), (3, 2), xycoords=("data", "axes fraction"),
            textcoords="offset points", fontsize=8, color=INK,
        )  # fmt: skip
    label(over_time, "ms")
    label(histogram, "poses")
    histogram.set_xlabel("ms", color=GREY, fontsize=9)
    legend(over_time)
    time_axis([over_time], data.duration_s)
    return figure


def fit(data: ReportData, poses: Poses) -> Figure | None:
    """Returns how far the detections lie from the pose; None where nobody noted it."""
    if not np.nansum(poses.residual_px[:, :17]) > 0:
        return None
    figure, (axes,) = page(
        "Fit",
        "Distance of the detections from the fused pose, mean of the joints seen: the better half, and 95 %.",
        [1.4],
    )
    seen = (poses.score[:, :17] > 0) & poses.tracked[:, None]
    mean_px: Floats = np.full(len(poses), np.nan)
    some = seen.any(1)
    mean_px[some] = np.where(seen, poses.residual_px[:, :17], 0.0)[some].sum(1) / seen[some].sum(1)
    edges = _bins(data.duration_s)
    shares = binned_percentiles(data.poses_s, mean_px, edges, SHARES)
    for share, values, colour in zip(SHARES, shares, (INK, GREY), strict=True):
        line(axes, (edges[1:] + edges[:-1]) / 2, values, colour, f"{share} %")
    axes.set_ylim(bottom=0)
    label(axes, "px")
    legend(axes)
    time_axis([axes], data.duration_s)
    return figure


def _bins(duration_s: float) -> Floats:
    """Returns (B+1,) edges of bins of a second, or longer ones for long sessions."""
    count = int(np.clip(np.ceil(duration_s / BIN_S), 1, MOST_BINS))
    return np.linspace(0.0, max(duration_s, 1e-3), count + 1)


def binned_percentiles(t_s: Floats, values: Floats, edges: Floats, shares: tuple[int, ...]) -> Floats:
    """Returns (len(shares), B) percentiles of the finite values of every bin; NaN where it has none."""
    finite = np.isfinite(values)
    t_s, values = t_s[finite], values[finite]
    place = np.clip(np.searchsorted(edges, t_s, "right") - 1, 0, len(edges) - 2)
    out = np.full((len(shares), len(edges) - 1), np.nan)
    for bin_number in np.unique(place):
        out[:, bin_number] = np.percentile(values[place == bin_number], shares)
    return out
