"""Protocols of the benchmarks: subjects, cameras, frames and joints of training and test."""

from dataclasses import dataclass
from typing import Literal

from pose_rig.errors import UsageError

Split = Literal["train", "test", "morphing"]
SPLITS: tuple[Split, ...] = ("train", "test", "morphing")


@dataclass(frozen=True, slots=True)
class Protocol:
    """Protocol of one benchmark.

    Attributes:
        kind: Name of the benchmark.
        train: Subjects of the training set.
        test: Subjects of the test set.
        morphing: Subjects for the skeleton morphing (`pose_rig.training.datasets.morphing`), used for nothing else.
            Detections of all other subjects are morphed; labels are not.
        cameras: Names of the training cameras, in the order of the views.
        size_px: Image width and height of each.
        train_stride: Every such frame is kept where a file has all frames.
        test_stride: The same for the test set.
        moving: Whether the cameras move.
    """

    kind: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    morphing: tuple[str, ...]
    cameras: tuple[str, ...]
    size_px: tuple[tuple[int, int], ...]
    train_stride: int
    test_stride: int
    moving: bool = False

    def subjects(self, split: Split) -> tuple[str, ...]:
        """Returns the subjects of a split.

        Raises:
            UsageError: There is no such split.
        """
        if split not in SPLITS:
            raise UsageError(f"Unknown split {split!r}.", f"Use one of {', '.join(SPLITS)}.")
        return {"train": self.train, "test": self.test, "morphing": self.morphing}[split]

    def stride(self, split: Split) -> int:
        """Returns the stride of a split."""
        return self.test_stride if split == "test" else self.train_stride


# As CanonPose: training on S5–S8, S1 for the morphing, every 64th frame of the test; 10 of 50 Hz.
HUMAN36M = Protocol(
    kind="human36m",
    train=("S5", "S6", "S7", "S8"),
    test=("S9", "S11"),
    morphing=("S1",),
    cameras=("54138969", "55011271", "58860488", "60457274"),
    size_px=((1000, 1002), (1000, 1000), (1000, 1000), (1000, 1002)),
    train_stride=5,
    test_stride=64,
)
# The four cameras and the sequence (`mpi_inf_3dhp.SEQUENCE`) of the paper's first author. The test has one camera.
MPI_INF_3DHP = Protocol(
    kind="mpi-inf-3dhp",
    train=("S2", "S3", "S4", "S5", "S6", "S7", "S8"),
    test=("TS1", "TS2", "TS3", "TS4", "TS5", "TS6"),
    morphing=("S1",),
    cameras=("0", "2", "7", "8"),
    size_px=((2048, 2048),) * 4,
    train_stride=5,
    test_stride=1,
)
# All subjects in the files: there is one for training and one for the test.
SKIPOSE = Protocol(
    kind="skipose",
    train=(),
    test=(),
    morphing=(),
    cameras=("0", "1", "2", "3", "4", "5"),
    size_px=((256, 256),) * 6,
    train_stride=1,
    test_stride=1,
    moving=True,
)
PROTOCOLS = {protocol.kind: protocol for protocol in (HUMAN36M, MPI_INF_3DHP, SKIPOSE)}
