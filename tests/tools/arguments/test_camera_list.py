from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from pose_rig.config import CameraConfig
from pose_rig.errors import SourceError, UsageError
from pose_rig.tools.arguments.camera_list import config_of, mark_moving, with_phones
from pose_rig.tools.arguments.camera_sources import ends_by_itself, is_remote, needs_detector, source_kind


def names(cams: str) -> list[str]:
    return [camera.name for camera in config_of(cams).camera]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "left side.mp4"
    path.write_bytes(b"not looked into here")
    return path


def keypoint_file(path: Path, views: int, **more: object) -> Path:
    arrays: dict[str, object] = {
        "xy": np.full((views, 3, 17, 2), 50.0),
        "score": np.ones((views, 3, 17)),
        "t_ns": np.tile(np.arange(3) * 40_000_000, (views, 1)),
        "landmarks": "coco17",
        "size_px": np.full((views, 2), 100),
    }
    np.savez(path, **(arrays | more))  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("0", "webcam"), ("sim", "sim"), ("/dev/video2", "webcam"), ("rtsp://a:b@host/x", "url"),
        ("a.npz", "keypoints"), ("a.mp4", "video"), ("clips/a", "video"), ("C920 Pro", "webcam"), ("phone", "phone"),
        ("remote:hall", "remote"),
    ],
)  # fmt: skip
def test_the_kind_of_a_source(source: str, kind: str) -> None:
    assert source_kind(source) == kind


def test_names_come_from_the_sources(clip: Path) -> None:
    assert names(f"rtsp://user:secret@10.0.0.7:554/live,{clip}") == ["10.0.0.7", "left_side"]


def test_equal_names_are_numbered(clip: Path) -> None:
    assert names(f"{clip},{clip},{clip}") == ["left_side", "left_side-2", "left_side-3"]


def test_a_camera_of_another_machine_has_the_name_that_is_given() -> None:
    local, remote = config_of("sim:1,remote:hall").camera
    assert (remote.name, remote.source) == ("hall", "remote:hall")
    assert not needs_detector(remote)
    assert not ends_by_itself(remote)
    assert (is_remote(remote), is_remote(local)) == (True, False)


def test_names_of_workers_are_reserved() -> None:
    assert names("rtsp://fusion/live") == ["fusion-2"]


def test_sim_makes_as_many_cameras_as_asked() -> None:
    cameras = config_of("sim:3").camera
    assert [(camera.name, camera.member, camera.members) for camera in cameras] == [
        ("sim0", 0, 3),
        ("sim1", 1, 3),
        ("sim2", 2, 3),
    ]


def test_a_keypoint_file_gives_all_its_cameras(tmp_path: Path) -> None:
    named = keypoint_file(tmp_path / "kp.npz", 2, cameras=np.array(["north", "south east"]))
    plain = keypoint_file(tmp_path / "other.npz", 2)
    cameras = config_of(f"{named},{plain}").camera
    assert [camera.name for camera in cameras] == ["north", "south_east", "other0", "other1"]
    assert [camera.member for camera in cameras] == [0, 1, 0, 1]
    assert not any(needs_detector(camera) for camera in cameras)


def test_a_camera_that_is_not_plugged_in_is_named() -> None:
    with pytest.raises(SourceError, match="There is no file or camera 'C9200 Pro Max'"):
        config_of("C9200 Pro Max")


def test_files_in_a_rig_toml_are_relative_to_it(tmp_path: Path, clip: Path) -> None:
    toml = tmp_path / "rig.toml"
    toml.write_text(
        f'height_m = 1.82\n[[camera]]\nname = "front"\nsource = "{clip.name}"\n'
        '[[camera]]\nsource = "sim"\nmembers = 2\n'
    )
    config = config_of(str(toml))
    assert config.height_m == 1.82
    assert [(camera.name, camera.source) for camera in config.camera] == [
        ("front", str(clip)),
        ("sim0", "sim"),
        ("sim1", "sim"),
    ]


