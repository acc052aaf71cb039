"""Sessions that are read at once: text files whose content is the seed of a walk, or what is wrong with them."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from pose_rig.errors import SessionError
from pose_rig.training.footage.footage import Footage, GroundTruth
from tests.fusion.fakes import ring
from tests.training.fakes.footage import walking

SECONDS, VIEWS = 4.5, 3


def write_sessions(folder: Path, count: int, bad: tuple[int, ...] = ()) -> list[Path]:
    """Writes sessions; those that are ``bad`` cannot be read."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"take{number:04}.mcap" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_text("damaged" if number in bad else str(number))
    return paths


def read_session(path: Path) -> Footage:
    """Returns the walk of a session, as seen by the rig that recorded it."""
    content = path.read_text()
    if content == "damaged":
        raise SessionError(f"{path.name} is damaged.", "Leave it out.")
    if content == "broken":
        raise ZeroDivisionError("no frames")
    seed = int(content)
    made = walking(SECONDS, VIEWS - seed % 2, start_deg=7.0 * seed, seed=seed, noise=0.01, hz=10.0)
    rotation = ring(made.views).rotation.astype(np.float32)
    assert made.truth is not None
    truth = GroundTruth(made.truth.joints, made.xy_px)
    return replace(made, name=path.stem, truth=truth, camera_from_rig=rotation)


def read_slowly(path: Path) -> Footage:
    """Leaves a mark that it was read, in a file next to it."""
    path.with_suffix(".read").open("a").write("x")
    return read_session(path)
