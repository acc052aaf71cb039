"""Benchmarks with skeleton morphing: detected joints are moved to the joint definition of the benchmark."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from pose_rig.training.datasets.load import found, load, protocol_of
from pose_rig.training.datasets.morphing import PAPER, MorphingConfig, morph, train_morphing
from pose_rig.training.datasets.protocol import Split
from pose_rig.training.footage.footage import Footage, Single

ROUNDING_PX = 0.1  # largest difference of a 2D pose to its label if it is that label, but for gaps
MAX_GAPS = 0.01  # share of joints that may differ more


def morphed(
    kind: str,
    folder: Path,
    split: Split,
    *,
    log: Callable[[str], None],
    on_progress: Callable[[float], None] = lambda _: None,
    device: str = "cpu",
    config: MorphingConfig | None = None,
) -> list[Footage]:
    """Returns the footage of one split of a benchmark, morphed if its protocol has morphing and the labels are there.

    The network is trained each time, always from the same seed: training and test are morphed alike.

    Args:
        kind: As for `pose_rig.training.datasets.load.load`.
        folder: As for `load`.
        split: As for `load`.
        log: Called with a line that names the subject of the morphing, or why there is none.
        on_progress: Called with the progress of the training, 0–1.
        device: Device of the training.
        config: Settings; None = those of CanonPose.

    Raises:
        UsageError: As for `load`.
    """
    takes = load(kind, folder, split)
    people = ", ".join(protocol_of(kind).morphing)
    teachers = (found(kind, folder, "morphing") or []) if people else []
    if reason := why_not(people, teachers):
        log(f"{kind}: 2D poses are not morphed: {reason}.")
        return takes
    log(f"{kind}: skeleton morphing is trained on the 2D ground truth of {people}.")
    network, _ = train_morphing(teachers, config, device, on_progress)
    return [morph(take, network) for take in takes]


def why_not(people: str, teachers: Sequence[Footage]) -> str:
    """Returns why 2D poses are not morphed, by names and footage of the morphing subjects; empty if they are."""
    if not people:
        return "its protocol has none"
    if not teachers:
        return f"{people} is missing"
    off = [_off_px(one) for one in teachers if one.truth is not None]
    if not sum(map(len, off)):
        return f"the 2D ground truth of {people} is missing"
    if (np.concatenate(off) > ROUNDING_PX).mean() <= MAX_GAPS:
        return f"those of {people} are the 2D ground truth itself"
    return ""


def _off_px(footage: Footage) -> Single:
    """Returns (N,) px the distances of the visible joints to the ground truth."""
    assert footage.truth is not None  # noqa: S101 - checked by the caller
    off = np.linalg.norm(footage.xy_px - footage.truth.xy_px, axis=-1)[..., PAPER]
    return np.asarray(off[footage.score[..., PAPER] > 0], np.float32)
