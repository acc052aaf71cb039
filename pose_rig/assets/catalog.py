"""Models and the demo clip: fetched once, checked, kept in the cache."""

import hashlib
import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from pose_rig.assets.cache import Progress, asset_folder
from pose_rig.assets.download import ProgressMeter, RemoteFile, by_hand, download, print_progress
from pose_rig.assets.index_settings import index_settings
from pose_rig.assets.mediapipe_task import MEMBERS, build_task
from pose_rig.assets.package_index import sources
from pose_rig.errors import AssetError

MODELS = ("lite", "full", "heavy")
_MODEL_URL = (
    "https://storage.googleapis.com/mediapipe-models/pose_landmarker/"
    "pose_landmarker_{name}/float16/1/pose_landmarker_{name}.task"
)
# Two sums of the full one are about, of the same size: the first is at that address, the second at ``latest``.
_MODEL_SUMS = {
    "lite": (5_777_746, ("59929e1d1ee95287735ddd833b19cf4ac46d29bc7afddbbf6753c459690d574a",)),
    "full": (
        9_398_198,
        (
            "5134a3aad27a58b93da0088d431f366da362b44e3ccfbe3462b3827a839011b1",
            "4eaa5eb7a98365221087693fcc286334cf0858e2eb6e15b506aa4a7ecdcec4ad",
        ),
    ),
    "heavy": (30_664_242, ("64437af838a65d18e5ba7a0d39b465540069bc8aae8308de3e318aad31fcbc7b",)),
}
MODEL_FILES = {
    name: RemoteFile(f"pose_landmarker_{name}.task", _MODEL_URL.format(name=name), size, sha256)
    for name, (size, sha256) in _MODEL_SUMS.items()
}

# The newest MediaPipe wheel that still holds pose models, and only the full one; any system's file will do.
MODEL_WHEEL = RemoteFile(
    "mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl",
    "https://files.pythonhosted.org/packages/ad/83/56f760fecdc60de84c529d6c05c9dfc7d972617c6632bd254d5e021e5b16/"
    "mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl",
    35_622_638,
    ("05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3",),
)
MODEL_WHEEL_MEMBERS = (
    "mediapipe/modules/pose_detection/pose_detection.tflite",
    "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
)
MODEL_BUILT_SHA256 = "254f685ac112d9884859367304426d62497680869ac92ae16c8648b4ba669c72"

CLIP = "pose2sim_single_person"
CLIP_WHEEL = RemoteFile(
    "pose2sim-0.10.49-py3-none-any.whl",
    "https://files.pythonhosted.org/packages/ca/dc/28c3bfe0523a6daab7768c0a1b88b961463a08d111ef57784ecc6441d36b/"
    "pose2sim-0.10.49-py3-none-any.whl",
    51_189_031,
    ("403e0dc4065898ba6a595e72a8970950310979253d60e24c2e00b16b36bf21e1",),
)
CLIP_VIDEOS = ("cam01.mp4", "cam02.mp4", "cam03.mp4", "cam04.mp4")
CLIP_WHEEL_MEMBERS = (
    *(f"Pose2Sim/Demo_SinglePerson/videos/{video}" for video in CLIP_VIDEOS),
    "pose2sim-0.10.49.dist-info/licenses/LICENSE",
)


class Fetcher(Protocol):
    """Where assets come from."""

    def url(self, file: RemoteFile, folder: Path, progress: Progress) -> Path:
        """Returns where in ``folder`` the file lies that is at `RemoteFile.page`.

        Raises:
            AssetError: It cannot be had.
        """

    def wheel(self, file: RemoteFile, folder: Path, progress: Progress) -> Path:
        """Returns where in ``folder`` a file of the package registry lies.

        Raises:
            AssetError: It cannot be had.
        """


