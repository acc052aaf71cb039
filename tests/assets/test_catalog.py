"""Models and the demo clip, with fetcher of our own; and once with the real package registry."""

import hashlib
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pose_rig.assets.cache import Progress
from pose_rig.assets.catalog import (
    CLIP_VIDEOS,
    CLIP_WHEEL,
    CLIP_WHEEL_MEMBERS,
    MODEL_BUILT_SHA256,
    MODEL_WHEEL,
    MODEL_WHEEL_MEMBERS,
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
    """Gives what it was made with, and writes down what was asked of it; None = not reachable."""

    def __init__(self, url: bytes | None = None, wheel: bytes | None = None) -> None:
        self._url, self._wheel = url, wheel
        self.asked: list[str] = []

    def url(self, file: RemoteFile, folder: Path, progress: Progress) -> Path:
        return self._give(self._url, file, folder)

    def wheel(self, file: RemoteFile, folder: Path, progress: Progress) -> Path:
        return self._give(self._wheel, file, folder)

    def _give(self, data: bytes | None, file: RemoteFile, folder: Path) -> Path:
        self.asked.append(file.name)
        if data is None:
            raise AssetError(f"{file.name} cannot be fetched: no route.", f"Download {file.page}.")
        (folder / file.name).write_bytes(data)
        return folder / file.name


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POSE_RIG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def quiet(text: str) -> None:
    """Takes progress and keeps it to itself."""


def shown(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if entry.suffix != ".lock")


def test_the_model_comes_from_its_maker_and_then_from_the_cache(cache: Path) -> None:
    fetcher, told = FakeFetcher(TASK), list[str]()
    path = detector_model("heavy", told.append, fetcher)
    assert path == cache / "pose_landmarker_heavy" / "pose_landmarker_heavy.task"
    assert path.read_bytes() == TASK
    assert len(told) == 1
    assert told[0].startswith("Fetching the detector model heavy, 31 MB: https://")
    assert detector_model("heavy", told.append, fetcher) == path
    assert fetcher.asked == ["pose_landmarker_heavy.task"]
    assert len(told) == 1
    assert shown(cache) == ["pose_landmarker_heavy"]


def test_the_clip_is_taken_out_of_the_wheel_and_nothing_else(cache: Path) -> None:
    fetcher, told = FakeFetcher(None, CLIP), list[str]()
    clip = demo_clip(told.append, fetcher)
    assert [path.name for path in clip] == list(CLIP_VIDEOS)
    assert shown(cache) == ["pose2sim_single_person"]
    assert shown(clip[0].parent) == ["LICENSE", "SHA256SUMS", *CLIP_VIDEOS]
    assert told == ["Fetching the demo clip: 51 MB, out of pose2sim-0.10.49-py3-none-any.whl of the package registry"]
    assert demo_clip(told.append, FakeFetcher()) == clip


def test_the_model_full_is_built_from_the_registry_where_its_maker_is_out_of_reach(cache: Path) -> None:
    fetcher, told = FakeFetcher(None, archive(MODEL_WHEEL_MEMBERS, small_model(metadata=False))), list[str]()
    with pytest.raises(AssetError, match=r"built from the registry's files is not the one expected"):
        detector_model("full", told.append, fetcher)  # it is built, of models that are not the real ones
    assert fetcher.asked == ["pose_landmarker_full.task", MODEL_WHEEL.name]
    assert told[1] == f"Not to be had there; fetching {MODEL_WHEEL.name}, 36 MB, from the package registry"
    assert shown(cache) == []


def test_no_network_and_no_cache() -> None:
    with pytest.raises(AssetError) as raised:
        detector_model("full", quiet, FakeFetcher())
    assert raised.value.cause == (
        f"pose_landmarker_full.task cannot be fetched: no route. {MODEL_WHEEL.name} cannot be fetched: no route."
    )
    assert raised.value.remedy.startswith("Connect to the network and try again; or download https://storage.")
    with pytest.raises(AssetError, match=rf"{CLIP_WHEEL.name} cannot be fetched: no route\. Download https://files\."):
        demo_clip(quiet, FakeFetcher())


def test_only_full_can_come_from_the_registry() -> None:
    fetcher = FakeFetcher(None, b"x")
    with pytest.raises(AssetError, match=r"The model full is also in the package registry: --model full\."):
        detector_model("heavy", quiet, fetcher)
    assert fetcher.asked == ["pose_landmarker_heavy.task"]


def test_ones_own_model(tmp_path: Path) -> None:
    path = tmp_path / "own.task"
    path.write_bytes(TASK)
    assert detector_model(str(path), quiet, FakeFetcher()) == path
    path.write_bytes(b"nonsense")
    with pytest.raises(AssetError, match=r"own\.task is not a MediaPipe pose landmarker"):
        detector_model(str(path), quiet, FakeFetcher())
    with pytest.raises(AssetError, match=r"There is no model 'fulll'\. Use lite, full, heavy or the path"):
        detector_model("fulll", quiet, FakeFetcher())


def test_a_task_with_a_broken_member_is_none() -> None:
    whole = archive(MEMBERS, b"0123456789")
    assert is_task(whole)
    assert not is_task(whole.replace(b"0123456789", b"0123456780", 1))
    assert not is_task(whole[:50])


def test_without_pip_and_without_network_it_says_what_to_put_where(cache: Path, tmp_path: Path) -> None:
    """A whole process in which pip cannot be imported, cut off by settings of its own."""
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
    assert cause.startswith(f"{CLIP_WHEEL.name} cannot be fetched: ")
    assert remedy == (
        f"Connect to the network and try again; or download {CLIP_WHEEL.page} in a browser and put it into {cache}."
    )


@pytest.mark.network
def test_the_registry_holds_what_we_expect_of_it() -> None:
    network, told = NetworkFetcher(), list[str]()

    class RegistryOnly(FakeFetcher):
        def wheel(self, file: RemoteFile, folder: Path, progress: Progress) -> Path:
            return network.wheel(file, folder, progress)

    try:
        model = detector_model("full", told.append, RegistryOnly())
        clip = demo_clip(told.append, RegistryOnly())
    except AssetError as error:
        if "whl cannot be fetched" in error.cause:
            pytest.skip(str(error))
        raise
    assert hashlib.sha256(model.read_bytes()).hexdigest() == MODEL_BUILT_SHA256
    assert [path.name for path in clip] == ["cam01.mp4", "cam02.mp4", "cam03.mp4", "cam04.mp4"]
    assert (clip[0].parent / "LICENSE").is_file()
    assert told[-1] == "pose2sim-0.10.49-py3-none-any.whl: 51.2 of 51.2 MB"
