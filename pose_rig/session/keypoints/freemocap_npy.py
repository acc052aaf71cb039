"""2D keypoints from the npy files of FreeMoCap: all cameras in one array, synchronised.

Axes: V views, T frames, K landmarks, C = x, y and maybe something third.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_rig.capture.keypoints import Keypoints, validate
from pose_rig.errors import ContentError, UsageError
from pose_rig.npz import read_npy
from pose_rig.session.keypoints.keypoint_frames import SETS, SIZE_REMEDY, checked_rate
from pose_rig.session.keypoints.pose2sim_project import frame_rate, views
from pose_rig.skeleton import landmarks, schema_name

REMEDY = "Give …_2dData_numCams_numFrames_numTrackedPoints_pixelXY.npy of FreeMoCap's output_data/raw_data."
BODY = 33  # MediaPipe's, which come first of
HOLISTIC = (33, 75, 543, 553)  # body; with hands; with the face, of which there are two kinds


def read_freemocap(
    path: Path,
    fps: float | None = None,
    sizes_px: Sequence[tuple[int, int]] = (),
    schema: str | None = None,
) -> Keypoints:
    """Returns the 2D keypoints of an array (V,T,K,2) or (V,T,K,3) px, NaN = not seen; of holistic ones the body.

    The third is a score if all are 0–1. Otherwise it is MediaPipe's guess of the depth, and what is there counts fully.

    Args:
        path: The file.
        fps: Frames per second; None = ``frame_rate`` in a Config.toml.
        sizes_px: (width, height) of each camera, or once for all; empty = from Pose2Sim's calibration.
        schema: Landmark set; None = by the number of landmarks.

    Raises:
        ContentError: It is something else, or the keypoints are no pixels of images of that size.
        UsageError: The rate, the sizes or the landmark set are not known.
    """
    array = read_npy(path, REMEDY)
    if array.ndim != 4 or array.shape[-1] not in (2, 3) or array.dtype.kind not in "iuf":
        raise ContentError(
            f"{path} is {array.dtype} {array.shape}, expected pixels (cameras, frames, landmarks, 2 or 3).", REMEDY
        )
    if not array.size:
        raise ContentError(f"{path} has no {('cameras', 'frames', 'landmarks')[array.shape.index(0)]}.", REMEDY)
    rate = checked_rate(frame_rate(path) if fps is None else fps)
    names = tuple(f"cam{number}" for number in range(len(array)))
    known = views(path.parent, names, sizes_px)
    if schema is None and array.shape[2] in HOLISTIC:
        array = array[:, :, :BODY]
    schema = schema_name(schema) if schema else SETS.get(array.shape[2], "")
    if not schema or len(landmarks(schema).names) != array.shape[2]:
        raise UsageError(
            f"{path} has {array.shape[2]} landmarks, {schema or 'which is no set that is known here'}.",
            "Name the set, or all landmarks in their order, with --landmarks.",
        )
    t_ns = np.round(np.arange(array.shape[1]) * (1e9 / rate)).astype(np.int64)
    xy = array[..., :2][:, :, None]
    keypoints = Keypoints(
        xy, _score(array)[:, :, None], np.tile(t_ns, (len(array), 1)), schema, known.size_px, names, known.focal_px
    )
    return validate(keypoints, str(path), SIZE_REMEDY)


def _score(array: NDArray[Any]) -> NDArray[np.float32]:
    """Returns (V,T,K)."""
    if array.shape[-1] == 3:
        third = array[..., 2]
        known = third[np.isfinite(third)]
        if known.size and known.min() >= 0 and known.max() <= 1:
            return third.astype(np.float32)
    return np.ones(array.shape[:-1], np.float32)
