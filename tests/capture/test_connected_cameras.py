from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import pytest

from pose_rig.capture.connected_cameras import CameraInfo as ListedCamera
from pose_rig.capture.connected_cameras import ConnectedCamera, connected_cameras, find_camera, list_cameras
from pose_rig.capture.source_factory import source_kind
from pose_rig.errors import SourceError
from tests.capture.fakes import FakeDevice


@dataclass(frozen=True)
class Camera:
    """A camera as the system lists it."""

    index: int
    name: str | None = None
    path: str | None = None
    vid: int | None = None
    pid: int | None = None


LEFT = r"\\?\usb#vid_046d&pid_082d&mi_00#7&1a2b&0&0000#{65e8773d-8f56-11d0-a3b9-00a0c9223196}\global"
RIGHT = LEFT.replace("7&1a2b", "7&3c4d")
LISTED = (
    Camera(2, "Integrated Camera", r"\\?\usb#vid_5986&pid_9102#x", 0x5986, 0x9102),
    Camera(0, "HD Pro Webcam C920", LEFT, 0x046D, 0x082D),
    Camera(1, "HD Pro Webcam C920", RIGHT, 0x046D, 0x082D),
    Camera(3, "OBS Virtual Camera"),
    Camera(4, None, "0x14100000046d0825"),
    Camera(5, "Front/Rear, wide", "0x15"),
)


def lists(backend: int) -> Sequence[ListedCamera]:
    """A system with these cameras."""
    return LISTED


def lists_nothing(backend: int) -> None:
    """A system that cannot list its cameras."""


def plug(root: Path, number: int, name: str, by_id: str = "", index: int = 0, usb: str = "") -> None:
    node = root / f"sys/class/video4linux/video{number}"
    node.mkdir(parents=True)
    if usb:
        device = root / f"sys/devices/usb1/{number}"
        (device / "interface").mkdir(parents=True)
        (node / "device").symlink_to(device / "interface")
        for attribute, value in zip(("idVendor", "idProduct"), usb.split(":"), strict=True):
            (device / attribute).write_text(value + "\n")
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
    plug(tmp_path, 10, "Integrated Camera", usb="5986:9102")
    plug(tmp_path, 2, "HD Pro Webcam C920", "usb-C920_A-video-index0")
    plug(tmp_path, 3, "HD Pro Webcam C920", index=1)  # metadata of the same camera
    plug(tmp_path, 4, "Twin")
    plug(tmp_path, 6, "Twin")
    return tmp_path


def test_cameras_are_listed_by_index_without_metadata_nodes(rig: Path) -> None:
    assert connected_cameras(rig, "linux") == (
        ConnectedCamera(2, "HD Pro Webcam C920", "/dev/video2", "/dev/v4l/by-id/usb-C920_A-video-index0"),
        ConnectedCamera(4, "Twin", "/dev/video4", "/dev/video4"),
        ConnectedCamera(6, "Twin", "/dev/video6", "/dev/video6"),
        ConnectedCamera(10, "Integrated Camera", "/dev/video10", "Integrated Camera", "5986:9102"),
    )


def test_no_cameras(tmp_path: Path) -> None:
    assert connected_cameras(tmp_path, "linux") == ()


@pytest.mark.parametrize(
    ("source", "index"),
    [
        ("2", 2),
        ("/dev/video2", 2),
        ("/dev/v4l/by-id/usb-C920_A-video-index0", 2),
        ("hd pro webcam c920", 2),
        ("integrated", 10),
        ("5986:9102", 10),
    ],
)
def test_cameras_are_found_by_index_path_identity_and_name(rig: Path, source: str, index: int) -> None:
    assert find_camera(source, rig, "linux").index == index


def test_a_camera_with_a_new_index_is_found_by_its_identity(rig: Path) -> None:
    identity = find_camera("2", rig, "linux").identity
    (rig / "sys/class/video4linux/video2/index").write_text("1")
    plug(rig, 8, "HD Pro Webcam C920", "usb-C920_A-video-index0")
    assert find_camera(identity, rig, "linux").index == 8


def test_the_error_of_a_missing_camera_lists_the_connected_ones(rig: Path) -> None:
    with pytest.raises(SourceError, match=r"no file or camera '7'.*2 \(HD Pro Webcam C920\), 4 \(Twin\)"):
        find_camera("7", rig, "linux")


def test_an_ambiguous_name_is_an_error(rig: Path) -> None:
    with pytest.raises(SourceError, match=r"2 cameras are called 'twin'\. Name one by number"):
        find_camera("twin", rig, "linux")


