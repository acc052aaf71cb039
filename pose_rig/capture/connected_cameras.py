"""Which cameras are plugged in, and finding one again when its number has changed."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pose_rig.capture.camera_names import ListCameras, list_cameras
from pose_rig.capture.video_capture import OpenDevice, camera_backend, open_device
from pose_rig.errors import SourceError

PROBED_INDICES = 8
ROOT = Path("/")
WINDOWS_PATH = "\\\\?\\"  # how device paths begin there


@dataclass(frozen=True, slots=True)
class ConnectedCamera:
    """A plugged-in camera.

    Attributes:
        index: Number of the device now; it may change with every plugging.
        name: What the camera calls itself; empty where the system does not say.
        path: Device path, on macOS its unique id; empty where the system does not say.
        identity: What to write as its source so that it is found again: path by id, else its name if no other camera
            has it, else path or index.
        usb: ``vendor:product`` as ``lsusb`` prints it; empty where the system does not say.
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
    """Returns the plugged-in cameras in order of their index.

    Nothing is opened where the system can be asked; elsewhere indices are probed, which takes seconds and yields no
    names.

    Args:
        root: Where ``/sys`` and ``/dev`` are found.
        system: As `sys.platform`.
        open_device: Opens a capture device, for probing.
        list_cameras: Asks the system, where it is not Linux.
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
    """Returns the camera that an index, device path, ``vendor:product`` or name means.

    Raises:
        SourceError: No such camera is plugged in, or several have that name.
    """
    cameras = _known(root, system, list_cameras)
    matches = _matches(source, cameras or (), root)
    if len(matches) == 1:
        return matches[0]
    if source.isdecimal() and system != "linux":  # OpenCV may open what that list lacks, and tries
        return ConnectedCamera(int(source), "", "", source)
    if cameras is None:
        raise SourceError(
            f"There is no file or camera {source!r}.",
            "The names of cameras are not known here (pose-rig doctor says why): use numbers, see `pose-rig cams`.",
        )
    present = ", ".join(f"{camera.index} ({camera.name})" for camera in cameras) or "none"
    if matches:
        raise SourceError(f"{len(matches)} cameras are called {source!r}.", f"Name one by number: {present}.")
    raise SourceError(
        f"There is no file or camera {source!r}.", f"Check the name or the cable. Plugged in now: {present}."
    )


def _matches(source: str, cameras: tuple[ConnectedCamera, ...], root: Path) -> list[ConnectedCamera]:
    """Returns the cameras that a source may mean, by the surest sign that any of them bears."""
    if source.isdecimal():
        return [camera for camera in cameras if camera.index == int(source)]
    if source.startswith("/dev/"):
        target = (root / source.lstrip("/")).resolve().name
        return [camera for camera in cameras if Path(camera.path).name == target]
    wanted = source.casefold()
    signs: tuple[Callable[[ConnectedCamera], bool], ...] = (
        lambda camera: camera.path.casefold() == wanted,
        lambda camera: camera.usb == wanted,
        lambda camera: camera.name.casefold() == wanted,
        lambda camera: wanted in camera.name.casefold(),
    )
    found = ([camera for camera in cameras if sign(camera)] for sign in signs)
    return next((matches for matches in found if matches), [])


def _known(root: Path, system: str, list_cameras: ListCameras) -> tuple[ConnectedCamera, ...] | None:
    """Returns the cameras that the system tells of; None if it does not."""
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
        if _text(node / "index") in ("", "0"):  # the others carry metadata, not pictures
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
    """Returns what a camera is found again by; a name that would be taken for a list, a path or a number is none."""
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
    """Returns a sysfs attribute; empty where there is none, or the camera has just been pulled out."""
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
