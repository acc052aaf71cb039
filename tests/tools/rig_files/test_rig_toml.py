import os
from pathlib import Path

import msgspec
import numpy as np
import pytest

from pose_rig.config import CameraConfig, Config, load
from pose_rig.errors import PoseRigError, UsageError
from pose_rig.tools.arguments.camera_list import config_of, mark_moving, with_phones
from pose_rig.tools.rig_files.rig_toml import RigFile, check_solved, is_writable, solved_camera
from tests.tools.arguments.test_camera_list import keypoint_file
from tests.tools.rigs import solved, state

SOLVED = """
[camera.solved]
size_px = [1280, 720]
rotation = [
    [0.998629535, -0.05231042, 0.001634701],
    [-0.052335956, -0.99814228, 0.031191946],
    [0.0, -0.031234752, -0.999512076],
]
translation_m = [0.047079, 0.898328, 3.229673]
focal_px = 1088.0
distortion = [-0.07, 0.0, 0.0, 0.0, 0.0]
fisheye = false
rotation_sd_deg = 0.4
translation_sd_m = 0.02
focal_sd_px = 9.0
"""


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(b"not looked into here")
    keypoint_file(tmp_path / "kp.npz", 2)
    return tmp_path


def run_of(cams: str, rig: Path, **top: object) -> Config:
    return msgspec.structs.replace(config_of(cams), rig=str(rig), **top)


def restored(config: Config) -> Config:
    return RigFile(Path(config.rig)).restore(config)


def saved_text(path: Path, unsolved: tuple[str, ...] = ()) -> str:
    """Returns the file at ``path`` after a run of it."""
    config = config_of(str(path))
    RigFile(Path(config.rig)).save(config, state(config.camera, unsolved))
    return path.read_text("utf-8")


