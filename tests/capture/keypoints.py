"""A small file of 2D keypoints."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

VIEWS, FRAMES = 2, 12


def arrays(**changes: Any) -> dict[str, NDArray[Any]]:
    """Two views of one person in coco17; ``key=None`` leaves a key out."""
    random = np.random.default_rng(0)
    content: dict[str, Any] = {
        "xy": random.uniform(10, 90, (VIEWS, FRAMES, 17, 2)),
        "score": np.full((VIEWS, FRAMES, 17), 0.8),
        "t_ns": np.tile(np.arange(FRAMES) * 40_000_000, (VIEWS, 1)),
        "landmarks": np.array("coco17"),
        "size_px": np.array([[100, 80], [120, 90]]),
    }
    return {key: np.asarray(value) for key, value in {**content, **changes}.items() if value is not None}


def write_keypoints(path: Path, **changes: Any) -> Path:
    np.savez(path, **arrays(**changes))  # type: ignore[arg-type]
    return path
