"""What of a dataset is learned from and what is held back."""

import numpy as np
import pytest

from pose_rig.errors import UsageError
from pose_rig.tools.cli.training.footage import split_takes
from pose_rig.training.footage.footage import Footage


def take(instants: int) -> Footage:
    count = np.ones((instants, 2, 17), np.float32)
    size = np.full((2, 2), 100, np.float32)
    return Footage(f"of {instants}", "", np.zeros((instants, 2, 17, 2), np.float32), count, size, size[0])


def test_every_fifth_take_is_for_validation_or_a_part_of_few_takes() -> None:
    learned, held = split_takes([take(i) for i in range(1, 13)])
    assert [one.frames for one in held] == [5, 10]
    assert [one.frames for one in learned] == [1, 2, 3, 4, 6, 7, 8, 9, 11, 12]
    learned, held = split_takes([take(150), take(300)])
    assert [one.frames for one in learned] == [120, 240]
    assert [one.frames for one in held] == [21, 45]
    with pytest.raises(UsageError, match=r"^7 frames are too few for training\. Use more of the dataset\."):
        split_takes([take(4), take(3)])
