from pathlib import Path

import msgspec
import numpy as np
import pytest

from pose_rig.config import Config
from pose_rig.errors import UsageError
from pose_rig.tools.arguments.camera_list import config_of
from pose_rig.tools.rig_files.reader import load_rig
from pose_rig.tools.rig_files.rig_camera import (
    RigCamera,
    azimuth_deg,
    horizontal_fov_deg,
    position_m,
    rig_warnings,
    roll_deg,
    tilt_deg,
)
from pose_rig.tools.rig_files.rig_toml import RigFile
from tests.tools.cli.test_app import pose_rig
from tests.tools.rigs import K1, facing, places, solved, state


def poses_file(path: Path, **more: object) -> Path:
    """Writes the parts of a poses file that are about cameras: two are solved, the last is not."""
    lost = np.full((1, 3, 3), np.nan)
    rig = [solved(0), solved(1)]
    matrix = [[[c.focal_px, 0, 640.0], [0, c.focal_px, 360.0], [0, 0, 1]] for c in rig]
    arrays: dict[str, object] = {
        "K": np.concatenate([matrix, lost]),
        "R": np.concatenate([[c.rotation for c in rig], lost]),
        "t": np.concatenate([[c.translation_m for c in rig], lost[:, 0]]),
        "cameras": np.array(["left", "right", "lost"]),
        "xyz": np.zeros((5, 17, 3)),
    }
    np.savez(path, **(arrays | more))  # type: ignore[arg-type]
    return path


def rig_file(path: Path, count: int = 3) -> Config:
    config = msgspec.structs.replace(config_of(f"sim:{count}"), rig=str(path))
    RigFile(Path(config.rig)).save(config, state(config.camera))
    return config


def test_a_rig_toml_is_read_without_its_cameras(tmp_path: Path) -> None:
    path = tmp_path / "rig.toml"
    rig_file(path)
    with path.open("a") as file:
        file.write('\n[[camera]]\nsource = "/dev/v4l/by-id/no-such-camera"\nname = "new"\n')
    rig = load_rig(path)
    assert [(place.name, place.solved is None) for place in rig] == [
        ("sim0", False), ("sim1", False), ("sim2", False), ("new", True),
    ]  # fmt: skip


