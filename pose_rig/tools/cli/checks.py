"""What `pose-rig doctor` looks at: one function each, none of which changes anything."""

import importlib
import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pose_rig.assets.cache import cache_folder
from pose_rig.config import MIN_FREE_BYTES
from pose_rig.errors import PoseRigError
from pose_rig.installer import Installer, installer
from pose_rig.session.mcap.info import version_of
from pose_rig.wire.bus import Delivery, Receiver, Sender
from pose_rig.wire.messages import Health

PACKAGES = ("numpy", "mediapipe", "onnxruntime", "pyzmq", "msgspec", "rich", "typer")
# Distributions that write the same files: with two of them installed the last one wins, or half of each.
TWINS = {
    "cv2": (
        "opencv-contrib-python",
        "opencv-python",
        "opencv-python-headless",
        "opencv-contrib-python-headless",
    ),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
}
FIRST_REPORTING = (0, 10, 35)  # the first MediaPipe that writes to its vendor's log over the network
SILENT_MEDIAPIPE = "mediapipe>=0.10.32,<0.10.35"
LEAST_FREE_GB = MIN_FREE_BYTES / 1e9
GOOD_FREE_GB = 2.0
ROUND_TRIPS = 200


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    Attributes:
        status: ``warn``: a rig runs, but not as well as it might. ``fail``: it does not.
        subject: What was looked at.
        text: What is the case.
        remedy: What to do about it, empty if nothing.
    """

    status: Literal["ok", "warn", "fail"]
    subject: str
    text: str
    remedy: str = ""


def python() -> Iterator[Finding]:
    """Looks at the interpreter."""
    text = f"{platform.python_version()} {platform.machine()} on {platform.system()} {platform.release()}"
    if sys.maxsize < 2**32:
        yield Finding("fail", "python", f"{text}, 32 bit.", "MediaPipe needs a 64-bit Python: install one.")
    else:
        yield Finding("ok", "python", text)


def packages() -> Iterator[Finding]:
    """Looks for what pose-rig is built on, and for packages that overwrite each other."""
    found = {name: version_of(name) for name in (*PACKAGES, *(twin for twins in TWINS.values() for twin in twins))}
    missing = [name for name in PACKAGES if not found[name] and not (name == "onnxruntime" and found[f"{name}-gpu"])]
    if missing:
        yield Finding("fail", "packages", f"Missing: {', '.join(missing)}.", f"Install with: {installer().reinstall()}")
    else:
        yield Finding("ok", "packages", ", ".join(f"{name} {number}" for name, number in found.items() if number))
    yield from twins({name for name, number in found.items() if number}, installer())
    yield from reports(found["mediapipe"], installer())


def twins(installed: Collection[str], installer: Installer) -> Iterator[Finding]:
    """Looks for distributions that overwrite each other among the ``installed``."""
    for module, names in TWINS.items():
        present = [name for name in names if name in installed]
        if len(present) > 1:
            keep = present[0] if module == "cv2" else present[-1]
            yield Finding(
                "warn",
                module,
                f"{' and '.join(present)} overwrite each other.",
                f"Run: {installer.without(*present)}; {installer.packages(keep)}",
            )


def reports(mediapipe: str, installer: Installer) -> Iterator[Finding]:
    """Looks whether an installed version of MediaPipe sends anything; ``mediapipe`` is empty if there is none."""
    if tuple(map(int, re.findall(r"\d+", mediapipe)[:3])) >= FIRST_REPORTING:
        text = f"Version {mediapipe} tells its vendor over the network that and how it is used."
        yield Finding("warn", "mediapipe", text, f"Run: {installer.packages(SILENT_MEDIAPIPE)}")


def libraries() -> Iterator[Finding]:
    """Loads the libraries that lean on the system's own."""
    for module in ("cv2", "mediapipe"):
        try:
            importlib.import_module(module)
        except ImportError as error:
            remedy = "On Debian and Ubuntu: sudo apt-get install libgl1 libegl1 libglib2.0-0"
            yield Finding("fail", module, f"It does not load: {error}.", remedy)
        else:
            yield Finding("ok", module, "loads")


