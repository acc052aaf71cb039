import pytest

from pose_rig.config import CameraConfig, Config
from pose_rig.errors import UsageError
from pose_rig.tools.limits import check


def test_a_live_camera_cannot_be_gone_through_twice() -> None:
    cameras = (CameraConfig(source="sim", name="sim0"), CameraConfig(source="/dev/video0", name="left"))
    with pytest.raises(
        UsageError, match=r"^left is live and cannot be gone through twice. Leave --passes out, or give"
    ):
        check(Config(camera=cameras, passes=2))
    check(Config(camera=cameras[:1], passes=2, pace="all"))


@pytest.mark.parametrize("repeat", [0, -1, 5000])
def test_a_file_cannot_be_played_less_than_once(repeat: int) -> None:
    camera = CameraConfig(source="a.mp4", name="left", repeat=repeat)
    with pytest.raises(UsageError, match=rf"^A repeat of left of {repeat} times is out of range\. Use 1 to 1000\."):
        check(Config(camera=(camera,)))
