"""2D keypoints from the npy files of FreeMoCap: all cameras in one array, synchronised.

Axes: V views, T frames, K landmarks.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_rig.capture.keypoints import Keypoints, validate
from pose_rig.errors import ContentError, UsageError
from pose_rig.npz import read_npy
from pose_rig.session.keypoints.keypoint_frames import SET_BY_COUNT, SIZE_REMEDY, ImportOptions
from pose_rig.skeleton import landmarks, schema_name

REMEDY = "Give …_2dData_numCams_numFrames_numTrackedPoints_pixelXY.npy of FreeMoCap's output_data/raw_data."
BODY_LANDMARKS = 33  # of MediaPipe; the first ones of the sets below
HOLISTIC = (33, 75, 543, 553)  # body; with hands; with one of two face models


def read_freemocap(path: Path, options: ImportOptions) -> Keypoints:
    """Returns the 2D keypoints of an array (V,T,K,2) or (V,T,K,3) px, NaN = not visible; of holistic ones the body.

    The third coordinate is the score if all are 0–1. Otherwise it is MediaPipe's depth, and all scores are 1.

    Raises:
        ContentError: It has another shape, or coordinates are not pixels of images of that size.
        UsageError: The rate, the sizes or the landmark set are unknown.
    """
    array = read_npy(path, REMEDY)
    if array.ndim != 4 or array.shape[-1] not in (2, 3) or array.dtype.kind not in "iuf":
        raise ContentError(
            f"{path} is {array.dtype} {array.shape}, expected pixels (cameras, frames, landmarks, 2 or 3).", REMEDY
        )
    if not array.size:
        raise ContentError(f"{path} has no {('cameras', 'frames', 'landmarks')[array.shape.index(0)]}.", REMEDY)
    names = tuple(f"cam{number}" for number in range(len(array)))
    rate_hz, views, schema = options.rate_hz(path), options.views(path.parent, names), options.schema
    if schema is None and array.shape[2] in HOLISTIC:
        array = array[:, :, :BODY_LANDMARKS]
    schema = schema_name(schema) if schema else SET_BY_COUNT.get(array.shape[2], "")
    if not schema or len(landmarks(schema).names) != array.shape[2]:
        raise UsageError(
            f"{path} has {array.shape[2]} landmarks, {schema or 'which is no known landmark set'}.",
            "Name the set, or all landmarks in their order, with --landmarks.",
        )
    t_ns = np.round(np.arange(array.shape[1]) * (1e9 / rate_hz)).astype(np.int64)
    xy = array[..., :2][:, :, None]
    keypoints = Keypoints(
        xy, _score(array)[:, :, None], np.tile(t_ns, (len(array), 1)), schema, views.size_px, names, views.focal_px
    )
    return validate(keypoints, str(path), SIZE_REMEDY)


def _score(array: NDArray[Any]) -> NDArray[np.float32]:
    """Returns (V,T,K)."""
    if array.shape[-1] == 3:
        third = array[..., 2]
        finite = third[np.isfinite(third)]
        if finite.size and finite.min() >= 0 and finite.max() <= 1:
            return third.astype(np.float32)
    return np.ones(array.shape[:-1], np.float32)
