"""Models and the demo clip: fetched once, checked, kept in a cache.

Each asset is a folder of the cache with a ``SHA256SUMS`` beside its files. It is put in place by one rename, so that
several processes may fetch at once. A folder that does not match its sums is fetched again. The cache is the user's
cache folder, or the one that the environment variable ``POSE_RIG_CACHE`` names.
"""

import hashlib
import http.client
import io
import os
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from pose_rig.errors import AssetError
from pose_rig.mediapipe_task import MEMBERS, build_task

MODELS = ("lite", "full", "heavy")
MODEL_URL = (
    "https://storage.googleapis.com/mediapipe-models/pose_landmarker/"
    "pose_landmarker_{name}/float16/latest/pose_landmarker_{name}.task"
)
CONNECT_TIMEOUT_S = 5.0
SUMS = "SHA256SUMS"

# The newest MediaPipe wheel that still holds pose models, and only the full one; any system's file will do.
MODEL_WHEEL = "mediapipe==0.10.21"
MODEL_WHEEL_TAGS = (
    "--platform=manylinux_2_28_x86_64", "--python-version=3.11", "--implementation=cp", "--abi=cp311"
)  # fmt: skip
MODEL_WHEEL_SHA256 = {
    "mediapipe/modules/pose_detection/pose_detection.tflite": (
        "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c"
    ),
    "mediapipe/modules/pose_landmark/pose_landmark_full.tflite": (
        "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f"
    ),
}
MODEL_BUILT_SHA256 = "254f685ac112d9884859367304426d62497680869ac92ae16c8648b4ba669c72"

CLIP = "pose2sim_single_person"
CLIP_WHEEL = "pose2sim==0.10.49"
CLIP_VIDEOS = ("cam01.mp4", "cam02.mp4", "cam03.mp4", "cam04.mp4")
_VIDEOS = "Pose2Sim/Demo_SinglePerson/videos/"
CLIP_SHA256 = {
    f"{_VIDEOS}cam01.mp4": "cf4f2816c86bea4bfbea255333d8626ff32a3ecabdab8b0fb147cea9167fde3a",
    f"{_VIDEOS}cam02.mp4": "94ff87cf978b8406e8aa36ab3c5362e72848994e87652f0dc7a33c315e8e0442",
    f"{_VIDEOS}cam03.mp4": "b8b329f832f178f27ecb78d024d5026b96c6adb36c387bfe2c0af85eab8a11ca",
    f"{_VIDEOS}cam04.mp4": "b5c0e7863fd70d008e7178d3c556b045b0ea5f78fcd61ca548a0b2e807e641f7",
    "pose2sim-0.10.49.dist-info/licenses/LICENSE": "7f8a9ede713463b96d261a39c3ec404748c8e4f528c795e5f8cb18898ed944cf",
}

Progress = Callable[[str], None]


class Origins(Protocol):
    """Where assets come from."""

    def url(self, url: str) -> bytes:
        """Returns what is at a URL.

        Raises:
            AssetError: It cannot be had.
        """

    def wheel(self, requirement: str, tags: tuple[str, ...], sha256: dict[str, str]) -> dict[str, bytes]:
        """Returns files out of a wheel of the package registry, without installing it.

        Args:
            requirement: ``name==version``.
            tags: Options of ``pip download`` that choose the file.
            sha256: Path in the wheel → the sum it must have.

        Raises:
            AssetError: The wheel cannot be had, or is not the one expected.
        """


class Network:
    """The internet and the package registry as `Origins`."""

    def url(self, url: str) -> bytes:
        """Returns what is at a URL."""
        try:
            with urllib.request.urlopen(url, timeout=CONNECT_TIMEOUT_S) as answer:  # noqa: S310  our own https URLs
                data: bytes = answer.read()
                return data
        except (OSError, http.client.HTTPException) as error:
            raise AssetError(f"{url} cannot be fetched: {error}.", "Check the network connection.") from error

    def wheel(self, requirement: str, tags: tuple[str, ...], sha256: dict[str, str]) -> dict[str, bytes]:
        """Returns files out of a wheel that ``pip download`` fetches."""
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-input", "--disable-pip-version-check"]
        command += ["--no-deps", "--only-binary=:all:", *tags]
        with tempfile.TemporaryDirectory() as folder:
            run = subprocess.run([*command, "-d", folder, requirement], capture_output=True, text=True)  # noqa: S603
            wheels = list(Path(folder).glob("*.whl"))
            if run.returncode != 0 or len(wheels) != 1:
                reason = (run.stderr.strip().splitlines() or ["it says nothing"])[-1]
                raise AssetError(
                    f"pip cannot fetch {requirement}: {reason}.",
                    "Check the network connection, and that python -m pip works.",
                )
            with zipfile.ZipFile(wheels[0]) as archive:
                files = {path: archive.read(path) for path in sha256 if path in archive.namelist()}
        for path, expected in sha256.items():
            if path not in files or hashlib.sha256(files[path]).hexdigest() != expected:
                raise AssetError(f"{requirement} does not hold the expected {path}.", "Update pose-rig.")
        return files


