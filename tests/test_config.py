from pathlib import Path

import pytest

from pose_rig.config import MAX_PEOPLE, CameraConfig, Config, DetectorConfig, load
from pose_rig.errors import UsageError


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "rig.toml"
    path.write_text(text, "utf-8")
    return path


def test_an_empty_file_is_the_default_rig(tmp_path: Path) -> None:
    config = load(write(tmp_path, ""))
    assert config == Config()
    assert (config.height_m, config.pace, config.port, config.detector.model) == (None, "realtime", 5571, "full")


def test_every_key_is_read(tmp_path: Path) -> None:
    text = """
        height_m = 1.82
        pace = "all"
        port = 0
        save = "p.npz"
        duration_s = 5
        [detector]
        model = "lite"
        people = 3
        min_confidence = 0.4
        [fusion]
        rate_hz = 100
        min_cutoff_hz = 2.0
        beta = 0.5
        weights = "w.onnx"
        provider = "cpu"
        [[camera]]
        name = "left"
        source = "a.mp4"
        size_px = [1280, 720]
        fps = 25.0
        focal_px = 1000.0
        offset_ms = -40.0
        [[camera]]
        source = "sim"
        member = 1
        members = 2
    """
    config = load(write(tmp_path, text))
    assert (config.height_m, config.pace, config.port, config.save, config.duration_s) == (1.82, "all", 0, "p.npz", 5.0)
    assert (config.detector.model, config.detector.people, config.detector.min_confidence) == ("lite", 3, 0.4)
    fusion = config.fusion
    assert (fusion.rate_hz, fusion.min_cutoff_hz, fusion.beta, fusion.weights, fusion.provider) == (
        100.0,
        2.0,
        0.5,
        "w.onnx",
        "cpu",
    )
    assert config.camera == (
        CameraConfig(
            source="a.mp4", name="left", size_px=(1280, 720), fps=25.0, focal_px=1000.0, offset_ms=-40.0
        ),
        CameraConfig(source="sim", member=1, members=2),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("hight_m = 1.8", "unknown field `hight_m`"),
        ("[fusion]\nrate = 60", r"unknown field `rate` - at `\$\.fusion`"),
        ('[[camera]]\nsource = "0"\nfocal = 1', r"unknown field `focal` - at `\$\.camera\[0\]`"),
        ("[[camera]]\nname = 'a'", "missing required field `source`"),
        ("height_m = 'tall'", r"Expected `float \| null`, got `str` - at `\$\.height_m`"),
        ("pace = 'slow'", r"Invalid enum value 'slow' - at `\$\.pace`"),
        ("height_m = ", "is not TOML"),
        (f"x = {'[' * 100_000}", "is not TOML: maximum recursion depth exceeded"),
        (f"a{'.a' * 50_000} = 1", r"is not a rig\.toml: it is too large, or has too long lines\. Check the path"),
        (f"#{'x' * (1 << 18)}", r"is not a rig\.toml: it is too large"),
    ],
)
def test_errors_name_the_key(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as caught:
        load(write(tmp_path, text))
    assert "rig.toml" in caught.value.cause


def test_as_many_people_as_there_are(tmp_path: Path) -> None:
    path = tmp_path / "rig.toml"
    path.write_text('people = "auto"\nheight_m = 1.8\nother_heights_m = [1.7, 1.6]\n')
    config = load(path)
    assert (config.people, config.other_heights_m) == (MAX_PEOPLE, (1.7, 1.6))
    path.write_text('people = "all"\n')
    with pytest.raises(UsageError, match=r"Expected `int`, got `str` - at `\$\.people`"):
        load(path)


@pytest.mark.parametrize(
    ("tracked", "in_an_image", "wanted"), [(1, 2, 2), (1, 1, 1), (2, 2, 3), (2, 5, 5), (6, 2, 7), (3, 1, 4)]
)
def test_detectors_look_for_one_more_person_than_are_tracked(tracked: int, in_an_image: int, wanted: int) -> None:
    config = Config(people=tracked, detector=DetectorConfig(people=in_an_image))
    assert config.detected_people == wanted


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^Cannot read .*none\.toml: No such file"):
        load(tmp_path / "none.toml")


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rig.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match=r"rig\.toml is not TOML"):
        load(path)


def test_a_file_of_notepad_is_read(tmp_path: Path) -> None:
    """It may begin with a byte order mark, and its lines end in two characters."""
    path = tmp_path / "rig.toml"
    path.write_bytes(b'\xef\xbb\xbf[[camera]]\r\nsource = "a.mp4"\r\nname = "left"\r\n')
    assert load(path).camera == (CameraConfig(source="a.mp4", name="left"),)