@pytest.mark.parametrize(
    ("cams", "text"),
    [
        ("missing.mp4", r"^There is no file missing\.mp4\. Check the path"),
        ("missing.npz", r"^There is no file missing\.npz\. Check the path"),
        ("missing.toml", r"^Cannot read missing\.toml: No such file"),
        ("0,,1", "^--cams has an empty item"),
        ("sim:0", "cameras; got 0"),
        ("sim:99", "cameras; got 99"),
        ("0,rig.toml,1", r"^rig\.toml cannot be combined with other cameras"),
    ],
)
def test_wrong_cameras_are_named(cams: str, text: str) -> None:
    with pytest.raises(UsageError, match=text) as caught:
        config_of(cams)
    assert caught.value.exit_code == 2


def test_a_file_that_holds_no_keypoints_is_named(tmp_path: Path) -> None:
    path = tmp_path / "kp.npz"
    path.write_bytes(b"text")
    with pytest.raises(SourceError, match=r"kp\.npz"):
        config_of(str(path))


def test_focal_lengths_come_from_the_keypoint_file(tmp_path: Path) -> None:
    path = keypoint_file(tmp_path / "kp.npz", 2, focal_px=np.array([900.0, 1000.0]))
    assert [camera.focal_px for camera in config_of(str(path)).camera] == [900.0, 1000.0]


@pytest.mark.parametrize(
    ("camera", "text"),
    [
        ('name = "a/b"\nsource = "0"', "'a/b' is not a valid camera name"),
        ('name = "a"\nsource = "0"\n[[camera]]\nname = "a"\nsource = "1"', "camera name 'a' is taken"),
        ('name = "fusion"\nsource = "0"', "camera name 'fusion' is taken"),
    ],
)
def test_a_wrong_rig_toml_is_named(tmp_path: Path, camera: str, text: str) -> None:
    keypoint_file(tmp_path / "kp.npz", 2)
    toml = tmp_path / "rig.toml"
    toml.write_text(f"[[camera]]\n{camera}\n")
    with pytest.raises(UsageError, match=text):
        config_of(str(toml))


def test_only_files_and_simulations_end() -> None:
    ends = [
        ends_by_itself(CameraConfig(source=source)) for source in ("a.mp4", "a.npz", "sim", "0", "rtsp://h", "C920")
    ]
    assert ends == [True, True, True, False, False, False]


def rig_toml(path: Path, text: str) -> str:
    path.write_text(text, "utf-8")
    return str(path)


def test_an_entry_that_names_its_member_is_one_camera(tmp_path: Path) -> None:
    keypoint_file(tmp_path / "kp.npz", 3, cameras=np.array(["north", "east", "west"]))
    entries = (
        '[[camera]]\nsource = "kp.npz"\nmember = 2\n',
        '[[camera]]\nsource = "kp.npz"\nname = "a"\nmember = 0\nmoving = true\n',
        '[[camera]]\nsource = "sim"\nmembers = 4\nmember = 3\n',
    )
    cameras = config_of(rig_toml(tmp_path / "rig.toml", "".join(entries))).camera
    assert [(c.name, c.member, c.members, c.moving) for c in cameras] == [
        ("west", 2, 3, False), ("a", 0, 3, True), ("sim3", 3, 4, False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ('source = "kp.npz"\nmember = 3', r"kp\.npz has no camera 3\. Set member to a value of 0 to 2\."),
        ('source = "sim"\nmember = -1\nmembers = 2', r"sim has no camera -1\. Set member to a value of 0 to 1\."),
        (
            'source = "kp.npz"\n[camera.solved]\nsize_px = [9, 9]\nfocal_px = 9\ntranslation_m = [0, 0, 0]\n'
            "rotation = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]",
            r"kp\.npz has 3 cameras, but one \[camera\.solved\] is given\. Remove it",
        ),
    ],
)
def test_an_invalid_member_is_named(tmp_path: Path, text: str, wrong: str) -> None:
    keypoint_file(tmp_path / "kp.npz", 3)
    with pytest.raises(UsageError, match=wrong):
        config_of(rig_toml(tmp_path / "rig.toml", f"[[camera]]\n{text}\n"))


