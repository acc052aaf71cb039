"""Webcams."""

import cv2

from pose_rig.capture.connected_cameras import ConnectedCamera
from pose_rig.capture.live_source import LiveSource
from pose_rig.capture.source import SourceInfo
from pose_rig.capture.video_capture import Device, OpenDevice, camera_backend, open_device, size_px
from pose_rig.config import CameraConfig
from pose_rig.errors import SourceError
from pose_rig.wire.jobs import SYSTEM_CLOCK, WallClock

SIZE_PX = (1280, 720)
FPS = 30.0
# Uncompressed 1280×720 at 30/s fills a USB 2 bus with one camera; as JPEG four fit.
FOURCC = "MJPG"
FPS_TOLERANCE = 0.5


def open_webcam(
    camera: CameraConfig,
    connected: ConnectedCamera,
    open_device: OpenDevice = open_device,
    clock: WallClock = SYSTEM_CLOCK,
) -> LiveSource:
    """Returns the open camera; ``detail`` lists the requested settings that it did not accept.

    Args:
        camera: Requested size and rate.
        connected: Which camera.
        open_device: Opens the capture device.
        clock: By which frames are timed.

    Raises:
        SourceError: The camera cannot be opened.
    """
    device = open_device(connected.index, camera_backend(), ())
    name = connected.name or f"camera {connected.index}"
    if not device.isOpened():
        device.release()
        raise SourceError(
            f"{name} ({connected.path or connected.index}) cannot be opened.",
            "Close other programs that use it, and check that you may read the device.",
        )
    wanted_size, wanted_fps = camera.size_px or SIZE_PX, camera.fps or FPS
    _request_format(device, wanted_size, wanted_fps)
    size, fps = size_px(device), device.get(cv2.CAP_PROP_FPS)
    fourcc = _fourcc(device)
    facts = f"{name}, {size[0]}×{size[1]} {fourcc} at {fps:.4g}/s"
    refused = []
    if size != wanted_size:
        refused.append(f"{wanted_size[0]}×{wanted_size[1]}")
    if abs(fps - wanted_fps) > FPS_TOLERANCE:
        refused.append(f"{wanted_fps:.4g}/s")
    if fourcc != FOURCC:
        refused.append(FOURCC)
    detail = f"{facts}, not granted: {', '.join(refused)}" if refused else facts
    info = SourceInfo(connected.identity, detail, size, fps if fps > 0 else wanted_fps)
    return LiveSource(device, info, clock=clock)


def _request_format(device: Device, size_px: tuple[int, int], fps: float) -> None:
    """Requests format, size and rate, in the order that drivers require."""
    device.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*FOURCC))
    device.set(cv2.CAP_PROP_FRAME_WIDTH, size_px[0])
    device.set(cv2.CAP_PROP_FRAME_HEIGHT, size_px[1])
    device.set(cv2.CAP_PROP_FPS, fps)
    device.set(cv2.CAP_PROP_BUFFERSIZE, 1)


def _fourcc(device: Device) -> str:
    code = int(device.get(cv2.CAP_PROP_FOURCC))
    letters = "".join(chr(code >> shift & 0xFF) for shift in (0, 8, 16, 24))
    return letters if letters.isascii() and letters.isprintable() else "unknown format"
