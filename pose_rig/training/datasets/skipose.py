"""SkiPose-PTZ as it is downloaded: ``train/labels.h5`` and ``test/labels.h5``, a row per picture.

Axes: R rows of the file, T instants, V = 6 cameras, J = 17 joints.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_rig.errors import UsageError
from pose_rig.skeleton import J
from pose_rig.training.datasets.layout import HUMAN36M_17, joints_of, metres, seen
from pose_rig.training.datasets.mat import read_h5
from pose_rig.training.datasets.protocol import SKIPOSE, Split
from pose_rig.training.footage.footage import Footage, GroundTruth

SIDE_PX = 256
CLEAN_LIST = "clean.txt"
_WIDTHS = {"3D": 3 * J, "2D": 2 * J, "cam_intrinsic": 9, "seq": 1, "cam": 1, "frame": 1, "subj": 1}


def find(folder: Path, split: Split) -> Path | None:
    """Returns the labels of a split in a folder, or in a folder in it."""
    places = [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]
    return next((path for place in places if (path := place / split / "labels.h5").is_file()), None)


def load(path: Path, *, clean: bool = False) -> list[Footage]:
    """Returns one footage per sequence; the 2D poses are the labels, as no detections come with the data.

    A camera that has no picture of an instant has seen nothing there: score 0, truth 0. The pictures are cut out around
    the skier, so no lens can be assumed: the focal length is the median of what the file says.

    Args:
        path: The labels.
        clean: Only the instants listed in ``clean.txt`` beside it, lines of sequence and frame. Which 1035 and 230 of
            1315 and 284 CanonPose calls clean is not part of the data.

    Raises:
        UsageError: It is of another form, or damaged, or there is no list.
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
    """Returns the instants of one sequence, the rows of one instant side by side."""
    here = np.flatnonzero(keep & (rows["subj"] == subject) & (rows["seq"] == sequence))
    frames, instant = np.unique(rows["frame"][here], return_inverse=True)
    view = rows["cam"][here].astype(int)
    shape = (len(frames), len(SKIPOSE.cameras), J)
    xy_px, joints, score = np.zeros((*shape, 2)), np.zeros((*shape, 3)), np.zeros(shape)
    xy_px[instant, view] = joints_of(SIDE_PX * rows["2D"][here].reshape(-1, J, 2), HUMAN36M_17)
    joints[instant, view] = metres(joints_of(rows["3D"][here].reshape(-1, J, 3), HUMAN36M_17), str(path))
    score[instant, view] = 1
    xy, sure = seen(xy_px, score)
    whole = SIDE_PX * float(np.median(rows["cam_intrinsic"][here, 0]))
    focal_px = [_median(SIDE_PX * rows["cam_intrinsic"][here[view == v], 0], whole) for v in range(shape[1])]
    return Footage(
        name=f"{SKIPOSE.kind} {sequence}",
        subject=f"S{subject}",
        xy_px=xy,
        score=sure,
        size_px=np.array(SKIPOSE.size_px, np.float32),
        focal_px=np.array(focal_px, np.float32),
        moving=SKIPOSE.moving,
        truth=GroundTruth(joints.astype(np.float32), xy),
    )


def _median(values: NDArray[np.float64], otherwise: float) -> float:
    return float(np.median(values)) if values.size else otherwise


def _rows(path: Path) -> dict[str, NDArray[np.float64]]:
    """Returns the columns that are used, (R,) or (R,width)."""
    content: dict[str, Any] = read_h5(path)
    count = np.size(content.get("seq", ()))
    out = {}
    for name, width in _WIDTHS.items():
        values = np.asarray(content.get(name, ()), np.float64)
        if not count or values.size != count * width:
            raise UsageError(
                f"{path}: {name!r} has the shape {values.shape} for {count} rows.",
                "Take labels.h5 as SkiPose-PTZ comes.",
            )
        out[name] = values.ravel() if width == 1 else values.reshape(count, width)
    if not np.isin(out["cam"], np.arange(len(SKIPOSE.cameras))).all():
        raise UsageError(f"{path} has cameras beyond 0–5.", "Take labels.h5 as SkiPose-PTZ comes.")
    return out


def _listed(path: Path) -> set[tuple[float, float]]:
    """Returns the sequences and frames of a list.

    Raises:
        UsageError: There is none, or a line of it is something else.
    """
    remedy = "Write one line per clean instant: its sequence and its frame."
    try:
        lines = [line.split() for line in path.read_text("utf-8").splitlines() if line.strip()]
        return {(float(sequence), float(frame)) for sequence, frame in lines}
    except (OSError, ValueError) as error:
        raise UsageError(f"The list of clean instants {path} cannot be read: {error}.", remedy) from error
