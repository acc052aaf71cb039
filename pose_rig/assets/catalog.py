"""The downloadable assets: detector models and the demo clips."""

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Protocol

from pose_rig.assets.cache import ShowLine, asset_folder
from pose_rig.assets.download import ProgressMeter, RemoteFile, download, manual_remedy, print_progress
from pose_rig.assets.index_settings import index_settings
from pose_rig.assets.mediapipe_task import MEMBERS, build_task
from pose_rig.assets.package_index import candidates
from pose_rig.config import MODELS
from pose_rig.errors import AssetError

_MODEL_URL = (
    "https://storage.googleapis.com/mediapipe-models/pose_landmarker/"
    "pose_landmarker_{name}/float16/1/pose_landmarker_{name}.task"
)
# There are two versions of *full* of the same size: the first at that URL, the second at ``latest``.
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

# The last MediaPipe wheel that contains a pose model, *full* only; the wheels of all systems contain the same.
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
CLIP_LICENSE = "pose2sim-0.10.49.dist-info/licenses/LICENSE"
CLIP_WHEEL_MEMBERS = (*(f"Pose2Sim/Demo_SinglePerson/videos/{video}" for video in CLIP_VIDEOS), CLIP_LICENSE)
TWO_PEOPLE_CLIP = "pose2sim_multi_person"
TWO_PEOPLE_CLIP_MEMBERS = (*(f"Pose2Sim/Demo_MultiPerson/videos/{video}" for video in CLIP_VIDEOS), CLIP_LICENSE)


class Fetcher(Protocol):
    """Downloads files; raises `AssetError` if that fails."""

    def url(self, file: RemoteFile, folder: Path, show: ShowLine) -> Path:
        """Returns the path in ``folder`` of a file, downloaded from `RemoteFile.page`."""

    def wheel(self, file: RemoteFile, folder: Path, show: ShowLine) -> Path:
        """Returns the path in ``folder`` of a wheel, downloaded from a package index."""


class NetworkFetcher:
    """Downloads from the internet, and wheels from the package indexes that the user has configured.

    Args:
        meter: Shows the progress of a download; by default as lines.
    """

    def __init__(self, meter: ProgressMeter | None = None) -> None:
        self._meter = meter

    def url(self, file: RemoteFile, folder: Path, show: ShowLine) -> Path:
        """Returns the path in ``folder`` of a file, downloaded from `RemoteFile.page`."""
        meter = self._meter or print_progress(show)
        return download(file, [lambda: file.page], folder, index_settings().access, meter)

    def wheel(self, file: RemoteFile, folder: Path, show: ShowLine) -> Path:
        """Returns the path in ``folder`` of a wheel, downloaded from a package index."""
        settings = index_settings()
        urls = candidates(file.name.partition("-")[0], file.name, settings)
        return download(file, urls, folder, settings.access, self._meter or print_progress(show))


def detector_model(name: str, show: ShowLine, fetcher: Fetcher | None = None) -> Path:
    """Returns the path of a MediaPipe ``.task`` file.

    Args:
        name: ``lite``, ``full``, ``heavy``, or the path of a file.
        show: Shows a line of progress.
        fetcher: Downloads; by default from the network.

    Raises:
        AssetError: The file is not a model, or cannot be downloaded.
    """
    if name not in MODELS:
        path = Path(name)
        if not path.is_file():
            raise AssetError(f"There is no model {name!r}.", f"Use {', '.join(MODELS)} or the path of a .task file.")
        if not is_task(path.read_bytes()):
            raise AssetError(f"{path} is not a MediaPipe pose landmarker.", "Download the .task file again.")
        return path
    file = MODEL_FILES[name].name

    def fetch(folder: Path) -> dict[str, bytes]:
        return {file: _fetch_model(name, folder, show, fetcher or NetworkFetcher())}

    return asset_folder(f"pose_landmarker_{name}", fetch, show) / file


def demo_clip(show: ShowLine, fetcher: Fetcher | None = None, *, people: int = 1) -> tuple[Path, ...]:
    """Returns the paths of the demo's four videos, one per camera: a demo take of Pose2Sim (BSD-3).

    Args:
        show: Shows a line of progress.
        fetcher: Downloads; by default from the network.
        people: 1: the take of one person; more: that of two.

    Raises:
        AssetError: The clip cannot be downloaded.
    """
    name, members = (CLIP, CLIP_WHEEL_MEMBERS) if people == 1 else (TWO_PEOPLE_CLIP, TWO_PEOPLE_CLIP_MEMBERS)

    def fetch(folder: Path) -> dict[str, bytes]:
        show(f"Downloading the demo clip, {_megabytes(CLIP_WHEEL)}: {CLIP_WHEEL.name} of the package index")
        wheel = (fetcher or NetworkFetcher()).wheel(CLIP_WHEEL, folder, show)
        return {Path(path).name: data for path, data in _extract(wheel, members).items()}

    folder = asset_folder(name, fetch, show)
    return tuple(folder / video for video in CLIP_VIDEOS)


def is_task(data: bytes) -> bool:
    """Returns whether bytes are an intact pose landmarker ``.task``."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return set(MEMBERS) <= set(archive.namelist()) and archive.testzip() is None
    except (zipfile.BadZipFile, EOFError, ValueError):
        return False


def _fetch_model(name: str, folder: Path, show: ShowLine, fetcher: Fetcher) -> bytes:
    """Returns a model from Google's server; *full* also from the package index."""
    file = MODEL_FILES[name]
    show(f"Downloading the detector model {name}, {_megabytes(file)}: {file.page}")
    try:
        path = fetcher.url(file, folder, show)
        data = path.read_bytes()
        path.unlink()
        return data
    except AssetError as error:
        if name != "full":
            raise AssetError(
                error.cause, f"{error.remedy} The model full is also in the package index: --model full."
            ) from error
        unreachable = error
    show(f"Not available there; downloading {MODEL_WHEEL.name}, {_megabytes(MODEL_WHEEL)}, from the package index")
    try:
        members = _extract(fetcher.wheel(MODEL_WHEEL, folder, show), MODEL_WHEEL_MEMBERS)
    except AssetError as error:
        raise AssetError(f"{unreachable.cause} {error.cause}", manual_remedy(file, folder)) from error
    task = build_task(*(members[path] for path in MODEL_WHEEL_MEMBERS))
    if hashlib.sha256(task).hexdigest() != MODEL_BUILT_SHA256:
        raise AssetError("The model built from the files of the package index has a wrong checksum.", "Report a bug.")
    return task


def _extract(wheel: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    """Returns the content of some files of a wheel, by their paths in it, and deletes the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        files = {name: archive.read(name) for name in names}
    wheel.unlink()
    return files


def _megabytes(file: RemoteFile) -> str:
    return f"{file.size / 1e6:.0f} MB"
