"""How each benchmark is trained and scored: who, which cameras, which instants, which joints."""

from dataclasses import dataclass
from typing import Literal

from pose_rig.errors import UsageError
from pose_rig.skeleton import JOINTS

Split = Literal["train", "test", "morphing"]
SPLITS: tuple[Split, ...] = ("train", "test", "morphing")


@dataclass(frozen=True, slots=True)
class Protocol:
    """The rules of one benchmark.

    Attributes:
        kind: Name of the benchmark.
        train: Subjects that the lifter learns from, without their truth.
        test: Subjects it is scored on.
        morphing: Subjects whose 2D truth teaches the skeleton morphing (`pose_rig.training.datasets.morphing`) and who
            are left out of everything else. Detections of all others are then morphed, training and test alike; labels
            need none.
        cameras: Names of the training cameras, in the order of the views.
        size_px: Width and height of the picture of each.
        train_stride: One of so many instants is kept where a file has all of them.
        test_stride: The same for the test.
        joints: Those that count.
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
    joints: tuple[str, ...] = tuple(name for name in JOINTS if name != "spine")
    moving: bool = False

    def subjects(self, split: Split) -> tuple[str, ...]:
        """Returns who belongs to a split.

        Raises:
            UsageError: There is no such split.
        """
        if split not in SPLITS:
            raise UsageError(f"There is no split {split!r}.", f"Use one of {', '.join(SPLITS)}.")
        return {"train": self.train, "test": self.test, "morphing": self.morphing}[split]

    def stride(self, split: Split) -> int:
        """Returns how many instants there are for each that is kept."""
        return self.test_stride if split == "test" else self.train_stride


# Training on S5–S8 with S1 for the morphing, and every 64th frame of the test, as CanonPose; 10 of 50 frames a second.
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
# Whoever is in the files: they come as one for training and one for the test.
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
