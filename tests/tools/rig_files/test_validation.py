import math
from typing import Any

import msgspec
import pytest

from pose_rig.config import CameraConfig, Config, DetectorConfig, FusionConfig, StreamConfig
from pose_rig.errors import UsageError
from pose_rig.tools.rig_files.validation import check_config, check_duration


def test_a_live_camera_has_no_second_pass() -> None:
    cameras = (CameraConfig(source="sim", name="sim0"), CameraConfig(source="/dev/video0", name="left"))
    with pytest.raises(UsageError, match=r"^left is live and has no second pass. Leave --passes out, or give"):
        check_config(Config(camera=cameras, passes=2))
    check_config(Config(camera=cameras[:1], passes=2, pace="all"))


def remote(source: str, name: str, **more: Any) -> Config:
    return Config(camera=(CameraConfig(source=source, name=name, **more),))


@pytest.mark.parametrize(("source", "name"), [("remote:", "camera"), ("remote:a b", "a_b"), ("remote:hall", "hall-2")])
def test_a_remote_camera_needs_a_valid_name_of_its_own(source: str, name: str) -> None:
    with pytest.raises(UsageError, match="does not name a remote camera of its own"):
        check_config(remote(source, name))


@pytest.mark.parametrize("more", [{"fps": 30.0}, {"mirror": True}, {"size_px": (640, 480)}, {"offset_ms": 5.0}])
def test_what_the_other_machine_reads_cannot_be_set_here(more: dict[str, Any]) -> None:
    check_config(remote("remote:hall", "hall", focal_px=900.0, moving=True))
    with pytest.raises(UsageError, match=f"^{next(iter(more))} of hall cannot be set here"):
        check_config(remote("remote:hall", "hall", **more))


def test_a_remote_camera_is_live() -> None:
    with pytest.raises(UsageError, match=r"^hall is live; pace `all` reads every frame of files"):
        check_config(msgspec.structs.replace(remote("remote:hall", "hall"), pace="all"))


@pytest.mark.parametrize("repeat", [0, -1, 5000])
def test_a_file_cannot_be_played_less_than_once(repeat: int) -> None:
    camera = CameraConfig(source="a.mp4", name="left", repeat=repeat)
    with pytest.raises(UsageError, match=rf"^A repeat of left of {repeat} times is out of range\. Use 1 to 1000\."):
        check_config(Config(camera=(camera,)))


def rig(**camera: Any) -> Config:
    return Config(camera=(CameraConfig(source="sim", name="left", **camera),))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1.0])
@pytest.mark.parametrize("key", ["fps", "focal_px"])
def test_invalid_values_of_a_camera_are_refused_by_name(key: str, value: float) -> None:
    with pytest.raises(UsageError, match=r"left of -?(nan|inf|1) (Hz|px) is out of range\. Use "):
        check_config(rig(**{key: value}))


@pytest.mark.parametrize("value", [math.nan, math.inf, -1e12])
def test_an_offset_of_years_is_refused(value: float) -> None:
    with pytest.raises(UsageError, match=r"^A time offset \(offset_ms\) of left of .* ms is out of range\."):
        check_config(rig(offset_ms=value))


@pytest.mark.parametrize("size_px", [(0, 0), (-1280, 720), (1280, 10**9)])
def test_an_invalid_image_size_is_refused(size_px: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match=r"^A side of the image \(size_px\) of left of .* px is out of range\."):
        check_config(rig(size_px=size_px))


@pytest.mark.parametrize("value", [math.nan, math.inf, -5.0, 0.0])
def test_invalid_rates_and_durations_are_refused(value: float) -> None:
    for config in (
        Config(duration_s=value),
        Config(height_m=value),
        Config(fusion=FusionConfig(rate_hz=value)),
        Config(fusion=FusionConfig(min_cutoff_hz=value)),
        Config(stream=StreamConfig(rate_hz=value)),
    ):
        with pytest.raises(UsageError, match=r"is out of range\.|must be positive"):
            check_config(config)