def models() -> Iterator[Finding]:
    """Looks at the cache of models."""
    folder = cache_folder()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    cached = sorted(path.name for path in folder.glob("*") if path.is_dir() and not path.name.startswith("."))
    if not os.access(existing, os.W_OK):
        remedy = "Name another folder with the environment variable POSE_RIG_CACHE."
        yield Finding("fail", "models", f"The cache {folder} cannot be written.", remedy)
    elif cached:
        yield Finding("ok", "models", f"{', '.join(cached)} in {folder}")
    else:
        yield Finding("warn", "models", f"None in {folder} yet.", "The first run fetches one: it needs the network.")


def providers() -> Iterator[Finding]:
    """Loads the shipped graph on every provider in turn."""
    try:
        from pose_rig.lifting.engine import DEFAULT_WEIGHTS, ORDER, OrtEngine
    except ImportError as error:
        remedy = f"Run: {installer().reinstall()}"
        yield Finding("fail", "inference", f"ONNX Runtime does not load: {error}.", remedy)
        return
    for name in ORDER:
        try:
            OrtEngine(DEFAULT_WEIGHTS, name)
        except PoseRigError as error:
            if name == "cpu":
                yield Finding("fail", "inference", error.cause, f"Run: {installer().reinstall()}")
            elif shutil.which("nvidia-smi"):
                yield Finding("warn", "inference", error.cause, f"With an NVIDIA GPU: {installer().with_extra('gpu')}")
            else:
                yield Finding("ok", "inference", f"{name} is not used: no NVIDIA GPU.")
        else:
            yield Finding("ok", "inference", f"{name} runs the shipped graph")


def cameras() -> Iterator[Finding]:
    """Looks for cameras that may be opened."""
    from pose_rig.capture.connected_cameras import connected_cameras

    found = connected_cameras()
    if not found:
        yield Finding("warn", "cameras", "None is plugged in.", "Without one: pose-rig demo")
    elif not any(camera.name for camera in found):
        remedy = f"Run: {installer().packages('cv2-enumerate-cameras')}"
        yield Finding("warn", "cameras", "Their names are not known: they go by number.", remedy)
    for camera in found:
        label = f"{camera.index}: {camera.name or camera.path or 'camera'}"
        if camera.path.startswith("/dev/") and not os.access(camera.path, os.R_OK | os.W_OK):
            remedy = "Run: sudo usermod -aG video $USER, then log in again."
            yield Finding("fail", "cameras", f"{label} may not be opened by you.", remedy)
        else:
            yield Finding("ok", "cameras", label)


def loopback() -> Iterator[Finding]:
    """Sends messages to itself the way the processes of a rig do."""
    try:
        arrived, milliseconds = _round_trips(ROUND_TRIPS)
    except PoseRigError as error:
        yield Finding("fail", "network", error.cause, "Allow connections to 127.0.0.1 in the firewall.")
        return
    if arrived < ROUND_TRIPS:
        text = f"{arrived} of {ROUND_TRIPS} messages came back over 127.0.0.1."
        yield Finding("fail", "network", text, "Allow connections to 127.0.0.1 in the firewall.")
    else:
        yield Finding("ok", "network", f"loopback {milliseconds:.2f} ms a message")


def disk() -> Iterator[Finding]:
    """Looks at the free space here."""
    here = Path.cwd()
    free_gb = shutil.disk_usage(here).free / 1e9
    text = f"{free_gb:.1f} GB free in {here}"
    if free_gb < LEAST_FREE_GB:
        yield Finding("fail", "disk", f"{text}.", "Free some: poses and recordings could not be saved.")
    elif free_gb < GOOD_FREE_GB:
        yield Finding("warn", "disk", f"{text}.", "Long recordings need more.")
    else:
        yield Finding("ok", "disk", text)


def _round_trips(count: int) -> tuple[int, float]:
    """Returns how many of ``count`` messages arrived, and milliseconds per message."""
    delivery: Delivery = "lossless"
    with Receiver("tcp://127.0.0.1:0", delivery, bind=True) as receiver, Sender(receiver.endpoint, delivery) as sender:
        began, arrived = time.monotonic(), 0
        for _ in range(count):
            sender.send(Health(worker="doctor", t_ns=time.monotonic_ns(), state="ready"), 2000)
            arrived += len(receiver.receive(2000))
        return arrived, (time.monotonic() - began) / count * 1000


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    python,
    packages,
    libraries,
    models,
    providers,
    cameras,
    loopback,
    disk,
)