@pytest.mark.parametrize("name", ["HP FHD/IR Camera", "One, two", "123"])
def test_a_name_with_another_meaning_on_the_command_line_is_not_an_identity(tmp_path: Path, name: str) -> None:
    plug(tmp_path, 0, name)
    assert connected_cameras(tmp_path, "linux")[0].identity == "/dev/video0"


@pytest.mark.parametrize("system", ["win32", "darwin"])
def test_cameras_of_other_systems_have_names(system: str) -> None:
    assert connected_cameras(system=system, list_cameras=lists) == (
        ConnectedCamera(0, "HD Pro Webcam C920", LEFT, LEFT, "046d:082d"),
        ConnectedCamera(1, "HD Pro Webcam C920", RIGHT, RIGHT, "046d:082d"),
        ConnectedCamera(2, "Integrated Camera", r"\\?\usb#vid_5986&pid_9102#x", "Integrated Camera", "5986:9102"),
        ConnectedCamera(3, "OBS Virtual Camera", "", "OBS Virtual Camera"),
        ConnectedCamera(4, "", "0x14100000046d0825", "0x14100000046d0825"),
        ConnectedCamera(5, "Front/Rear, wide", "0x15", "0x15"),
    )


@pytest.mark.parametrize(
    ("source", "index"),
    [
        ("1", 1), (RIGHT, 1), (RIGHT.upper(), 1), ("5986:9102", 2), ("obs virtual camera", 3), ("obs", 3),
        ("0x14100000046D0825", 4), ("front/rear", 5),
    ],
)  # fmt: skip
def test_cameras_of_other_systems_are_found_by_index_path_usb_and_name(source: str, index: int) -> None:
    assert find_camera(source, system="win32", list_cameras=lists).index == index


def test_the_identity_of_a_camera_is_a_webcam_source() -> None:
    """And not as a file or a list, whatever the system calls it."""
    for camera in connected_cameras(system="win32", list_cameras=lists):
        assert source_kind(camera.identity) == "webcam"
        assert "," not in camera.identity
        assert find_camera(camera.identity, system="win32", list_cameras=lists) == camera


def test_errors_list_the_connected_cameras_on_other_systems() -> None:
    with pytest.raises(SourceError, match=r"no file or camera 'brio'\..*Plugged in now: 0 \(HD Pro Webcam C920\), 1"):
        find_camera("brio", system="darwin", list_cameras=lists)
    for source in ("c920", "046d:082d"):
        with pytest.raises(SourceError, match=rf"2 cameras are called '{source}'\. Name one by number: 0"):
            find_camera(source, system="darwin", list_cameras=lists)


def test_an_index_missing_in_the_list_is_tried() -> None:
    assert find_camera("7", system="win32", list_cameras=lists) == ConnectedCamera(7, "", "", "7")


def test_the_real_library_has_the_expected_interface() -> None:
    """Here it runs its own Linux part; the interface is the same on every system."""
    pytest.importorskip("cv2_enumerate_cameras", reason="comes with pose-rig on Windows and macOS, elsewhere with dev")
    from cv2_enumerate_cameras import CameraInfo, supported_backends

    found = list_cameras(supported_backends[0])
    assert found is not None
    assert all(isinstance(camera.index, int) for camera in found)
    listed: ListedCamera = CameraInfo(3, "C920", LEFT, 0x046D, 0x082D, cv2.CAP_DSHOW)
    assert connected_cameras(system="win32", list_cameras=lambda backend: [listed]) == (
        ConnectedCamera(3, "C920", LEFT, "C920", "046d:082d"),
    )
    assert list_cameras(-5) is None  # a backend that it does not know


def test_without_names_indices_are_probed() -> None:
    devices = {index: FakeDevice(opens=index in (0, 3)) for index in range(8)}

    def open_device(target: str | int, backend: int, params: Sequence[int]) -> FakeDevice:
        return devices[int(target)]

    found = connected_cameras(system="darwin", open_device=open_device, list_cameras=lists_nothing)
    assert found == (ConnectedCamera(0, "", "", "0"), ConnectedCamera(3, "", "", "3"))
    assert all(device.released.is_set() for device in devices.values())


def test_without_names_cameras_have_indices() -> None:
    assert find_camera("1", system="win32", list_cameras=lists_nothing) == ConnectedCamera(1, "", "", "1")
    with pytest.raises(SourceError, match=r"Camera names are not available here .*: use numbers"):
        find_camera("Logitech", system="win32", list_cameras=lists_nothing)