def test_a_poses_file_is_read_with_and_without_uncertainties(tmp_path: Path) -> None:
    left, right, lost = load_rig(poses_file(tmp_path / "poses.npz"))
    assert (left.name, right.name, lost) == ("left", "right", RigCamera("lost", None))
    assert left.solved == solved(
        0, k1=0.0, distortion=(0.0,), principal_point_px=(640.0, 360.0),
        rotation_sd_deg=0.0, translation_sd_m=0.0, focal_sd_px=0.0,
    )  # fmt: skip
    nan = np.nan
    sds = {"R_sd_deg": [0.4, 1, nan], "t_sd_m": [0.02, 1, nan], "focal_sd_px": [9.0, 1, nan], "k1": [-0.07, 0, nan]}
    assert load_rig(poses_file(tmp_path / "more.npz", **sds))[0].solved == solved(
        0, k1=0.0, distortion=(K1,), principal_point_px=(640.0, 360.0)
    )


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"R": np.full((3, 3, 3), np.nan)}, "has no solved camera. Solve the rig with `pose-rig run`"),
        ({"t": np.zeros((2, 3))}, "is not a poses file: t is missing or has a wrong shape"),
        ({"cameras": np.array([object()] * 3)}, "cannot be read: Object arrays cannot be loaded"),
        ({"K": np.tile(-np.eye(3), (3, 1, 1))}, "camera left has values that are out of range"),
    ],
)
def test_an_invalid_poses_file_is_named(tmp_path: Path, more: dict[str, object], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        load_rig(poses_file(tmp_path / "poses.npz", **more))


def test_files_without_a_rig_are_named(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("text")
    (tmp_path / "rig.toml").write_text('[[camera]]\nsource = "0"\n')
    for name, text in (
        ("no.toml", "There is no file"),
        ("text.npz", "cannot be read"),
        ("rig.toml", "no solved camera"),
    ):
        with pytest.raises(UsageError, match=text):
            load_rig(tmp_path / name)


def test_position_and_direction_of_a_camera() -> None:
    right = facing("right", 90.0).solved  # stands on the left, looks to the right
    assert right is not None
    np.testing.assert_allclose(position_m(right), [-4.0, 1.0, 0.0], atol=1e-12)
    assert azimuth_deg(right) == pytest.approx(90.0)
    assert tilt_deg(right) == pytest.approx(0.0)
    assert roll_deg(right) == pytest.approx(0.0)
    assert horizontal_fov_deg(right) == pytest.approx(62.233, abs=1e-3)


@pytest.mark.parametrize(
    ("rotation", "azimuth", "tilt", "roll"),
    [
        (((0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, -1.0)), 0.0, 0.0, -90.0),  # on its side: its right points up
        (((-1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0)), 0.0, 0.0, 180.0),  # hangs upside down
        (((1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, -1.0, 0.0)), None, -90.0, None),  # looks straight down
    ],
)
def test_rotated_mounts(
    rotation: tuple[tuple[float, ...], ...], azimuth: float | None, tilt: float, roll: float | None
) -> None:
    camera = solved(0, rotation=rotation)
    assert azimuth_deg(camera) == azimuth
    assert tilt_deg(camera) == pytest.approx(tilt)
    turned = roll_deg(camera)
    assert (None if turned is None else abs(turned) if roll == 180 else turned) == (
        None if roll is None else pytest.approx(roll)
    )


def test_a_well_placed_rig_has_no_warnings() -> None:
    assert rig_warnings([facing(str(azimuth), azimuth) for azimuth in (0.0, 90.0, 180.0, 270.0)]) == []


def test_views_that_do_not_cross_are_named() -> None:
    alike, same, opposite = facing("a", 0.0), facing("b", 12.0), facing("c", 176.0)
    assert rig_warnings([alike, same]) == [
        "Only two cameras: a third one would see occluded joints and stabilise the solution.",
        "a and b have almost the same viewing direction (12° between their axes), and no other camera crosses both: "
        "depth along them is uncertain.",
    ]
    assert "a and c face each other (176° between their axes)" in "\n".join(rig_warnings([alike, same, opposite]))
    assert rig_warnings([alike, same, facing("d", 90.0)]) == []


def test_uncertain_cameras_are_named() -> None:
    rig = [*places(3), facing("shaky", 300.0, rotation_sd_deg=2.5, translation_sd_m=0.12, focal_sd_px=60.0)]
    assert rig_warnings([*rig, RigCamera("lost", None)]) == [
        "lost is not solved.",
        "shaky is uncertain: direction ±2.5°, position ±12 cm, focal length ±6 %. Move around in its view.",
    ]


def test_the_command_shows_draws_and_exports(tmp_path: Path) -> None:
    path, picture, calibration = tmp_path / "studio.toml", tmp_path / "rig.png", tmp_path / "Calib.toml"
    rig_file(path)
    code, output = pose_rig(
        "rig", str(path), "--picture", str(picture), "--export", f"pose2sim:{calibration}",
        "--export", f"opencv:{tmp_path / 'rig.yaml'}",
    )  # fmt: skip
    assert code == 0, output
    lines = output.splitlines()
    assert " ".join(lines[0].split()) == "camera x m y m z m ±cm azimuth tilt roll ± focal px ±px fov"
    assert " ".join(lines[2].split()) == "sim1 +4.05 1.46 +1.08 2 285° -8° -1° 0.4° 1088 9 62°"
    assert f"Written: {picture}." in lines
    assert f"Written: {calibration}." in lines
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "[cam_03]" in calibration.read_text()
    assert "cameras:" in (tmp_path / "rig.yaml").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["nowhere.toml"], 2, "Error: There is no file nowhere.toml."),
        (["{rig}", "--export", "blender:x"], 2, "Error: Unknown export 'blender:x'."),
        (["{rig}", "--picture", "rig.jpg"], 2, "Error: The drawing is a PNG; got rig.jpg."),
        (["{rig}", "--picture", "no/such/rig.png"], 2, "Error: Cannot write no/such/rig.png."),
    ],
)
def test_wrong_use_ends_in_one_sentence(tmp_path: Path, arguments: list[str], code: int, text: str) -> None:
    rig_file(tmp_path / "rig.toml")
    got, output = pose_rig("rig", *(argument.format(rig=tmp_path / "rig.toml") for argument in arguments))
    assert text in output
    assert got == code


def test_the_default_is_the_rig_toml_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rig_file(tmp_path / "rig.toml", 2)
    monkeypatch.chdir(tmp_path)
    code, output = pose_rig("rig")
    assert code == 0
    assert "Only two cameras" in output


def test_the_rig_toml_of_the_docs_is_one(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "rig.md").read_text("utf-8")
    path = tmp_path / "rig.toml"
    path.write_text(page.split("```toml\n")[1].split("```")[0], "utf-8")
    (left,) = load_rig(path)
    assert left.solved is not None
    np.testing.assert_allclose(position_m(left.solved), position_m(solved(0)), atol=1e-5)


def test_a_wrong_export_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    file = poses_file(tmp_path / "poses.npz")
    right, picture = f"opencv:{tmp_path / 'rig.yaml'}", str(tmp_path / "rig.png")
    code, output = pose_rig("rig", str(file), "--picture", picture, "--export", right, "--export", "blender:x")
    assert "Unknown export 'blender:x'." in output
    assert code == 2
    assert list(tmp_path.iterdir()) == [file]


def test_clocks_that_differ_are_shown(tmp_path: Path) -> None:
    clocks = {"time_offset_s": np.array([0.0, 0.431, np.nan]), "time_offset_sd_s": np.array([0.0, 0.003, np.nan])}
    path = poses_file(tmp_path / "poses.npz", **clocks, time_rate=np.array([1.0, 1.0008, 1.0]))
    code, output = pose_rig("rig", str(path), "--picture", str(tmp_path / "rig.png"))
    assert code == 0, output
    lines = output.splitlines()
    assert lines[0].split()[-2:] == ["clock", "ppm"]
    assert lines[1].split()[-2:] == ["+0±–", "–"]
    assert lines[2].split()[-2:] == ["+431±3", "+800"]
    assert "Clock: rig time minus camera time" in " ".join(output.split())