class NetworkFetcher:
    """The internet and the package registry as `Fetcher`.

    Args:
        meter: Shows how far a download is; by default in print_progress.
    """

    def __init__(self, meter: ProgressMeter | None = None) -> None:
        self._meter = meter

    def url(self, file: RemoteFile, folder: Path, progress: Progress) -> Path:
        """Returns where the file lies that is at `RemoteFile.page`."""
        access = index_settings().access
        return download(file, [lambda: file.page], folder, access, self._meter or print_progress(progress))

    def wheel(self, file: RemoteFile, folder: Path, progress: Progress) -> Path:
        """Returns where a wheel lies that one of the user's package indexes has."""
        settings = index_settings()
        project = file.name.partition("-")[0]
        found = sources(project, file.name, settings)
        return download(file, found, folder, settings.access, self._meter or print_progress(progress))


def detector_model(name: str, progress: Progress, fetcher: Fetcher | None = None) -> Path:
    """Returns the path of a MediaPipe ``.task`` file.

    Args:
        name: ``lite``, ``full``, ``heavy``, or the path of a file of one's own.
        progress: Is told what takes long.
        fetcher: Where to fetch from; the network unless a test says otherwise.

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
    source = fetcher or NetworkFetcher()
    file = MODEL_FILES[name].name

    def fetch(folder: Path) -> dict[str, bytes]:
        return {file: _fetch_model(name, folder, progress, source)}

    return asset_folder(f"pose_landmarker_{name}", fetch, progress) / file


def demo_clip(progress: Progress, fetcher: Fetcher | None = None) -> tuple[Path, ...]:
    """Returns the paths of the demo's four videos, one per camera: the single-person take of Pose2Sim (BSD-3).

    Args:
        progress: Is told what takes long.
        fetcher: Where to fetch from; the network unless a test says otherwise.

    Raises:
        AssetError: The clip is neither in the cache nor to be had.
    """

    def fetch(folder: Path) -> dict[str, bytes]:
        progress(f"Fetching the demo clip: {_megabytes(CLIP_WHEEL)}, out of {CLIP_WHEEL.name} of the package registry")
        with _fetched((fetcher or NetworkFetcher()).wheel(CLIP_WHEEL, folder, progress)) as wheel:
            return {Path(path).name: data for path, data in _members(wheel, CLIP_WHEEL_MEMBERS).items()}

    folder = asset_folder(CLIP, fetch, progress)
    return tuple(folder / video for video in CLIP_VIDEOS)


def is_task(data: bytes) -> bool:
    """Whether bytes are a whole pose landmarker ``.task``."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return set(MEMBERS) <= set(archive.namelist()) and archive.testzip() is None
    except (zipfile.BadZipFile, EOFError, ValueError):
        return False


def _fetch_model(name: str, folder: Path, progress: Progress, fetcher: Fetcher) -> bytes:
    """Returns a model from its maker, or the full one from the package registry."""
    file = MODEL_FILES[name]
    progress(f"Fetching the detector model {name}, {_megabytes(file)}: {file.page}")
    try:
        with _fetched(fetcher.url(file, folder, progress)) as task:
            return task.read_bytes()
    except AssetError as error:
        if name != "full":
            raise AssetError(
                error.cause, f"{error.remedy} The model full is also in the package registry: --model full."
            ) from error
        unreachable = error
    progress(f"Not to be had there; fetching {MODEL_WHEEL.name}, {_megabytes(MODEL_WHEEL)}, from the package registry")
    try:
        with _fetched(fetcher.wheel(MODEL_WHEEL, folder, progress)) as wheel:
            members = _members(wheel, MODEL_WHEEL_MEMBERS)
    except AssetError as error:
        raise AssetError(f"{unreachable.cause} {error.cause}", by_hand(file, folder)) from error
    task_bytes = build_task(*(members[path] for path in MODEL_WHEEL_MEMBERS))
    if hashlib.sha256(task_bytes).hexdigest() != MODEL_BUILT_SHA256:
        raise AssetError("The model built from the registry's files is not the one expected.", "Report this as a bug.")
    return task_bytes


def _members(wheel: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    """Returns some files of a wheel, by their paths in it."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in names}


@contextmanager
def _fetched(path: Path) -> Iterator[Path]:
    """Yields a fetched file and deletes it once what is needed has been taken out."""
    yield path
    path.unlink(missing_ok=True)


def _megabytes(file: RemoteFile) -> str:
    return f"{file.size / 1e6:.0f} MB"