@pytest.mark.parametrize("value", [math.nan, math.inf, -5.0])
def test_other_invalid_values_are_refused(value: float) -> None:
    for config in (
        Config(fusion=FusionConfig(beta=value)),
        Config(fusion=FusionConfig(max_delay_ms=value)),
        Config(detector=DetectorConfig(min_confidence=value)),
        Config(stream=StreamConfig(lead=value)),
    ):
        with pytest.raises(UsageError, match=r"is out of range\."):
            check_config(config)


@pytest.mark.parametrize("height_m", [0.0, -1.0, 1e9, 0.2, float("nan"), float("inf")])
def test_an_impossible_height_is_refused(height_m: float) -> None:
    text = (
        r"^A height of \S+ m is out of range\. Give it in metres, 0.4 to 2.6: a person of 182 cm is --height 1\.82\.$"
    )
    with pytest.raises(UsageError, match=text):
        check_config(Config(height_m=height_m))


@pytest.mark.parametrize(("height_m", "meant"), [(182.0, "1.82"), (95.0, "0.95"), (40.0, "0.4")])
def test_a_height_in_centimetres_is_recognised(height_m: float, meant: str) -> None:
    with pytest.raises(
        UsageError, match=rf"Give it in metres, .*: {height_m:g} may be centimetres: --height {meant}\.$"
    ):
        check_config(Config(height_m=height_m))


def test_heights_of_several_people() -> None:
    check_config(Config(height_m=1.8, other_heights_m=(1.6,), people=2))
    for config, text in (
        (
            Config(height_m=1.8, other_heights_m=(1.6, 1.5), people=2),
            "3 body heights are given, but 2 people are tracked.",
        ),
        (Config(height_m=1.8, other_heights_m=(16.0,), people=2), "A height of 16 m is out of range."),
        (Config(other_heights_m=(1.6,), people=2), "The body height of the first person is missing."),
    ):
        with pytest.raises(UsageError) as error:
            check_config(config)
        assert error.value.cause == text


@pytest.mark.parametrize("height_m", [None, 0.4, 1.82, 2.6])
def test_a_possible_height_is_accepted(height_m: float | None) -> None:
    check_config(Config(height_m=height_m))


@pytest.mark.parametrize("duration_s", [0.0, -1.0, float("nan"), float("inf")])
def test_a_duration_is_positive(duration_s: float) -> None:
    check_duration(None)
    check_duration(0.5)
    with pytest.raises(UsageError, match=r"The duration must be positive; got \S+ s. Use for example"):
        check_duration(duration_s)


@pytest.mark.parametrize(
    ("lens", "problem"),
    [
        ({"distortion": (0.1,)}, "left has a distortion without a focal length"),
        ({"fisheye": True}, "left has a distortion without a focal length"),
        ({"focal_px": 900.0, "distortion": (0.1,) * 6}, "left has 6 distortion coefficients; a perspective lens has 5"),
        ({"focal_px": 900.0, "distortion": (0.1,) * 5, "fisheye": True}, "5 distortion coefficients; a fisheye lens"),
        ({"focal_px": 900.0, "distortion": (math.nan,)}, "coefficient of distortion of left of nan is out of range"),
        (
            {"principal_point_px": (-3.0, 4.0)},
            r"principal point \(principal_point_px\) of left of -3 px is out of range",
        ),
    ],
)
def test_an_incomplete_or_impossible_lens_is_refused(lens: dict[str, Any], problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        check_config(rig(**lens))


def test_a_calibrated_lens_is_accepted() -> None:
    check_config(rig(focal_px=900.0, distortion=(-0.2, 0.05, 0.001, 0.0, 0.0), principal_point_px=(650.0, 350.0)))
    check_config(rig(focal_px=500.0, distortion=(0.03, 0.0, 0.0, 0.0), fisheye=True))
