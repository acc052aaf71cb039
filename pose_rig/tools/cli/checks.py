"""The checks of `pose-rig doctor`; none of them changes anything."""

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
from pose_rig.installer import TORCH_NOTE, Installer, installer
from pose_rig.session.mcap.info import version_of
from pose_rig.tools.workers.build_note import engine_folder
from pose_rig.wire.bus import Delivery, Receiver, Sender
from pose_rig.wire.messages import Health

PACKAGES = (
    "numpy", "mediapipe", "onnxruntime", "pyzmq", "msgspec", "rich", "typer", "aiohttp", "cryptography",
)  # fmt: skip
# Distributions with the same files: of two that are installed, one overwrites the other wholly or in part.
CONFLICTING = {
    "cv2": (
        "opencv-contrib-python",
        "opencv-python",
        "opencv-python-headless",
        "opencv-contrib-python-headless",
    ),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
}
FIRST_WITH_TELEMETRY = (0, 10, 35)  # MediaPipe
MEDIAPIPE_WITHOUT_TELEMETRY = "mediapipe>=0.10.32,<0.10.35"
MIN_FREE_GB = MIN_FREE_BYTES / 1e9
RECOMMENDED_FREE_GB = 2.0
ROUND_TRIPS = 200
DOCTOR_VIEWS = 4  # for which inference is timed


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check.

    Attributes:
        status: ``warn``: a rig runs with restrictions. ``fail``: it does not run.
        subject: What was checked.
        text: The result.
        remedy: What to do; empty if nothing.
    """

    status: Literal["ok", "warn", "fail"]
    subject: str
    text: str
    remedy: str = ""


def python() -> Iterator[Finding]:
    """Checks the interpreter."""
    text = f"{platform.python_version()} {platform.machine()} on {platform.system()} {platform.release()}"
    if sys.maxsize < 2**32:
        yield Finding("fail", "python", f"{text}, 32 bit.", "MediaPipe needs a 64-bit Python: install one.")
    else:
        yield Finding("ok", "python", text)


def packages() -> Iterator[Finding]:
    """Checks the required packages, packages that overwrite each other, and telemetry."""
    found = {
        name: version_of(name) for name in (*PACKAGES, *(name for names in CONFLICTING.values() for name in names))
    }
    missing = [name for name in PACKAGES if not found[name] and not (name == "onnxruntime" and found[f"{name}-gpu"])]
    if missing:
        yield Finding("fail", "packages", f"Missing: {', '.join(missing)}.", f"Install with: {installer().reinstall()}")
    else:
        yield Finding("ok", "packages", ", ".join(f"{name} {number}" for name, number in found.items() if number))
    yield from conflicts({name for name, number in found.items() if number}, installer())
    yield from telemetry(found["mediapipe"], installer())


def conflicts(installed: Collection[str], installer: Installer) -> Iterator[Finding]:
    """Checks whether ``installed`` distributions overwrite each other."""
    for module, names in CONFLICTING.items():
        present = [name for name in names if name in installed]
        if len(present) > 1:
            keep = present[0] if module == "cv2" else present[-1]
            yield Finding(
                "warn",
                module,
                f"{' and '.join(present)} overwrite each other.",
                f"Run: {installer.without(*present)}; {installer.packages(keep)}",
            )


def telemetry(mediapipe: str, installer: Installer) -> Iterator[Finding]:
    """Checks whether the installed version of MediaPipe has telemetry; ``mediapipe`` is empty if there is none."""
    if tuple(map(int, re.findall(r"\d+", mediapipe)[:3])) >= FIRST_WITH_TELEMETRY:
        text = f"Version {mediapipe} reports its usage to its vendor over the network."
        yield Finding("warn", "mediapipe", text, f"Run: {installer.packages(MEDIAPIPE_WITHOUT_TELEMETRY)}")


def libraries() -> Iterator[Finding]:
    """Imports the libraries that depend on system libraries."""
    for module in ("cv2", "mediapipe"):
        try:
            importlib.import_module(module)
        except ImportError as error:
            remedy = "On Debian and Ubuntu: sudo apt-get install libgl1 libegl1 libglib2.0-0"
            yield Finding("fail", module, f"It does not load: {error}.", remedy)
        else:
            yield Finding("ok", module, "loads")


def models() -> Iterator[Finding]:
    """Checks the model cache."""
    folder = cache_folder()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    cached = sorted(path.name for path in folder.glob("*") if path.is_dir() and not path.name.startswith("."))
    if not os.access(existing, os.W_OK):
        remedy = "Set the environment variable POSE_RIG_CACHE to another folder."
        yield Finding("fail", "models", f"The cache {folder} cannot be written.", remedy)
    elif cached:
        yield Finding("ok", "models", f"{', '.join(cached)} in {folder}")
    else:
        yield Finding("warn", "models", f"None in {folder} yet.", "The first run downloads one.")


def providers() -> Iterator[Finding]:
    """Loads the shipped graph with every inference provider, runs it and compares the results with those of the CPU."""
    try:
        from pose_rig.lifting.engine import DEFAULT_WEIGHTS, OrtEngine
        from pose_rig.lifting.gpu_libraries import has_driver
        from pose_rig.lifting.providers import PROVIDERS, gpu_engines, time_ms

        cpu = OrtEngine(DEFAULT_WEIGHTS)
        milliseconds = time_ms(cpu, DOCTOR_VIEWS)
    except (ImportError, PoseRigError) as error:
        cause = error.cause if isinstance(error, PoseRigError) else f"ONNX Runtime does not load: {error}."
        yield Finding("fail", "inference", cause, f"Run: {installer().reinstall()}")
        return
    yield from libraries_of_gpu()
    for name in PROVIDERS[:-1]:
        found, reasons = gpu_engines(DEFAULT_WEIGHTS, (name,), engine_folder(), cpu, _report)
        if found:
            text = f"{name} runs the shipped graph in {time_ms(found[0], DOCTOR_VIEWS):.2f} ms ({found[0].reason})"
            yield Finding("ok", "inference", text)
        elif has_driver():
            yield Finding("warn", "inference", f"{'; '.join(reasons)}.")
        else:
            yield Finding("ok", "inference", f"{name} is not used: no NVIDIA GPU.")
    yield Finding("ok", "inference", f"cpu runs the shipped graph in {milliseconds:.2f} ms ({cpu.reason})")


def libraries_of_gpu() -> Iterator[Finding]:
    """Names every library that TensorRT needs, where there is an NVIDIA driver or the packages are installed."""
    from pose_rig.lifting.gpu_libraries import gpu_pieces

    *packages, driver = gpu_pieces()
    missing = [piece for piece in packages if piece.missing]
    if driver.missing and len(missing) == len(packages):
        return  # neither was meant to be here
    for piece in packages:
        if piece.missing:
            text = f"{piece.name} is missing: {piece.missing}."
            yield Finding("warn", "gpu", text, f"For TensorRT: {installer().with_extra('gpu')}")
        else:
            yield Finding("ok", "gpu", f"{piece.name} {piece.version}".rstrip())
    if driver.missing:
        text = f"{driver.name} is missing: {driver.missing}."
        yield Finding("warn", "gpu", text, "Install the driver of the GPU from NVIDIA or the distribution.")
    else:
        yield Finding("ok", "gpu", driver.name)


def _report(text: str) -> None:
    """Shows how far the build of an engine is."""
    sys.stderr.write(f"{text}\n")


def training() -> Iterator[Finding]:
    """Names the build of torch, which training, evaluation and export need."""
    from pose_rig.lifting.gpu_libraries import has_driver
    from pose_rig.torch_build import torch_build

    try:
        build = torch_build()
    except ImportError as error:
        text = "torch is not installed." if isinstance(error, ModuleNotFoundError) else f"torch does not load: {error}."
        remedy = f"For training: {installer().with_extra('train')}. {TORCH_NOTE}"
        yield Finding("ok" if isinstance(error, ModuleNotFoundError) else "warn", "training", text, remedy)
    else:
        yield Finding("ok", "training", f"{build}.", build.remedy() if build.cuda or has_driver() else "")


def cameras() -> Iterator[Finding]:
    """Checks the connected cameras and their permissions."""
    from pose_rig.capture.connected_cameras import connected_cameras

    found = connected_cameras()
    if not found:
        yield Finding("warn", "cameras", "None is connected.", "Without one: pose-rig demo")
    elif not any(camera.name for camera in found):
        remedy = f"Run: {installer().packages('cv2-enumerate-cameras')}"
        yield Finding("warn", "cameras", "Their names are unknown; use their numbers.", remedy)
    for camera in found:
        label = f"{camera.index}: {camera.name or camera.path or 'camera'}"
        if camera.path.startswith("/dev/") and not os.access(camera.path, os.R_OK | os.W_OK):
            remedy = "Run: sudo usermod -aG video $USER, then log in again."
            yield Finding("fail", "cameras", f"No permission to open {label}.", remedy)
        else:
            yield Finding("ok", "cameras", label)


def loopback() -> Iterator[Finding]:
    """Sends messages over the loopback interface, as the workers of a rig do."""
    try:
        arrived, milliseconds = _round_trips(ROUND_TRIPS)
    except PoseRigError as error:
        yield Finding("fail", "network", error.cause, "Allow connections to 127.0.0.1 in the firewall.")
        return
    if arrived < ROUND_TRIPS:
        text = f"{arrived} of {ROUND_TRIPS} messages came back over 127.0.0.1."
        yield Finding("fail", "network", text, "Allow connections to 127.0.0.1 in the firewall.")
    else:
        yield Finding("ok", "network", f"loopback {milliseconds:.2f} ms per message")


def phones() -> Iterator[Finding]:
    """Checks whether phones reach this machine, whether its certificate can be kept, and H.264."""
    from pose_rig.assets.private_file import config_folder
    from pose_rig.video.h264_support import has_h264
    from pose_rig.web.network import lan_addresses

    addresses = lan_addresses()
    if not addresses:
        yield Finding("warn", "phones", "This machine is in no network.", "Phones need a Wi-Fi that both are in.")
    else:
        yield Finding("ok", "phones", f"They reach this machine at {', '.join(addresses)}.")
    folder = config_folder()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(existing, os.W_OK):
        yield Finding("warn", "phones", f"Their certificate cannot be saved in {folder}.", "Make it writable.")
    if not has_h264():
        text = "They send JPEG, ten times the data of H.264."
        yield Finding("ok", "phones", text, f"For H.264: {installer().with_extra('video')}")


def disk() -> Iterator[Finding]:
    """Checks the free space on the disk of the current folder."""
    here = Path.cwd()
    free_gb = shutil.disk_usage(here).free / 1e9
    text = f"{free_gb:.1f} GB free in {here}"
    if free_gb < MIN_FREE_GB:
        yield Finding("fail", "disk", f"{text}.", "Free some space: poses and recordings cannot be saved.")
    elif free_gb < RECOMMENDED_FREE_GB:
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
    training,
    cameras,
    loopback,
    phones,
    disk,
)
