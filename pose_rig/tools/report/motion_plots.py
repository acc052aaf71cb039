"""Pictures of the movement: ways of joints, angles, lengths of limbs, and the way through the room from above."""

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from pose_rig.session.formats.joint_angles import ANGLES, LIMBS, SIDES, angle_deg, limb_m, variation_percent
from pose_rig.session.formats.poses import Poses
from pose_rig.tools.report.data import ReportData
from pose_rig.tools.report.plot_style import (
    CAMERAS,
    GREY,
    INK,
    LEFT,
    RIGHT,
    label,
    legend,
    line,
    page,
    say,
    time_axis,
)  # fmt: skip

SIDE_COLOURS = {"l": LEFT, "r": RIGHT}
SIDE_NAMES = {"l": "left", "r": "right"}
LEAST_SHOWN = 0.05  # share of the median length by which a limb strays


def trajectories(data: ReportData, poses: Poses, joints: Sequence[str]) -> Figure:
    """Returns x, y and z of some joints over time."""
    figure, axes = page(
        "Joints", "x right of camera 0's view, y up, z towards camera 0; m. Before the rig is solved the pelvis stays "
        "above the origin.", [1.5, 1.5, 1.5],
    )  # fmt: skip
    palette = colormaps["tab10"] if len(joints) <= 10 else colormaps["tab20"]
    for number, joint in enumerate(joints):
        way = poses.joint(joint).astype(np.float64)
        for each, values in zip(axes, way.T, strict=True):
            line(each, data.poses_s, values, palette(number % palette.N), joint)
    for each, name in zip(axes, ("x, m", "height y, m", "z, m"), strict=True):
        label(each, name)
    legend(axes[0])
    time_axis(axes, data.duration_s)
    return figure


def angles(data: ReportData, poses: Poses) -> Figure:
    """Returns the angles of knees, hips, elbows and shoulders over time."""
    figure, axes = page(
        "Joint angles", "Flexion: 0° = straight or standing. Shoulder: 0° = the arm hangs, 180° = it points up.",
        [1.15] * len(ANGLES),
    )  # fmt: skip
    for each, name in zip(axes, ANGLES, strict=True):
        for side in SIDES:
            line(each, data.poses_s, angle_deg(poses, name, side), SIDE_COLOURS[side], SIDE_NAMES[side])
        part, what = name.split()
        label(each, f"{part}\n{what}, °")
    legend(axes[0])
    time_axis(axes, data.duration_s)
    return figure


def limb_lengths(data: ReportData, poses: Poses) -> Figure:
    """Returns how far each limb's length strays from its median: nobody's bones change, so this is error."""
    figure, axes = page(
        "Bone lengths", "Length over its median. Bones do not change, so what moves here is error; in brackets the "
        "coefficient of variation.", [1.0] * len(LIMBS),
    )  # fmt: skip
    farthest = LEAST_SHOWN
    for each, limb in zip(axes, LIMBS, strict=True):
        for side in SIDES:
            length = limb_m(poses, limb, side)
            if not np.isfinite(length).any():
                continue
            median = float(np.nanmedian(length))
            name = f"{SIDE_NAMES[side]} {100 * median:.1f} cm ({variation_percent(length):.1f} %)"
            line(each, data.poses_s, length / median, SIDE_COLOURS[side], name, 0.9)
            farthest = max(farthest, float(np.nanpercentile(abs(length / median - 1), 99)))
        label(each, limb)
        legend(each, inside=True)
    for each in axes:
        each.set_ylim(1 - 2 * farthest, 1 + 2 * farthest)
    time_axis(axes, data.duration_s)
    return figure


def path_from_above(data: ReportData, poses: Poses) -> Figure:
    """Returns the way of the pelvis through the room from above, and the cameras; only where the rig was solved."""
    figure, (axes,) = page(
        "From above", "The way of the pelvis while the rig was solved, early dark and late bright, and the cameras as "
        "they stood at the end.", [5.2],
    )  # fmt: skip
    way = poses.joint("pelvis")[:, [0, 2]].astype(np.float64)
    way[poses.mode != "solved"] = np.nan
    axes.set_aspect("equal", adjustable="datalim")
    axes.yaxis.set_inverted(True)
    for number, camera in enumerate(data.cameras):
        if camera.place_m is not None and camera.looks is not None:
            x, z = camera.place_m[[0, 2]]
            axes.plot(x, z, marker="o", markersize=7, color=CAMERAS(number % 10))
            ahead = camera.looks[[0, 2]] / max(float(np.hypot(*camera.looks[[0, 2]])), 1e-6)
            axes.plot([x, x + 0.6 * ahead[0]], [z, z + 0.6 * ahead[1]], color=CAMERAS(number % 10), linewidth=1.5)
            axes.annotate(camera.name, (x, z), (8, 6), textcoords="offset points", fontsize=9, color=INK)
    if not np.isfinite(way).any():
        say(axes, "The rig was never solved, so nobody knows where in the room they were.")
        return figure
    pieces = np.stack([way[:-1], way[1:]], 1)
    strand = LineCollection(list(pieces), cmap="viridis", norm=Normalize(0, data.duration_s), linewidths=1.6)
    strand.set_array(data.poses_s[:-1])
    axes.add_collection(strand)
    axes.plot(0, 0, marker="+", markersize=12, color=GREY)
    axes.autoscale_view()
    axes.margins(0.12)
    label(axes, "z, m (down is towards camera 0)")
    axes.set_xlabel("x, m", color=GREY, fontsize=9)
    return figure
