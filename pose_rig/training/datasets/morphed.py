"""Benchmark data whose 2D poses are moved to where the benchmark has its joints, if its protocol asks for that."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from pose_rig.training.datasets.load import found, load, protocol_of
from pose_rig.training.datasets.morphing import PAPER, MorphingConfig, morph, train_morphing
from pose_rig.training.datasets.protocol import Split
from pose_rig.training.footage.footage import Footage, Single

SAME_PX = 0.1  # a label that serves as the 2D pose differs from itself by its rounding at most,
OTHER = 0.01  # but for gaps: share of the joints beyond which these are no labels


def morphed(
    kind: str,
    folder: Path,
    split: Split,
    *,
    say: Callable[[str], None],
    tell: Callable[[float], None] = lambda _: None,
    device: str = "cpu",
    config: MorphingConfig | None = None,
) -> list[Footage]:
    """Returns the footage of one split of a benchmark, morphed if its protocol asks for it and the folder can teach it.

    The network is trained anew each time, always from the same seed: training and test are morphed alike.

    Args:
        kind: As for `pose_rig.training.datasets.load.load`,
        folder: and so is this,
        split: and this.
        say: Told in one line who teaches the morphing, or why 2D poses are used as they are.
        tell: Told how far the network's training is, 0–1.
        device: Where it is trained.
        config: How; None = as CanonPose does.

    Raises:
        UsageError: As for `load`.
    """
    takes = load(kind, folder, split)
    people = ", ".join(protocol_of(kind).morphing)
    teachers = (found(kind, folder, "morphing") or []) if people else []
    if reason := why_not(people, teachers):
        say(f"{kind}: 2D poses are used as they are; {reason}.")
        return takes
    say(f"{kind}: the 2D truth of {people} teaches where joints belong (skeleton morphing).")
    network, _ = train_morphing(teachers, config, device, tell)
    return [morph(take, network) for take in takes]


def why_not(people: str, teachers: Sequence[Footage]) -> str:
    """Returns why nothing is morphed, empty if it is.

    Args:
        people: Names of those who teach the morphing by the protocol.
        teachers: What there is of them.
    """
    if not people:
        return "no skeleton morphing belongs to its protocol"
    if not teachers:
        return f"skeleton morphing would learn from {people}, who is not there"
    off = [_off_px(one) for one in teachers if one.truth is not None]
    if not sum(map(len, off)):
        return f"skeleton morphing would learn from the 2D truth of {people}, which is not there"
    if (np.concatenate(off) > SAME_PX).mean() <= OTHER:
        return f"there is no 2D truth of {people} that differs from them"
    return ""


def _off_px(footage: Footage) -> Single:
    """Returns (N,) how far the joints that are seen are from their truth, px."""
    assert footage.truth is not None  # noqa: S101 - asked for
    off = np.linalg.norm(footage.xy_px - footage.truth.xy_px, axis=-1)[..., PAPER]
    return np.asarray(off[footage.score[..., PAPER] > 0], np.float32)
