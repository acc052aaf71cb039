from pathlib import Path

import pytest

from pose_rig.errors import SourceError, UsageError
from pose_rig.session.keypoints.pose2sim_project import frame_rate, views

CAMERA = (
    'name = "{0}"\nsize = [1088.0, 1920.0]\nmatrix = [[1670.0, 0.0, 540.0], [0.0, 1672.0, 960.0], [0.0, 0.0, 1.0]]\n'
)
METADATA = "[metadata]\nadjusted = false\nerror = 0.0\n"


def calibration(path: Path, cameras: int = 2) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = [f"[cam_{camera}]\n" + CAMERA.format(camera) for camera in range(cameras)]
    path.write_text("\n".join(parts) + METADATA)


def test_the_nearest_frame_rate_that_is_a_number_counts(tmp_path: Path) -> None:
    trial = tmp_path / "trial"
    (trial / "pose").mkdir(parents=True)
    (tmp_path / "Config.toml").write_text("[project]\nframe_rate = 120\n")
    (trial / "Config.toml").write_text("[project]\nframe_rate = 'auto'\n")
    assert frame_rate(trial / "pose") == 120.0
    (trial / "Config.toml").write_text("[project]\nframe_rate = 59.94\n")
    assert frame_rate(trial / "pose") == 59.94


def test_an_unknown_frame_rate_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "Config.toml").write_text("project = 3")
    with pytest.raises(UsageError, match=r"there is none in a Config.toml\. Give it with --fps 60\."):
        frame_rate(tmp_path)
    (tmp_path / "results.json").write_text("[]")
    with pytest.raises(UsageError, match=r"^The frame rate of \S+results\.json is unknown"):
        frame_rate(tmp_path / "results.json")


def test_a_damaged_config_is_named(tmp_path: Path) -> None:
    (tmp_path / "Config.toml").write_text("[project")
    with pytest.raises(SourceError, match=r"Config.toml cannot be read: .* use --fps and --size"):
        frame_rate(tmp_path)


@pytest.mark.parametrize("place", ["calibration/Calib_scene.toml", "Calib.toml"])
def test_sizes_and_focal_lengths_come_from_the_calibration(tmp_path: Path, place: str) -> None:
    (tmp_path / "trial" / "pose").mkdir(parents=True)
    calibration(tmp_path / place)
    found = views(tmp_path / "trial" / "pose", ("left", "right"))
    assert found.size_px == ((1088, 1920), (1088, 1920))
    assert found.focal_px == (1671.0, 1671.0)


def test_sizes_that_are_given_count_for_all_or_for_each(tmp_path: Path) -> None:
    calibration(tmp_path / "Calib.toml")
    assert views(tmp_path, ("a", "b"), [(640, 480)]).size_px == ((640, 480), (640, 480))
    assert views(tmp_path, ("a", "b"), [(640, 480), (320, 240)]).size_px == ((640, 480), (320, 240))
    with pytest.raises(UsageError, match=r"There are 3 cameras and 2 sizes\. Give one for all, or one for each\."):
        views(tmp_path, ("a", "b", "c"), [(640, 480), (320, 240)])


def test_unknown_sizes_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no calibration file\. Give it with --size 1920,1080"):
        views(tmp_path, ("a",))


def test_a_calibration_of_other_cameras_is_not_used(tmp_path: Path) -> None:
    calibration(tmp_path / "Calib.toml", cameras=4)
    with pytest.raises(UsageError, match=r"Calib.toml has 4 cameras, .* has 2: left, right\. Give the sizes"):
        views(tmp_path, ("left", "right"))


def test_a_calibration_that_is_invalid_is_named(tmp_path: Path) -> None:
    (tmp_path / "Calib.toml").write_text("[a]\nsize = [640.0]\n")
    with pytest.raises(SourceError, match=r"Calib.toml is not a calibration of Pose2Sim"):
        views(tmp_path, ("a",))
