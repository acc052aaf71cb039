"""An image of a solved rig (docs/figures.md): four views with the refined 2D pose, and the cameras with the 3D pose.

``python -m benchmarks.readme_picture`` runs the rig on the demo clip and draws one frame of it.
Axes: V cameras, J = 17 joints.
"""

import argparse
import io
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from benchmarks.clips import CLIP_FPS
from benchmarks.contract import ROOT
from benchmarks.readme_scene import CAMERAS, LABEL_PT, LEFT, RIGHT, TRUNK, SolvedView, draw_scene, skeleton
from pose_rig.arrays import Floats
from pose_rig.assets.catalog import demo_clip
from pose_rig.skeleton import J

OUT = ROOT / "docs" / "images" / "rig.png"
FRAME_TIME_S = 0.8  # with a raised leg and arm
DPI = 100
PAGE_IN = (16.4, 8.3)
VIEW_IN, GAP_IN, MARGIN_IN = 3.78, 0.14, 0.25  # side of a view, gap and margin
SCENE_IN = MARGIN_IN + 2 * VIEW_IN + GAP_IN  # left edge of the 3D half
VIEW_PER_PERSON = 1.3  # side of a view / extent of the person
PALETTE_COLOURS = 160  # a PNG with all colours of photographs is four times as large
PAPER, INK, GREY = "#fcfcfd", "#1d2430", "#6b7584"

Arrays = Mapping[str, NDArray[np.generic]]


def main() -> None:
    """Runs the rig, unless a poses file is given, and draws the image."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    arguments.add_argument("--poses", type=Path, metavar="F.npz", help="of the demo clip; default: a run now")
    arguments.add_argument("--out", type=Path, default=OUT, metavar="F.png", help=f"default: {OUT.relative_to(ROOT)}")
    args = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder, np.load(args.poses or _run(Path(folder)), allow_pickle=False) as file:
        draw({name: file[name] for name in file.files}, demo_clip(print), args.out)
    print(f"{args.out}: {args.out.stat().st_size / 1000:.0f} kB")


def draw(poses: Arrays, videos: Sequence[Path], out: Path) -> None:
    """Draws one frame of a clip into a PNG.

    Args:
        poses: Arrays of a poses file (docs/frames.md) with a solved rig.
        videos: (V) the clip, `CLIP_FPS` frames per second.
        out: Output file; replaced.
    """
    t_s = poses["t_ns"].astype(float) / 1e9
    row = int(np.abs(t_s - FRAME_TIME_S).argmin())
    figure = Figure(figsize=PAGE_IN, dpi=DPI, facecolor=PAPER)
    FigureCanvasAgg(figure)
    for view, video in enumerate(videos):
        image = frame(video, round(t_s[row] * CLIP_FPS))
        _view(_view_axes(figure, view), image, poses["xy_refined"][row, view].astype(float), view)
    scene = _axes(figure, SCENE_IN, 0.0, PAGE_IN[0] - SCENE_IN, PAGE_IN[1])
    draw_scene(scene, solved_views(poses), poses["xyz"][: row + 1, :J].astype(float))
    _texts(figure)
    png = io.BytesIO()
    figure.savefig(png)
    page = Image.open(png).convert("RGB")
    out.parent.mkdir(parents=True, exist_ok=True)
    page.quantize(PALETTE_COLOURS, dither=Image.Dither.NONE).save(out, optimize=True)


def solved_views(poses: Arrays) -> list[SolvedView]:
    """Returns the solved cameras of a poses file."""
    K, R, t = (poses[key].astype(float) for key in ("K", "R", "t"))
    return [
        SolvedView(f"camera {v + 1}", CAMERAS[v], -R[v].T @ t[v], R[v], K[v, :2, 2] / K[v, 0, 0]) for v in range(len(R))
    ]


def frame(video: Path, number: int) -> NDArray[np.uint8]:
    """Returns a frame of a video, counted from 0: (height, width, 3) RGB."""
    capture = cv2.VideoCapture(str(video))
    for _ in range(number):
        capture.grab()
    found, image = capture.read()
    capture.release()
    if not found:
        raise SystemExit(f"{video} has no frame {number}.")
    return np.asarray(image[..., ::-1], np.uint8)


def _run(folder: Path) -> Path:
    """Returns the poses file of a run on the demo clip."""
    out = folder / "poses.npz"
    command = [sys.executable, "-m", "pose_rig", "demo", "--pace", "all", "--passes", "2", "--headless"]
    subprocess.run([*command, "--save", str(out)], check=True)
    return out


def _view(axes: Axes, image: NDArray[np.uint8], xy: Floats, view: int) -> None:
    """Draws a square crop of an image around the person, and the refined joints (J,2) px."""
    side = round(VIEW_IN * DPI)
    low, high = xy.min(0), xy.max(0)
    scale = side / (VIEW_PER_PERSON * (high - low).max())
    shift = side / 2 - scale * (low + high) / 2
    crop = cv2.warpAffine(
        image, np.column_stack([scale * np.eye(2), shift]), (side, side), flags=cv2.INTER_AREA,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    axes.imshow(_pale(np.asarray(crop, np.uint8)), extent=(0, side, side, 0), interpolation="none")
    skeleton(axes, scale * xy + shift, 4.5)
    axes.set_xlim(0, side)
    axes.set_ylim(side, 0)
    box = {"boxstyle": "round,pad=0.35", "facecolor": CAMERAS[view], "edgecolor": "none"}
    axes.text(14, 20, f"camera {view + 1}", color="white", weight="bold", size=LABEL_PT, va="center", bbox=box)


def _pale(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns an image (…,3) with less colour and contrast, as a background of the skeleton."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None]
    return np.asarray(np.clip(0.72 * (0.35 * image + 0.65 * grey) + 62, 0, 255), np.uint8)


def _view_axes(figure: Figure, view: int) -> Axes:
    row, column = divmod(view, 2)
    step = VIEW_IN + GAP_IN
    return _axes(figure, MARGIN_IN + column * step, MARGIN_IN + (1 - row) * step, VIEW_IN, VIEW_IN)


def _axes(figure: Figure, left: float, below: float, width: float, height: float) -> Axes:
    """Returns empty axes at a rectangle of the page, in inches."""
    axes = figure.add_axes((left / PAGE_IN[0], below / PAGE_IN[1], width / PAGE_IN[0], height / PAGE_IN[1]))
    axes.set_axis_off()
    return axes


def _texts(figure: Figure) -> None:
    left = (SCENE_IN + 0.45) / PAGE_IN[0]
    figure.text(left, 0.93, "One 3D skeleton, four solved cameras", size=21, weight="bold", color=INK)
    figure.text(left, 0.89, "no calibration: the moving person is the calibration object", size=15, color=GREY)
    for number, (text, colour) in enumerate((("left", LEFT), ("right", RIGHT), ("trunk", TRUNK))):
        figure.text(left + 0.055 * number, 0.045, f"● {text}", size=LABEL_PT, color=colour)
    figure.text(0.985, 0.045, "floor grid: 1 m", size=LABEL_PT, color=GREY, ha="right")


if __name__ == "__main__":
    main()
