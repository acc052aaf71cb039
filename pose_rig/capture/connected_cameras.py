"""The connected cameras, and finding one again after its index has changed."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pose_rig.capture.video_capture import OpenDevice, camera_backend, open_device
from pose_rig.errors import SourceError

PROBED_INDICES = 8
ROOT = Path("/")
WINDOWS_DEVICE_PREFIX = "\\\\?\\"  # of device paths


class CameraInfo(Protocol):
    """The part of ``cv2_enumerate_cameras.CameraInfo`` that is used."""

    @property
    def index(self) -> int:
        """Index for ``cv2.VideoCapture``, with the same backend."""

    @property
    def name(self) -> str | None:
        """Product name."""

    @property
    def path(self) -> str | None:
        """Device path on Windows, unique id on macOS; unchanged while the camera stays at its USB port."""

    @property
    def vid(self) -> int | None:
        """USB vendor id."""

    @property
    def pid(self) -> int | None:
        """USB product id."""


ListCameras = Callable[[int], Sequence[CameraInfo] | None]


def list_cameras(backend: int) -> Sequence[CameraInfo] | None:
    """Returns the cameras of a capture backend (``cv2.CAP_…``); None if the operating system cannot list them."""
    try:
        import cv2_enumerate_cameras

        found: Sequence[CameraInfo] = cv2_enumerate_cameras.enumerate_cameras(backend)
    except (ImportError, NotImplementedError, OSError, RuntimeError):
        return None  # cameras then have numbers only, which `pose-rig doctor` reports
    return found


@dataclass(frozen=True, slots=True)
class ConnectedCamera:
    """A connected camera.

    Attributes:
        index: Index of the device; it may change when the camera is plugged in again.
        name: Product name; empty if unknown.
        path: Device path, on macOS the unique id; empty if unknown.
        identity: Source by which the camera is found again: path by id, else its name if unique, else path or index.
        usb: ``vendor:product`` as ``lsusb`` prints it; empty if unknown.
    """

    index: int
    name: str
    path: str
    identity: str
    usb: str = ""


def connected_cameras(
    root: Path = ROOT,
    system: str = sys.platform,
    open_device: OpenDevice = open_device,
    list_cameras: ListCameras = list_cameras,
) -> tuple[ConnectedCamera, ...]:
    """Returns the connected cameras by index.

    Uses the list of the operating system without opening a device; without such a list, probes the first indices, which
    takes seconds and yields no names.

    Args:
        root: Folder of ``/sys`` and ``/dev``.
        system: As `sys.platform`.
        open_device: Opens a capture device, for probing.
        list_cameras: Lists the cameras on Windows and macOS.
    """
    known = _known(root, system, list_cameras)
    if known is not None:
        return known
    found = []
    for index in range(PROBED_INDICES):
        device = open_device(index, camera_backend(), ())
        if device.isOpened():
            found.append(ConnectedCamera(index, "", "", str(index)))
        device.release()
    return tuple(found)


def find_camera(
    source: str, root: Path = ROOT, system: str = sys.platform, list_cameras: ListCameras = list_cameras
) -> ConnectedCamera:
    """Returns the camera with an index, device path, ``vendor:product`` or name.

    Raises:
        SourceError: No such camera is connected, or several have that name.
    """
    cameras = _known(root, system, list_cameras)
    matches = _matches(source, cameras or (), root)
    if len(matches) == 1:
        return matches[0]
    if source.isdecimal() and system != "linux":  # OpenCV may open cameras that the list lacks
        return ConnectedCamera(int(source), "", "", source)
    if cameras is None:
        raise SourceError(
            f"There is no file or camera {source!r}.",
            "Camera names are not available here (pose-rig doctor shows why): use numbers, see `pose-rig cams`.",
        )
    present = ", ".join(f"{camera.index} ({camera.name})" for camera in cameras) or "none"
    if matches:
        raise SourceError(f"{len(matches)} cameras are called {source!r}.", f"Name one by number: {present}.")
    raise SourceError(
        f"There is no file or camera {source!r}.", f"Check the name or the cable. Plugged in now: {present}."
    )


def _matches(source: str, cameras: tuple[ConnectedCamera, ...], root: Path) -> list[ConnectedCamera]:
    """Returns the cameras that match a source by the most specific property that matches any."""
    if source.isdecimal():
        return [camera for camera in cameras if camera.index == int(source)]
    if source.startswith("/dev/"):
        target = (root / source.lstrip("/")).resolve().name
        return [camera for camera in cameras if Path(camera.path).name == target]
    wanted = source.casefold()
    matchers: tuple[Callable[[ConnectedCamera], bool], ...] = (
        lambda camera: camera.path.casefold() == wanted,
        lambda camera: camera.usb == wanted,
        lambda camera: camera.name.casefold() == wanted,
        lambda camera: wanted in camera.name.casefold(),
    )
    found = ([camera for camera in cameras if matcher(camera)] for matcher in matchers)
    return next((matches for matches in found if matches), [])


def _known(root: Path, system: str, list_cameras: ListCameras) -> tuple[ConnectedCamera, ...] | None:
    """Returns the cameras that the operating system lists; None if it has no list."""
    if system == "linux":
        return _linux(root)
    listed = list_cameras(camera_backend())
    if listed is None:
        return None
    names = [camera.name or "" for camera in listed]
    found = [
        ConnectedCamera(
            camera.index,
            name,
            camera.path or "",
            _identity(name, names, "", camera.path or str(camera.index)),
            "" if camera.vid is None or camera.pid is None else f"{camera.vid:04x}:{camera.pid:04x}",
        )
        for camera, name in zip(listed, names, strict=True)
    ]
    return tuple(sorted(found, key=lambda camera: camera.index))


def _linux(root: Path) -> tuple[ConnectedCamera, ...]:
    by_id = {link.resolve().name: link for link in sorted((root / "dev/v4l/by-id").glob("*"))}
    found: list[tuple[int, str, Path]] = []
    for node in (root / "sys/class/video4linux").glob("video*"):
        if _text(node / "index") in ("", "0"):  # the others carry metadata, not images
            found.append((int(node.name.removeprefix("video")), _text(node / "name"), node))
    found.sort()
    names = [name for _, name, _ in found]
    links = {name: f"/dev/v4l/by-id/{link.name}" for name, link in by_id.items()}
    return tuple(
        ConnectedCamera(
            index,
            name,
            f"/dev/{node.name}",
            _identity(name, names, links.get(node.name, ""), f"/dev/{node.name}"),
            _usb(node),
        )
        for index, name, node in found
    )


def _identity(name: str, names: list[str], by_id: str, path: str) -> str:
    """Returns `ConnectedCamera.identity`; a name that reads as a list, a path or a number is not used."""
    if by_id:
        return by_id
    plain = bool(name) and not name.isdecimal() and not set(name) & set("/\\,")
    return name if plain and names.count(name) == 1 else path


def _usb(node: Path) -> str:
    """Returns ``vendor:product`` of a camera's node in sysfs: its ``device`` is one interface of the USB device."""
    device = (node / "device").resolve().parent
    vendor, product = _text(device / "idVendor"), _text(device / "idProduct")
    return f"{vendor}:{product}" if vendor and product else ""


def _text(path: Path) -> str:
    """Returns a sysfs attribute; empty if it is missing or the camera has just been unplugged."""
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