def test_a_new_file_is_a_complete_rig(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(clips)
    (clips / "kept").mkdir()
    path = clips / "kept" / "studio.toml"
    config = run_of("a.mp4,kp.npz,sim:2", path, height_m=1.82)
    RigFile(Path(config.rig)).save(config, state(config.camera, ("kp1",)))
    again = config_of(str(path))
    assert again.height_m == 1.82
    assert [camera.name for camera in again.camera] == ["a", "kp0", "kp1", "sim0", "sim1"]
    assert [camera.member for camera in again.camera] == [0, 0, 1, 0, 1]
    assert [camera.solved is None for camera in again.camera] == [False, False, True, False, False]
    assert (Path(again.camera[0].source)).resolve() == clips / "a.mp4"
    assert SOLVED in path.read_text("utf-8")
    assert "height_m" not in kept_without_height(config, clips / "other.toml")


def kept_without_height(config: Config, path: Path) -> str:
    RigFile(path).save(msgspec.structs.replace(config, height_m=None), state(config.camera))
    return path.read_text("utf-8")


def test_saved_cameras_are_restored_within_rounding(tmp_path: Path) -> None:
    config = run_of("sim:3", tmp_path / "rig.toml")
    RigFile(Path(config.rig)).save(config, state(config.camera))
    for member, camera in enumerate(restored(config).camera):
        truth = solved(member)
        assert camera.solved is not None
        np.testing.assert_allclose(camera.solved.rotation, truth.rotation, atol=1e-9)
        np.testing.assert_allclose(camera.solved.translation_m, truth.translation_m, atol=1e-6)
        assert (camera.solved.focal_px, camera.solved.lens) == (truth.focal_px, truth.lens)
        assert camera.solved.size_px == truth.size_px
        assert camera.solved.translation_sd_m == truth.translation_sd_m


def test_comments_and_layout_of_the_user_survive(clips: Path) -> None:
    path = clips / "rig.toml"
    first = (
        '# my studio\nheight_m = 1.80   # me\n\n# on the shelf\n[[camera]]\nsource = "a.mp4"   # good\nname = "left"\n'
    )
    second = '\n# on the door\n[[camera]]\nsource = "b.mp4"\n'
    rest = '\n[detector]\nmodel = "lite"  # old laptop\n\n# end\n'
    path.write_text(first + second + rest, "utf-8")
    here = SOLVED
    there = saved_text(path).split("# on the door")[1].split("[detector]")[0]
    assert (
        path.read_text("utf-8") == first + here + "\n# on the door" + there + "[detector]" + rest.split("[detector]")[1]
    )
    assert there.startswith('\n[[camera]]\nsource = "b.mp4"\n\n[camera.solved]\n')
    once = path.read_text("utf-8")
    assert saved_text(path) == once
    assert saved_text(path, ("left",)) == once.replace(SOLVED, "")
    assert saved_text(path) == once


def test_an_entry_of_several_cameras_becomes_one_for_each(clips: Path) -> None:
    path = clips / "rig.toml"
    path.write_text(
        '[[camera]]\nsource = "kp.npz"\noffset_ms = 5.0\n\n# more\n[[camera]]\nsource = "sim"\nmembers = 2\n'
    )
    before = config_of(str(path)).camera
    text = saved_text(path)
    after = config_of(str(path)).camera
    assert [(c.name, c.source, c.member, c.members, c.offset_ms) for c in after] == [
        (c.name, c.source, c.member, c.members, c.offset_ms) for c in before
    ]
    assert all(camera.solved for camera in after)
    assert text.count("[[camera]]") == 4
    assert text.index('name = "kp1"') < text.index("# more") < text.index('name = "sim0"')


def test_an_entry_without_solved_cameras_is_unchanged(clips: Path) -> None:
    path = clips / "rig.toml"
    path.write_text('[[camera]]\nsource = "kp.npz"\n# x\n[[camera]]\nsource = "a.mp4"\n')
    text = saved_text(path, ("kp0", "kp1"))
    assert text.startswith('[[camera]]\nsource = "kp.npz"\n# x\n[[camera]]\nsource = "a.mp4"\n\n[camera.solved]\n')


def test_cameras_written_in_one_line_get_tables(clips: Path) -> None:
    path = clips / "rig.toml"
    path.write_text(
        'camera = [{source = "a.mp4"}, {source = "b.mp4", name = "door"}]\n[fusion]\nrate_hz = 50.0 # slow\n'
    )
    text = saved_text(path)
    assert "rate_hz = 50.0 # slow" in text
    assert [(camera.name, bool(camera.solved)) for camera in config_of(str(path)).camera] == [
        ("a", True),
        ("door", True),
    ]


def test_cameras_are_identified_by_their_source(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(clips)
    path = clips / "rig.toml"
    path.write_text('height_m = 1.9\n[[camera]]\nsource = "b.mp4"\nname = "door"\n[[camera]]\nsource = "a.mp4"\n')
    saved_text(path)
    config = restored(run_of(f"{clips / 'a.mp4'},b.mp4,sim", path))
    assert [camera.solved and camera.solved.translation_m[2] for camera in config.camera] == [
        pytest.approx(4.344781), pytest.approx(3.229673), None,
    ]  # fmt: skip
    assert config.height_m == 1.9
    assert restored(run_of("a.mp4", path, height_m=0.0)).height_m == 0.0  # refused later, not overruled
    assert restored(run_of("a.mp4", path, height_m=1.5)).height_m == 1.5
    RigFile(Path(config.rig)).save(config, state(config.camera))
    again = config_of(str(path)).camera
    assert [camera.name for camera in again] == ["door", "a", "sim0"]
    assert again[0].solved is not None
    assert again[0].solved.translation_m[2] == pytest.approx(4.344781)


def test_heights_of_several_people_are_saved_and_restored(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(clips)
    path = clips / "rig.toml"
    config = run_of("a.mp4", path, height_m=1.82, other_heights_m=(1.65, 1.2), people=3)
    RigFile(path).save(config, state(config.camera))
    assert "other_heights_m = [1.65, 1.2]\n" in path.read_text()
    RigFile(path).save(config, state(config.camera))
    assert path.read_text().count("other_heights_m") == 1
    again = restored(run_of("a.mp4", path, people=2))
    assert (again.height_m, again.other_heights_m) == (1.82, (1.65,))
    assert restored(run_of("a.mp4", path)).other_heights_m == ()
    given = restored(run_of("a.mp4", path, people=2, height_m=1.7))
    assert (given.height_m, given.other_heights_m) == (1.7, ())


def test_a_mirrored_camera_of_the_file_is_mirrored(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(clips)
    path = clips / "rig.toml"
    path.write_text('[[camera]]\nsource = "b.mp4"\nmirror = true\n[[camera]]\nsource = "a.mp4"\n')
    assert [camera.mirror for camera in restored(run_of("a.mp4,b.mp4,sim", path)).camera] == [False, True, False]
    assert "mirror = true" in saved_text(path)


def test_of_equal_sources_the_name_decides(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(clips)
    config = run_of("a.mp4,a.mp4", clips / "rig.toml")
    RigFile(Path(config.rig)).save(config, state(config.camera))
    depths = [camera.solved and camera.solved.translation_m[2] for camera in restored(config).camera]
    assert depths == [pytest.approx(3.229673), pytest.approx(4.344781)]


def test_a_removed_camera_loses_its_solved_table_and_a_taken_name_is_numbered(clips: Path) -> None:
    path = clips / "rig.toml"
    path.write_text(f'[[camera]]\nsource = "gone.mp4"\nname = "b"\n{SOLVED}\n[[camera]]\nsource = "a.mp4"\n', "utf-8")
    config = run_of(f"{clips / 'a.mp4'},{clips / 'b.mp4'}", path)
    RigFile(Path(config.rig)).save(config, state(config.camera))
    cameras = load(path).camera
    assert [(camera.name, bool(camera.solved)) for camera in cameras] == [("b", False), ("", True), ("b-2", True)]


def test_no_password_is_written(tmp_path: Path) -> None:
    path = tmp_path / "rig.toml"
    config = run_of("rtsp://me:secret@10.0.0.7/live", path)
    RigFile(Path(config.rig)).save(config, state(config.camera))
    assert 'source = "rtsp://10.0.0.7/live"' in path.read_text("utf-8")
    assert "secret" not in path.read_text("utf-8")
    assert restored(config).camera[0].solved is not None
    assert restored(config).camera[0].source == "rtsp://me:secret@10.0.0.7/live"


def test_a_file_about_other_cameras_is_refused(clips: Path) -> None:
    path = clips / "rig.toml"
    path.write_text('[[camera]]\nsource = "a.mp4"\n')
    with pytest.raises(UsageError, match=r"rig\.toml belongs to other cameras: a\. Give another --rig"):
        restored(run_of("sim:2", path))


def test_without_a_file_nothing_is_restored(tmp_path: Path) -> None:
    later = run_of("sim:2", tmp_path / "later.toml")
    assert restored(later) == later


def test_moving_and_unsolved_cameras_are_not_saved() -> None:
    (known,) = state([CameraConfig(source="0", name="a")]).cameras
    assert solved_camera(known) is not None
    for change in ({"moving": True}, {"translation_m": None}, {"rotation": None}, {"size_px": None}):
        assert solved_camera(msgspec.structs.replace(known, **change)) is None


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"focal_px": 0.0}, "has values that are out of range"),
        ({"translation_m": (0.0, float("nan"), 1.0)}, "has values that are out of range"),
        ({"translation_m": (0.0, 1e300, 1.0)}, "has values that are out of range"),
        ({"translation_m": (0.0, 2e5, 1.0)}, "has values that are out of range"),
        ({"focal_px": 1e300}, "has values that are out of range"),
        ({"focal_px": 1e-300}, "has values that are out of range"),
        ({"focal_sd_px": 1e308}, "has values that are out of range"),
        ({"k1": -1e300}, "has values that are out of range"),
        ({"size_px": (1 << 62, 720)}, "has values that are out of range"),
        ({"rotation_sd_deg": -1.0}, "has values that are out of range"),
        ({"rotation": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0))}, "has a rotation that is not orthonormal"),
        ({"rotation": ((1.0, 0.0, 0.0), (0.0, 1.1, 0.0), (0.0, 0.0, 1.0))}, "has a rotation that is not orthonormal"),
    ],
)
def test_an_invalid_camera_is_named(change: dict[str, object], text: str) -> None:
    check_solved("left", solved(0))
    with pytest.raises(UsageError, match=f"^The solved part of camera left {text}. Remove it; the next run"):
        check_solved("left", solved(0, **change))


