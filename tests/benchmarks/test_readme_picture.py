"""The picture in README.md is made by a command."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from benchmarks.clips import CLIP_FPS
from benchmarks.readme_picture import DPI, FRAME_TIME_S, OUT, PAGE_IN, draw, frame, solved_views
from pose_rig.skeleton import J

LARGEST = 400_000  # bytes
SIZE_PX = 240, 320
FOCAL_PX = 300.0
FRAMES = round(FRAME_TIME_S * CLIP_FPS) + 2


def video(path: Path) -> Path:
    """Writes a video whose frames grow lighter by 4 each."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), CLIP_FPS, SIZE_PX)
    for number in range(FRAMES):
        writer.write(np.full((SIZE_PX[1], SIZE_PX[0], 3), 4 * number, np.uint8))
    writer.release()
    return path


def poses() -> dict[str, np.ndarray]:
    """Returns the arrays of a poses file of four cameras 3 m around somebody who does not move."""
    xyz = np.random.default_rng(1).uniform((-0.4, 0, -0.4), (0.4, 1.7, 0.4), (FRAMES, J, 3))
    sides = np.deg2rad((0, 90, 180, 270))
    R = np.array([[[np.cos(a), 0, -np.sin(a)], [0, -1, 0], [-np.sin(a), 0, -np.cos(a)]] for a in sides])
    K = np.array([[FOCAL_PX, 0, SIZE_PX[0] / 2], [0, FOCAL_PX, SIZE_PX[1] / 2], [0, 0, 1]])
    t = np.tile([0.0, 1.0, 3.0], (4, 1))
    seen = np.einsum("vij,tnj->tvni", R, xyz) + t[:, None]
    uv = seen[..., :2] / seen[..., 2:] * FOCAL_PX + np.array(SIZE_PX) / 2
    return {
        "t_ns": (np.arange(FRAMES) / CLIP_FPS * 1e9).astype(np.int64),
        "xyz": xyz, "xy_refined": uv, "K": np.tile(K, (4, 1, 1)), "R": R, "t": t,
    }  # fmt: skip


def test_an_image_is_drawn_from_poses_and_videos(tmp_path: Path) -> None:
    videos = [video(tmp_path / f"{number}.avi") for number in range(4)]
    out = tmp_path / "images" / "rig.png"
    draw(poses(), videos, out)
    with Image.open(out) as page:
        assert page.size == tuple(round(side * DPI) for side in PAGE_IN)
        assert {(31, 120, 209), (232, 100, 27)} <= {
            colour for _, colour in page.convert("RGB").getcolors(1 << 20) or ()
        }


def test_the_drawn_frame_is_that_of_the_pose(tmp_path: Path) -> None:
    assert abs(frame(video(tmp_path / "a.avi"), 20).mean() - 80) < 2  # JPEG; the neighbours have 76 and 84


def test_cameras_are_drawn_at_their_solved_positions() -> None:
    front, right = solved_views(poses())[:2]
    np.testing.assert_allclose(front.position_m, (0, 1, 3), atol=1e-12)
    np.testing.assert_allclose(right.position_m, (3, 1, 0), atol=1e-12)
    np.testing.assert_allclose(front.half_size, (0.4, 160 / 300))
    assert front.is_near


def test_the_image_in_the_readme_is_small() -> None:
    assert OUT.stat().st_size < LARGEST
