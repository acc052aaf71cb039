"""``--simulated`` with and without a file."""

import pytest

from pose_rig.tools.arguments.bare_simulated import completed


@pytest.mark.parametrize(
    ("line", "full"),
    [
        ("--simulated", "--simulated synthetic"),
        ("--simulated --takes 5", "--simulated synthetic --takes 5"),
        ("--takes 5 --simulated", "--takes 5 --simulated synthetic"),
        ("--simulated a.npz --simulated b.npz", "--simulated a.npz --simulated b.npz"),
        ("--simulated a.npz --simulated", "--simulated a.npz --simulated synthetic"),
        ("--simulated=a.npz -h", "--simulated=a.npz -h"),
        ("", ""),
    ],
)
def test_where_no_file_follows_the_movement_is_synthetic(line: str, full: str) -> None:
    assert completed(line.split()) == full.split()