def test_a_file_that_became_invalid_is_not_written(clips: Path) -> None:
    path = clips / "rig.toml"
    path.write_text('[[camera]]\nsource = "a.mp4"\n')
    config, rig_file = config_of(str(path)), RigFile(path)
    path.write_text("[[camera\n")
    with pytest.raises(PoseRigError, match="is not TOML"):
        rig_file.save(config, state(config.camera))
    assert path.read_text() == "[[camera\n"
    nowhere = RigFile(clips / "no" / "rig.toml")
    with pytest.raises(PoseRigError, match=r"The solved rig could not be written to .*Free disk space or repair"):
        nowhere.save(config, state(config.camera))


def test_is_writable(tmp_path: Path) -> None:
    assert is_writable(tmp_path / "new.toml")
    assert not is_writable(tmp_path / "no" / "such.toml")


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_links_and_permissions_are_kept(clips: Path) -> None:
    real, link = clips / "real.toml", clips / "rig.toml"
    real.write_text('[[camera]]\nsource = "a.mp4"\n')
    real.chmod(0o600)
    link.symlink_to(real)
    saved_text(link)
    assert link.is_symlink()
    assert "[camera.solved]" in real.read_text()
    assert real.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in clips.iterdir()) == ["a.mp4", "b.mp4", "kp.npz", "real.toml", "rig.toml"]


