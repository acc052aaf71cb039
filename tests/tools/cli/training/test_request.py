"""What options mean."""

import pytest

from pose_rig.tools.cli.training.request import batch


@pytest.mark.parametrize(("size", "split"), [(64, (8, 8)), (12, (2, 6)), (7, (1, 7)), (11, (11, 1)), (0, (0, 8))])
def test_a_batch_is_split_into_rigs_and_frames(size: int, split: tuple[int, int]) -> None:
    assert batch(size) == split
