"""Plots of the movement: joint trajectories, joint angles, limb lengths, and a top view."""

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from pose_rig.arrays import Floats
from pose_rig.session.formats.joint_angles import ANGLES, LIMBS, SIDES, angle_deg, limb_m, variation_percent
from pose_rig.session.formats.poses import Poses
from pose_rig.tools.report import plot_style as style
from pose_rig.tools.report.data import CameraTrack, ReportData

SIDE_COLOURS = {"l": style.LEFT_COLOUR, "r": style.RIGHT_COLOUR}
SIDE_NAMES = {"l": "left", "r": "right"}
MIN_LENGTH_RANGE = 0.05  # share of the median length


def trajectory_plot(data: ReportData, poses: Poses, joints: Sequence[str]) -> Figure:
    """Returns x, y and z of some joints over time."""
    figure, rows = style.page(
        f"Joints{data.whose}",
        "x right of camera 0's view, y up, z towards camera 0; m. Before the rig is solved the pelvis stays "
        "above the origin.", [1.5, 1.5, 1.5],
    )  # fmt: skip
    palette = colormaps["tab10"] if len(joints) <= 10 else colormaps["tab20"]
    for number, joint in enumerate(joints):
        xyz = poses.joint(joint).astype(np.float64)
        for axes, values in zip(rows, xyz.T, strict=True):
            style.line(axes, data.poses_s, values, palette(number % palette.N), joint)
    for axes, name in zip(rows, ("x, m", "height y, m", "z, m"), strict=True):
        style.label(axes, name)
    style.legend(rows[0])
    style.time_axis(rows, data.duration_s)
    return figure


def angle_plot(data: ReportData, poses: Poses) -> Figure:
    """Returns the angles of knees, hips, elbows and shoulders over time."""
    figure, rows = style.page(
        f"Joint angles{data.whose}",
        "Flexion: 0° = straight or standing. Shoulder: 0° = the arm hangs, 180° = it points up.",
        [1.15] * len(ANGLES),
    )  # fmt: skip
    for axes, name in zip(rows, ANGLES, strict=True):
        for side in SIDES:
            style.line(axes, data.poses_s, angle_deg(poses, name, side), SIDE_COLOURS[side], SIDE_NAMES[side])
        joint, quantity = name.split()
        style.label(axes, f"{joint}\n{quantity}, °")
    style.legend(rows[0])
    style.time_axis(rows, data.duration_s)
    return figure


def limb_length_plot(data: ReportData, poses: Poses) -> Figure:
    """Returns each limb's length over its median; bones are rigid, so all variation is error."""
    figure, rows = style.page(
        f"Bone lengths{data.whose}",
        "Length over its median. Bones are rigid, so all variation is error; in brackets the "
        "coefficient of variation.", [1.0] * len(LIMBS),
    )  # fmt: skip
    largest = MIN_LENGTH_RANGE
    for axes, limb in zip(rows, LIMBS, strict=True):
        for side in SIDES:
            length = limb_m(poses, limb, side)
            if not np.isfinite(length).any():
                continue
            median = float(np.nanmedian(length))
            name = f"{SIDE_NAMES[side]} {100 * median:.1f} cm ({variation_percent(length):.1f} %)"
            style.line(axes, data.poses_s, length / median, SIDE_COLOURS[side], name, 0.9)
            largest = max(largest, float(np.nanpercentile(abs(length / median - 1), 99)))
        style.label(axes, limb)
        style.legend(axes, inside=True)
    for axes in rows:
        axes.set_ylim(1 - 2 * largest, 1 + 2 * largest)
    style.time_axis(rows, data.duration_s)
    return figure


def top_view(data: ReportData) -> Figure:
    """Returns the paths of the pelvis of all people on the floor, and the cameras; only where the rig was solved."""
    people = data.people()
    how = "from dark (early) to bright (late)" if len(people) == 1 else "of each person in a colour"
    figure, (axes,) = style.page(
        "Top view", f"Path of the pelvis while the rig was solved, {how}, and the last positions of the cameras.", [5.2]
    )
    paths_m = [_path_m(one.poses) for one in people if one.poses is not None]
    axes.set_aspect("equal", adjustable="datalim")
    axes.yaxis.set_inverted(True)
    for number, camera in enumerate(data.cameras):
        _draw_camera(axes, camera, style.CAMERA_COLOURS(number % 10))
    if not any(np.isfinite(path_m).any() for path_m in paths_m):
        style.empty_note(axes, "The rig was never solved, so positions in the room are unknown.")
        return figure
    if len(people) == 1:
        segments = np.stack([paths_m[0][:-1], paths_m[0][1:]], 1)
        path = LineCollection(list(segments), cmap="viridis", norm=Normalize(0, data.duration_s), linewidths=1.6)
        path.set_array(data.poses_s[:-1])
        axes.add_collection(path)
    for one, path_m in zip(people, paths_m, strict=True) if len(people) > 1 else ():
        name = one.whose.removeprefix(" of ")
        axes.plot(*path_m.T, color=style.person_colour(one.poses), linewidth=1.6, label=name)
    style.legend(axes)
    axes.plot(0, 0, marker="+", markersize=12, color=style.GREY)
    axes.autoscale_view()
    axes.margins(0.12)
    style.label(axes, "z, m (down is towards camera 0)", "x, m")
    return figure


def _path_m(poses: Poses) -> Floats:
    """Returns (T,2) m, x and z of the pelvis; NaN where the rig was not solved."""
    path_m = poses.joint("pelvis")[:, [0, 2]].astype(np.float64)
    path_m[poses.mode != "solved"] = np.nan
    return np.asarray(path_m)


def _draw_camera(axes: Axes, camera: CameraTrack, colour: tuple[float, ...]) -> None:
    if camera.position_m is None or camera.optical_axis is None:
        return
    x, z = camera.position_m[[0, 2]]
    axes.plot(x, z, marker="o", markersize=7, color=colour)
    ahead = camera.optical_axis[[0, 2]] / max(float(np.hypot(*camera.optical_axis[[0, 2]])), 1e-6)
    axes.plot([x, x + 0.6 * ahead[0]], [z, z + 0.6 * ahead[1]], color=colour, linewidth=1.5)
    style.annotate(axes, camera.name, (x, z), (8, 6), fontsize=9)
