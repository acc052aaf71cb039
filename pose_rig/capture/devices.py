"""Which cameras are plugged in, and finding one again when its number has changed."""

import sys
from dataclasses import dataclass
from pathlib import Path

from pose_rig.capture.device import OpenDevice, camera_backend, open_device
from pose_rig.errors import SourceError

PROBED_INDICES = 8
ROOT = Path("/")


@dataclass(frozen=True, slots=True)
class Plugged:
    """A plugged-in camera.

    Attributes:
        index: Number of the device now; it may change with every plugging.
        name: What the camera calls itself; empty where the system does not say.
        path: Device path, empty outside Linux.
        identity: What to write as its source so that it is found again: path by id, else its name if no other camera
            has it, else path or index.
    """

    index: int
    name: str
    path: str
    identity: str


def plugged(
    root: Path = ROOT, system: str = sys.platform, open_device: OpenDevice = open_device
) -> tuple[Plugged, ...]:
    """Returns the plugged-in cameras in order of their index.

    On Linux nothing is opened; elsewhere indices are probed, which takes seconds and yields no names.

    Args:
        root: Where ``/sys`` and ``/dev`` are found.
        system: As `sys.platform`.
        open_device: Opens a capture device, for probing.
    """
    if system == "linux":
        return _linux(root)
    found = []
    for index in range(PROBED_INDICES):
        device = open_device(index, camera_backend(), ())
        if device.isOpened():
            found.append(Plugged(index, "", "", str(index)))
        device.release()
    return tuple(found)


def find(source: str, root: Path = ROOT, system: str = sys.platform) -> Plugged:
    """Returns the camera that an index, device path or name means.

    Raises:
        SourceError: No such camera is plugged in, or several have that name.
    """
    if system != "linux":
        if source.isdecimal():
            return Plugged(int(source), "", "", source)
        raise SourceError(
            f"There is no file or camera {source!r}.", "On this system cameras go by number, see `pose-rig cams`."
        )
    cameras = _linux(root)
    if source.isdecimal():
        matches = [camera for camera in cameras if camera.index == int(source)]
    elif source.startswith("/dev/"):
        target = (root / source.lstrip("/")).resolve().name
        matches = [camera for camera in cameras if Path(camera.path).name == target]
    else:
        wanted = source.casefold()
        matches = [camera for camera in cameras if camera.name.casefold() == wanted]
        matches = matches or [camera for camera in cameras if wanted in camera.name.casefold()]
    if len(matches) == 1:
        return matches[0]
    present = ", ".join(f"{camera.index} ({camera.name})" for camera in cameras) or "none"
    if matches:
        raise SourceError(f"{len(matches)} cameras are called {source!r}.", f"Name one by number: {present}.")
    raise SourceError(f"There is no file or camera {source!r}.", f"Check its cable. Plugged in now: {present}.")


def _linux(root: Path) -> tuple[Plugged, ...]:
    by_id = {link.resolve().name: link for link in sorted((root / "dev/v4l/by-id").glob("*"))}
    found: list[tuple[int, str, str]] = []
    for node in (root / "sys/class/video4linux").glob("video*"):
        if _text(node / "index") in ("", "0"):  # the others carry metadata, not pictures
            found.append((int(node.name.removeprefix("video")), _text(node / "name"), node.name))
    found.sort()
    names = [name for _, name, _ in found]
    return tuple(
        Plugged(index, name, f"/dev/{node}", _identity(name, node, names, by_id.get(node)))
        for index, name, node in found
    )


def _identity(name: str, node: str, names: list[str], link: Path | None) -> str:
    if link is not None:
        return f"/dev/v4l/by-id/{link.name}"
    return name if name and names.count(name) == 1 else f"/dev/{node}"


def _text(path: Path) -> str:
    """Returns a sysfs attribute; empty where there is none, or the camera has just been pulled out."""
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