def test_a_camera_that_was_unplugged_still_belongs_to_its_entry(clips: Path) -> None:
    path = clips / "rig.toml"
    path.write_text('[[camera]]\nsource = "kp.npz"\n[[camera]]\nsource = "a.mp4"\n')
    config = config_of(str(path))
    rig_file = RigFile(path)
    (clips / "kp.npz").unlink()
    path.write_text("# still mine\n" + path.read_text())
    rig_file.save(config, state(config.camera))
    assert [(camera.name, camera.member) for camera in load(path).camera] == [("kp0", 0), ("kp1", 1), ("", 0)]
    assert path.read_text().startswith("# still mine\n")


def test_a_moving_camera_is_not_restored(tmp_path: Path) -> None:
    config = run_of("sim:2", tmp_path / "rig.toml")
    RigFile(Path(config.rig)).save(config, state(config.camera))
    moving = msgspec.structs.replace(config, camera=mark_moving(config.camera, "1"))
    assert [camera.solved is None for camera in restored(moving).camera] == [False, True]


def test_a_file_of_an_earlier_version_is_read_and_its_lens_written_anew(clips: Path) -> None:
    path = clips / "old.toml"
    lens = "distortion = [-0.07, 0.0, 0.0, 0.0, 0.0]\nfisheye = false\n"
    path.write_text('[[camera]]\nsource = "a.mp4"\n' + SOLVED.replace(lens, "k1 = -0.07\n"), "utf-8")
    assert "k1 = -0.07" in path.read_text("utf-8")
    (camera,) = load(path).camera
    assert camera.solved is not None
    assert camera.solved.lens == (-0.07, 0.0, 0.0, 0.0, 0.0)
    check_solved("a", camera.solved)
    text = saved_text(path)
    assert lens in text
    assert "k1" not in text


def test_a_wide_lens_and_its_principal_point_are_saved_and_restored(tmp_path: Path) -> None:
    config = run_of("sim:2", tmp_path / "rig.toml")
    rig = state(config.camera)
    wide = msgspec.structs.replace(
        rig.cameras[0], distortion=(0.03, 0.002, -0.001, 0.0005, 0.0), fisheye=True, principal_point_px=(651.25, 340.5)
    )
    RigFile(Path(config.rig)).save(config, msgspec.structs.replace(rig, cameras=(wide, rig.cameras[1])))
    first, second = (camera.solved for camera in restored(config).camera)
    assert first is not None
    assert second is not None
    assert (first.fisheye, first.distortion, first.lens) == (True, wide.distortion[:4], wide.distortion)
    assert (first.principal_point_px, second.principal_point_px) == ((651.25, 340.5), None)
    assert not second.fisheye


@pytest.mark.parametrize(
    "change", [{"principal_point_px": (1300.0, 10.0)}, {"distortion": (0.0,) * 6}, {"distortion": (float("nan"),)}]
)
def test_an_impossible_lens_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="The solved part of camera a has values that are out of range"):
        check_solved("a", solved(0, **change))


def test_a_clock_is_saved_for_information_and_removed_when_it_is_the_rigs(tmp_path: Path) -> None:
    config = run_of("sim:2", tmp_path / "rig.toml")
    rig = state(config.camera)
    late = msgspec.structs.replace(rig.cameras[1], time_offset_s=0.431, time_offset_sd_s=0.003, time_rate=1.0008)
    RigFile(Path(config.rig)).save(config, msgspec.structs.replace(rig, cameras=(rig.cameras[0], late)))
    first, second = (camera.solved for camera in restored(config).camera)
    assert first is not None
    assert second is not None
    assert (first.time_offset_s, first.time_rate) == (0.0, 1.0)
    assert (second.time_offset_s, second.time_offset_sd_s, second.time_rate) == (0.431, 0.003, 1.0008)
    assert Path(config.rig).read_text("utf-8").count("time_") == 3
    RigFile(Path(config.rig)).save(config, rig)
    assert "time_" not in Path(config.rig).read_text("utf-8")


def test_phones_are_identified_by_their_names(tmp_path: Path) -> None:
    path = tmp_path / "studio.toml"
    config = with_phones(msgspec.structs.replace(Config(), phones=3, rig=str(path)))
    RigFile(path).save(config, state(config.camera, ("phone2",)))
    again = restored(with_phones(msgspec.structs.replace(Config(), phones=4, rig=str(path))))
    assert [camera.solved is not None for camera in again.camera] == [True, False, True, False]
    assert [camera.name for camera in config_of(str(path)).camera] == ["phone1", "phone2", "phone3"]
