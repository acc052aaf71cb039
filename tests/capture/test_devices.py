from collections.abc import Sequence
from pathlib import Path

import pytest

from pose_rig.capture.devices import Plugged, find, plugged
from pose_rig.errors import SourceError
from tests.capture.fakes import FakeDevice


def plug(root: Path, number: int, name: str, by_id: str = "", index: int = 0) -> None:
    node = root / f"sys/class/video4linux/video{number}"
    node.mkdir(parents=True)
    (node / "name").write_text(name + "\n")
    (node / "index").write_text(f"{index}\n")
    device = root / f"dev/video{number}"
    device.parent.mkdir(exist_ok=True)
    device.touch()
    if by_id:
        link = root / "dev/v4l/by-id" / by_id
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(f"../../video{number}")


@pytest.fixture
def rig(tmp_path: Path) -> Path:
    plug(tmp_path, 10, "Integrated Camera")
    plug(tmp_path, 2, "HD Pro Webcam C920", "usb-C920_A-video-index0")
    plug(tmp_path, 3, "HD Pro Webcam C920", index=1)  # metadata of the same camera
    plug(tmp_path, 4, "Twin")
    plug(tmp_path, 6, "Twin")
    return tmp_path


def test_lists_cameras_by_number_without_their_metadata_nodes(rig: Path) -> None:
    assert plugged(rig, "linux") == (
        Plugged(2, "HD Pro Webcam C920", "/dev/video2", "/dev/v4l/by-id/usb-C920_A-video-index0"),
        Plugged(4, "Twin", "/dev/video4", "/dev/video4"),
        Plugged(6, "Twin", "/dev/video6", "/dev/video6"),
        Plugged(10, "Integrated Camera", "/dev/video10", "Integrated Camera"),
    )


def test_no_cameras(tmp_path: Path) -> None:
    assert plugged(tmp_path, "linux") == ()


@pytest.mark.parametrize(
    ("source", "index"),
    [
        ("2", 2),
        ("/dev/video2", 2),
        ("/dev/v4l/by-id/usb-C920_A-video-index0", 2),
        ("hd pro webcam c920", 2),
        ("integrated", 10),
    ],
)
def test_finds_by_number_path_identity_and_name(rig: Path, source: str, index: int) -> None:
    assert find(source, rig, "linux").index == index


def test_a_camera_plugged_in_again_under_another_number_is_found_by_its_identity(rig: Path) -> None:
    identity = find("2", rig, "linux").identity
    (rig / "sys/class/video4linux/video2/index").write_text("1")
    plug(rig, 8, "HD Pro Webcam C920", "usb-C920_A-video-index0")
    assert find(identity, rig, "linux").index == 8


def test_says_what_is_plugged_in_when_a_camera_is_not(rig: Path) -> None:
    with pytest.raises(SourceError, match=r"no file or camera '7'.*2 \(HD Pro Webcam C920\), 4 \(Twin\)"):
        find("7", rig, "linux")


def test_says_that_a_name_is_ambiguous(rig: Path) -> None:
    with pytest.raises(SourceError, match=r"2 cameras are called 'twin'\. Name one by number"):
        find("twin", rig, "linux")


def test_other_systems_probe_numbers() -> None:
    devices = {index: FakeDevice(opens=index in (0, 3)) for index in range(8)}

    def open_device(target: str | int, backend: int, params: Sequence[int]) -> FakeDevice:
        return devices[int(target)]

    found = plugged(system="darwin", open_device=open_device)
    assert found == (Plugged(0, "", "", "0"), Plugged(3, "", "", "3"))
    assert all(device.released.is_set() for device in devices.values())


def test_other_systems_know_cameras_by_number_only() -> None:
    assert find("1", system="win32") == Plugged(1, "", "", "1")
    with pytest.raises(SourceError, match="cameras go by number"):
        find("Logitech", system="win32")