def test_the_solved_rig_is_saved_in_the_rig_toml_unless_another_file_is_named(tmp_path: Path) -> None:
    camera = '[[camera]]\nsource = "sim"\n'
    assert config_of("sim").rig == ""
    path = rig_toml(tmp_path / "rig.toml", camera)
    assert config_of(path).rig == path
    other = rig_toml(tmp_path / "other.toml", f'rig = "kept.toml"\n{camera}')
    assert config_of(other).rig == str(tmp_path / "kept.toml")


@pytest.mark.parametrize(
    ("moving", "marked"),
    [
        ("all", [True, True, True]),
        ("sim1", [False, True, False]),
        ("0, sim2", [True, False, True]),
        ("2", [False, False, True]),
    ],
)
def test_moving_cameras_are_marked_by_name_or_number(moving: str, marked: list[bool]) -> None:
    cameras = mark_moving(config_of("sim:3").camera, "1")
    assert [camera.moving for camera in mark_moving(cameras, moving)] == marked


@pytest.mark.parametrize("moving", ["3", "left", "sim0,,sim1", "-1"])
def test_an_unknown_moving_camera_is_named(moving: str) -> None:
    with pytest.raises(UsageError, match=r"in --moving. The cameras are 0 sim0, 1 sim1, 2 sim2; or all"):
        mark_moving(config_of("sim:3").camera, moving)


def test_names_in_a_keypoint_file_become_valid_in_topics(tmp_path: Path) -> None:
    odd = np.array(["../x", "../x", "", "a\nb\x07", "fusion"])
    path = keypoint_file(tmp_path / "kp.npz", 5, cameras=odd)
    assert names(str(path)) == [".._x", ".._x-2", "kp2", "a_b_", "fusion-2"]


def test_a_rig_of_a_thousand_million_cameras_is_refused_at_once(tmp_path: Path) -> None:
    toml = tmp_path / "rig.toml"
    toml.write_text('[[camera]]\nsource = "sim"\nmembers = 1000000000\n')
    with pytest.raises(UsageError, match=r"^A simulated rig of 1000000000 cameras is too large\."):
        config_of(str(toml))


def test_numbers_of_members_are_kept_apart_from_those_of_the_file(tmp_path: Path) -> None:
    names = [camera.name for camera in config_of(str(keypoint_file(tmp_path / "coco17.npz", 2))).camera]
    assert names == ["coco17-0", "coco17-1"]


def test_a_tilde_in_a_rig_toml_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    keypoint_file(tmp_path / "home" / "kp.npz", 1)
    toml = tmp_path / "rig.toml"
    toml.write_text('[[camera]]\nsource = "~/kp.npz"\n')
    assert [camera.source for camera in config_of(str(toml)).camera] == [str(tmp_path / "home" / "kp.npz")]


def test_phones_are_added_after_the_other_cameras() -> None:
    config = with_phones(replace(config_of("sim:2"), phones=2))
    assert [camera.name for camera in config.camera] == ["sim0", "sim1", "phone1", "phone2"]
    assert [camera.source for camera in config.phone_cameras] == ["phone", "phone"]
    assert with_phones(config) == config  # as from a rig.toml that this run has written


def test_a_rig_toml_may_have_phones_only(tmp_path: Path) -> None:
    config = with_phones(config_of(rig_toml(tmp_path / "rig.toml", "phones = 2\n")))
    assert [camera.name for camera in config.camera] == ["phone1", "phone2"]


def test_a_phone_takes_a_free_name() -> None:
    config = config_of("sim:1")
    taken = replace(config, camera=(replace(config.camera[0], name="phone1"),), phones=1)
    assert [camera.name for camera in with_phones(taken).camera] == ["phone1", "phone2"]
