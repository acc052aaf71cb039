"""SkiPose-PTZ as downloaded: ``train/labels.h5`` and ``test/labels.h5``, a row per image.

Axes: R rows of the file, T frames, V = 6 cameras, J = 17 joints.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_rig.errors import UsageError
from pose_rig.skeleton import J
from pose_rig.training.datasets.layout import HUMAN36M_17, benchmark_footage, joints_of, metres
from pose_rig.training.datasets.mat import read_h5
from pose_rig.training.datasets.protocol import SKIPOSE, Split
from pose_rig.training.footage.footage import Footage

SIDE_PX = 256
CLEAN_LIST = "clean.txt"
_WIDTHS = {"3D": 3 * J, "2D": 2 * J, "cam_intrinsic": 9, "seq": 1, "cam": 1, "frame": 1, "subj": 1}


def find(folder: Path, split: Split) -> Path | None:
    """Returns the labels of a split, in a folder or one of its subfolders."""
    places = [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]
    return next((path for place in places if (path := place / split / "labels.h5").is_file()), None)


def load(path: Path, *, clean: bool = False) -> list[Footage]:
    """Returns one footage per sequence; the 2D poses are the labels, as no detections come with the data.

    A camera without an image of a frame has the score 0. The images are crops around the skier, so the focal length
    cannot be assumed: it is the median of those in the file.

    Args:
        path: The labels.
        clean: Only the frames listed in ``clean.txt`` in the same folder, lines of sequence and frame. The list of
            CanonPose (1035 of 1315 and 230 of 284 frames) is not part of the data.

    Raises:
        UsageError: The file has another format or is damaged, or the list is missing.
    """
    rows = _rows(path)
    keep = np.ones(len(rows["seq"]), bool)
    if clean:
        listed = _listed(path.with_name(CLEAN_LIST))
        keep = np.array([pair in listed for pair in zip(rows["seq"], rows["frame"], strict=True)])
    takes = np.unique(np.stack([rows["subj"], rows["seq"]], 1)[keep], axis=0)
    return [_footage(path, rows, keep, int(subject), int(sequence)) for subject, sequence in takes]


def _footage(
    path: Path, rows: dict[str, NDArray[np.float64]], keep: NDArray[np.bool_], subject: int, sequence: int
) -> Footage:
    """Returns one sequence."""
    here = np.flatnonzero(keep & (rows["subj"] == subject) & (rows["seq"] == sequence))
    frames, frame = np.unique(rows["frame"][here], return_inverse=True)
    view = rows["cam"][here].astype(int)
    shape = (len(frames), len(SKIPOSE.cameras), J)
    xy_px, joints, score = np.zeros((*shape, 2)), np.zeros((*shape, 3)), np.zeros(shape)
    xy_px[frame, view] = joints_of(SIDE_PX * rows["2D"][here].reshape(-1, J, 2), HUMAN36M_17)
    joints[frame, view] = metres(joints_of(rows["3D"][here].reshape(-1, J, 3), HUMAN36M_17), str(path))
    score[frame, view] = 1
    median = SIDE_PX * float(np.median(rows["cam_intrinsic"][here, 0]))
    focal_px = [_median(SIDE_PX * rows["cam_intrinsic"][here[view == v], 0], median) for v in range(shape[1])]
    name = f"{SKIPOSE.kind} {sequence}"
    return benchmark_footage(SKIPOSE, name, f"S{subject}", xy_px, score, joints=joints, focal_px=focal_px)


def _median(values: NDArray[np.float64], otherwise: float) -> float:
    return float(np.median(values)) if values.size else otherwise


def _rows(path: Path) -> dict[str, NDArray[np.float64]]:
    """Returns the columns, (R,) or (R,width)."""
    content: dict[str, Any] = read_h5(path)
    count = np.size(content.get("seq", ()))
    out = {}
    for name, width in _WIDTHS.items():
        values = np.asarray(content.get(name, ()), np.float64)
        if not count or values.size != count * width:
            raise UsageError(
                f"{path}: {name!r} has the shape {values.shape} for {count} rows.",
                "Use labels.h5 of SkiPose-PTZ as downloaded.",
            )
        out[name] = values.ravel() if width == 1 else values.reshape(count, width)
    if not np.isin(out["cam"], np.arange(len(SKIPOSE.cameras))).all():
        raise UsageError(f"{path} has cameras beyond 0–5.", "Use labels.h5 of SkiPose-PTZ as downloaded.")
    return out


def _listed(path: Path) -> set[tuple[float, float]]:
    """Returns the sequences and frames of a list.

    Raises:
        UsageError: It cannot be read.
    """
    remedy = "Write one line per clean frame: its sequence and its number."
    try:
        lines = [line.split() for line in path.read_text("utf-8").splitlines() if line.strip()]
        return {(float(sequence), float(frame)) for sequence, frame in lines}
    except (OSError, ValueError) as error:
        raise UsageError(f"The list of clean frames {path} cannot be read: {error}.", remedy) from error
