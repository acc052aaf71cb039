"""Videos long enough to measure with: the demo clip, again and again."""

import shutil
from pathlib import Path

from pose_rig.assets.catalog import demo_clip

CLIP_FRAMES = 100
CLIP_FPS = 60.0


def looped_clips(folder: Path, frames: int, count: int = 4) -> list[Path]:
    """Returns ``count`` different videos of at least so many frames, written to a folder.

    Nothing is decoded or encoded anew: each is a list (ffconcat) that makes FFmpeg play the same file again, so that
    decoding costs what it always does. The person jumps once every `CLIP_FRAMES` frames.
    """
    rounds = -(-frames // CLIP_FRAMES)
    clips = []
    for video in demo_clip(print)[:count]:
        shutil.copy(video, folder)
        clip = folder / f"{video.stem}.ffconcat"
        clip.write_text("ffconcat version 1.0\n" + f"file {video.name}\n" * rounds, "utf-8")
        clips.append(clip)
    return clips
