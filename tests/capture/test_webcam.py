import cv2
import pytest

from pose_rig.capture.connected_cameras import ConnectedCamera
from pose_rig.capture.webcam import open_webcam
from pose_rig.config import CameraConfig
from pose_rig.errors import SourceError
from tests.capture.fakes import FakeDevice

PLUGGED = ConnectedCamera(2, "Fake Cam", "/dev/video2", "/dev/v4l/by-id/fake")


def test_format_size_and_rate_are_requested_and_reported() -> None:
    device = FakeDevice()
    source = open_webcam(CameraConfig(source="2", size_px=(640, 480), fps=60.0), PLUGGED, device.opener)
    source.close()
    assert source.info.detail == "Fake Cam, 640×480 MJPG at 60/s"
    assert source.info.identity == "/dev/v4l/by-id/fake"
    assert (source.info.size_px, source.info.fps) == ((640, 480), 60.0)
    assert device.settings[cv2.CAP_PROP_BUFFERSIZE] == 1


def test_the_default_is_720p_at_30() -> None:
    source = open_webcam(CameraConfig(source="2"), PLUGGED, FakeDevice().opener)
    source.close()
    assert source.info.detail == "Fake Cam, 1280×720 MJPG at 30/s"


def test_settings_that_are_not_granted_are_reported() -> None:
    granted = {
        cv2.CAP_PROP_FRAME_WIDTH: 320.0,
        cv2.CAP_PROP_FRAME_HEIGHT: 240.0,
        cv2.CAP_PROP_FPS: 15.0,
        cv2.CAP_PROP_FOURCC: float(cv2.VideoWriter.fourcc(*"YUYV")),
    }
    source = open_webcam(CameraConfig(source="2"), PLUGGED, FakeDevice(granted).opener)
    source.close()
    assert source.info.detail == "Fake Cam, 320×240 YUYV at 15/s, not granted: 1280×720, 30/s, MJPG"
    assert source.info.size_px == (320, 240)


@pytest.mark.parametrize("code", [0.0, -1.0, 22.0])
def test_drivers_without_format_or_rate(code: float) -> None:
    device = FakeDevice({cv2.CAP_PROP_FOURCC: code, cv2.CAP_PROP_FPS: 0.0})
    source = open_webcam(CameraConfig(source="2"), PLUGGED, device.opener)
    source.close()
    assert "unknown format" in source.info.detail
    assert source.info.fps == 30.0


def test_a_camera_that_does_not_open() -> None:
    device = FakeDevice(opens=False)
    with pytest.raises(SourceError, match=r"Fake Cam \(/dev/video2\) cannot be opened. Close other programs"):
        open_webcam(CameraConfig(source="2"), PLUGGED, device.opener)
    assert device.released.is_set()