def cache_folder() -> Path:
    """Returns the folder of the cache: ``POSE_RIG_CACHE``, else pose-rig in the user's cache folder."""
    if chosen := os.environ.get("POSE_RIG_CACHE"):
        return Path(chosen)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData/Local")) / "pose-rig"
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/pose-rig"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "pose-rig"


def detector_model(name: str, progress: Progress, origins: Origins | None = None) -> Path:
    """Returns the path of a MediaPipe ``.task`` file.

    Args:
        name: ``lite``, ``full``, ``heavy``, or the path of a file of one's own.
        progress: Is told what takes long.
        origins: Where to fetch from; the network unless a test says otherwise.

    Raises:
        AssetError: The file is not a model, or it is neither in the cache nor to be had.
    """
    if name not in MODELS:
        path = Path(name)
        if not path.is_file():
            raise AssetError(f"There is no model {name!r}.", f"Use {', '.join(MODELS)} or the path of a .task file.")
        if not is_task(path.read_bytes()):
            raise AssetError(f"{path} is not a MediaPipe pose landmarker.", "Download the .task file again.")
        return path
    source = origins or Network()
    file = f"pose_landmarker_{name}.task"
    return _asset(f"pose_landmarker_{name}", lambda: {file: _fetch_model(name, progress, source)}) / file


def demo_clip(progress: Progress, origins: Origins | None = None) -> tuple[Path, ...]:
    """Returns the paths of the demo's four videos, one per camera: the single-person take of Pose2Sim (BSD-3).

    Args:
        progress: Is told what takes long.
        origins: Where to fetch from; the network unless a test says otherwise.

    Raises:
        AssetError: The clip is neither in the cache nor to be had.
    """

    def fetch() -> dict[str, bytes]:
        progress(f"Fetching the demo clip: 51 MB, {CLIP_WHEEL} from the package registry")
        files = (origins or Network()).wheel(CLIP_WHEEL, (), CLIP_SHA256)
        return {Path(path).name: data for path, data in files.items()}

    folder = _asset(CLIP, fetch)
    return tuple(folder / video for video in CLIP_VIDEOS)


def is_task(data: bytes) -> bool:
    """Whether bytes are a whole pose landmarker ``.task``."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return set(MEMBERS) <= set(archive.namelist()) and archive.testzip() is None
    except (zipfile.BadZipFile, EOFError, ValueError):
        return False


def _fetch_model(name: str, progress: Progress, origins: Origins) -> bytes:
    """Returns a model from its maker, or the full one from the package registry."""
    url = MODEL_URL.format(name=name)
    progress(f"Fetching the detector model {name}: {url}")
    try:
        task = origins.url(url)
        if is_task(task):
            return task
        unreachable = AssetError(f"{url} does not hold a pose landmarker.", "Check for a proxy that answers itself.")
    except AssetError as error:
        unreachable = error
    if name != "full":
        raise AssetError(unreachable.cause, "Only the model full is to be had from the package registry: use that.")
    progress(f"Not to be had there; fetching it from the package registry: 36 MB, {MODEL_WHEEL}")
    try:
        files = origins.wheel(MODEL_WHEEL, MODEL_WHEEL_TAGS, MODEL_WHEEL_SHA256)
    except AssetError as error:
        raise AssetError(f"{unreachable.cause} {error.cause}", error.remedy) from error
    task = build_task(*(files[path] for path in MODEL_WHEEL_SHA256))
    if hashlib.sha256(task).hexdigest() != MODEL_BUILT_SHA256:
        raise AssetError("The model built from the registry's files is not the one expected.", "Report this as a bug.")
    return task


def _asset(name: str, fetch: Callable[[], dict[str, bytes]]) -> Path:
    """Returns the folder of an asset, fetched if it is missing or damaged."""
    folder = cache_folder() / name
    if _is_whole(folder):
        return folder
    files = fetch()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{name}-") as scratch:
            _put(folder, files, Path(scratch))
    except OSError as error:
        raise AssetError(
            f"The cache {folder.parent} cannot be written: {error.strerror}.",
            "Name another folder with the environment variable POSE_RIG_CACHE.",
        ) from error
    return folder


def _put(folder: Path, files: dict[str, bytes], scratch: Path) -> None:
    """Puts an asset in place, unless another process has just done so."""
    fresh = scratch / "fresh"
    fresh.mkdir()
    for name, data in files.items():
        (fresh / name).write_bytes(data)
    sums = (f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items())
    (fresh / SUMS).write_text("".join(sums), "utf-8")
    if folder.exists() and not _is_whole(folder):
        folder.rename(scratch / "damaged")
    try:
        fresh.rename(folder)
    except OSError:
        if not _is_whole(folder):
            raise


def _is_whole(folder: Path) -> bool:
    """Whether every file that the sums name is there and matches."""
    try:
        lines = (folder / SUMS).read_text("utf-8").splitlines()
        pairs = [line.split("  ", 1) for line in lines]
        return bool(pairs) and all(
            hashlib.sha256((folder / name).read_bytes()).hexdigest() == expected for expected, name in pairs
        )
    except (OSError, ValueError):
        return False
