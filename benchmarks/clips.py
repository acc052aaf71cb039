"""Videos of sufficient length: the repeated demo clip."""

import shutil
from pathlib import Path

from pose_rig.assets.catalog import demo_clip

CLIP_FRAMES = 100
CLIP_FPS = 60.0


def looped_clips(folder: Path, frames: int, count: int = 4) -> list[Path]:
    """Returns ``count`` different videos of at least ``frames`` frames, written to a folder.

    Each is an ffconcat list with which FFmpeg repeats the same file without re-encoding, so the decoding cost is
    unchanged. The person jumps every `CLIP_FRAMES` frames.
    """
    repeats = -(-frames // CLIP_FRAMES)
    clips = []
    for video in demo_clip(print)[:count]:
        shutil.copy(video, folder)
        clip = folder / f"{video.stem}.ffconcat"
        clip.write_text("ffconcat version 1.0\n" + f"file {video.name}\n" * repeats, "utf-8")
        clips.append(clip)
    return clips


def videos_or_demo(given: str | None, folder: Path, frames: int) -> list[Path]:
    """Returns the videos of a comma-separated list, or `looped_clips` without one."""
    return [Path(video) for video in given.split(",")] if given else looped_clips(folder, frames)
