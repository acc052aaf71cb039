"""The cache, with origins of our own; and once with the real package registry."""

import hashlib
import io
import threading
import zipfile
from pathlib import Path

import pytest

from pose_rig.assets import (
    CLIP_SHA256,
    MODEL_BUILT_SHA256,
    SUMS,
    Network,
    cache_folder,
    demo_clip,
    detector_model,
    is_task,
)
from pose_rig.errors import AssetError
from pose_rig.mediapipe_task import MEMBERS


def task(content: bytes = b"model") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for member in MEMBERS:
            archive.writestr(zipfile.ZipInfo(member), content)  # its date is fixed: twice the same bytes
    return file.getvalue()


class FakeOrigins:
    """Gives what it was made with, and counts how often it was asked; None = not reachable."""

    def __init__(self, url: bytes | None = None, wheel: bytes | None = None) -> None:
        self._url, self._wheel = url, wheel
        self.asked: list[str] = []

    def url(self, url: str) -> bytes:
        self.asked.append("url")
        if self._url is None:
            raise AssetError(f"{url} cannot be fetched: no route.", "Check the network connection.")
        return self._url

    def wheel(self, requirement: str, tags: tuple[str, ...], sha256: dict[str, str]) -> dict[str, bytes]:
        self.asked.append("wheel")
        if self._wheel is None:
            raise AssetError(f"pip cannot fetch {requirement}: no route.", "Check the network connection.")
        return dict.fromkeys(sha256, self._wheel)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POSE_RIG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def quiet(text: str) -> None:
    """Takes progress and keeps it to itself."""


def test_the_model_comes_from_its_maker_and_then_from_the_cache(cache: Path) -> None:
    origins, told = FakeOrigins(task()), list[str]()
    path = detector_model("heavy", told.append, origins)
    assert path == cache / "pose_landmarker_heavy" / "pose_landmarker_heavy.task"
    assert path.read_bytes() == task()
    assert len(told) == 1
    assert told[0].startswith("Fetching the detector model heavy: https://")
    assert detector_model("heavy", told.append, origins) == path
    assert origins.asked == ["url"]
    assert len(told) == 1
    sums = (path.parent / SUMS).read_text()
    assert sums == f"{hashlib.sha256(task()).hexdigest()}  pose_landmarker_heavy.task\n"


@pytest.mark.parametrize("damage", ["changed", "missing", "no sums", "empty sums"])
def test_a_damaged_cache_is_fetched_again(damage: str) -> None:
    origins = FakeOrigins(task())
    path = detector_model("lite", quiet, origins)
    if damage == "changed":
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    elif damage == "missing":
        path.unlink()
    elif damage == "no sums":
        (path.parent / SUMS).unlink()
    else:
        (path.parent / SUMS).write_text("")
    assert detector_model("lite", quiet, origins).read_bytes() == task()
    assert origins.asked == ["url", "url"]
    assert sorted(entry.name for entry in path.parent.parent.iterdir()) == ["pose_landmarker_lite"]


def test_what_the_url_gives_must_be_a_model() -> None:
    with pytest.raises(AssetError, match=r"does not hold a pose landmarker\. Only the model full is to be had"):
        detector_model("lite", quiet, FakeOrigins(b"<html>Please log in</html>"))


def test_no_network_and_no_cache() -> None:
    with pytest.raises(AssetError) as raised:
        detector_model("full", quiet, FakeOrigins())
    assert "pose_landmarker_full.task cannot be fetched: no route. pip cannot fetch mediapipe==" in raised.value.cause
    assert raised.value.remedy == "Check the network connection."
    with pytest.raises(AssetError, match=r"pip cannot fetch pose2sim==.*: no route\. Check the network"):
        demo_clip(quiet, FakeOrigins())


def test_no_network_but_a_cache() -> None:
    detector_model("lite", quiet, FakeOrigins(task()))
    assert detector_model("lite", quiet, FakeOrigins()).is_file()


def test_only_full_can_come_from_the_registry() -> None:
    origins = FakeOrigins(None, b"x")
    with pytest.raises(AssetError, match="Only the model full is to be had from the package registry: use that"):
        detector_model("heavy", quiet, origins)
    assert origins.asked == ["url"]


def test_ones_own_model(tmp_path: Path) -> None:
    path = tmp_path / "own.task"
    path.write_bytes(task())
    assert detector_model(str(path), quiet, FakeOrigins()) == path
    path.write_bytes(b"nonsense")
    with pytest.raises(AssetError, match=r"own\.task is not a MediaPipe pose landmarker"):
        detector_model(str(path), quiet, FakeOrigins())
    with pytest.raises(AssetError, match=r"There is no model 'fulll'\. Use lite, full, heavy or the path"):
        detector_model("fulll", quiet, FakeOrigins())


def test_a_task_with_a_broken_member_is_none() -> None:
    whole = task(b"0123456789")
    assert is_task(whole)
    assert not is_task(whole.replace(b"0123456789", b"0123456780", 1))
    assert not is_task(whole[:50])


def test_several_may_fetch_at_once(cache: Path) -> None:
    gate = threading.Barrier(8)

    class Slow(FakeOrigins):
        def url(self, url: str) -> bytes:
            gate.wait(10)  # all of them have found the cache empty
            return super().url(url)

    origins, found = Slow(task()), list[Path]()
    threads = [threading.Thread(target=lambda: found.append(detector_model("lite", quiet, origins))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert {path.read_bytes() for path in found} == {task()}
    assert [entry.name for entry in cache.iterdir()] == ["pose_landmarker_lite"]


def test_a_cache_that_cannot_be_written(cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    with pytest.raises(AssetError, match=r"cache.* cannot be written: .*POSE_RIG_CACHE"):
        detector_model("lite", quiet, FakeOrigins(task()))


def test_the_cache_is_in_the_users_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("POSE_RIG_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    assert cache_folder().name == "pose-rig"


def test_the_network_without_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Real urllib and real pip, cut off by their own settings."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(AssetError, match=r"full\.task cannot be fetched: .* pip cannot fetch mediapipe==0\.10\.21: "):
        detector_model("full", quiet)


@pytest.mark.network
def test_the_registry_holds_what_we_expect_of_it() -> None:
    network = Network()
    told = list[str]()

    class RegistryOnly(FakeOrigins):
        def wheel(self, requirement: str, tags: tuple[str, ...], sha256: dict[str, str]) -> dict[str, bytes]:
            return network.wheel(requirement, tags, sha256)

    try:
        model = detector_model("full", told.append, RegistryOnly())
        clip = demo_clip(told.append, RegistryOnly())
    except AssetError as error:
        if "pip cannot fetch" in error.cause:
            pytest.skip(str(error))
        raise
    assert hashlib.sha256(model.read_bytes()).hexdigest() == MODEL_BUILT_SHA256
    assert [path.name for path in clip] == ["cam01.mp4", "cam02.mp4", "cam03.mp4", "cam04.mp4"]
    assert (clip[0].parent / "LICENSE").is_file()
    assert len(told) == 3


@pytest.mark.network
def test_a_wheel_that_holds_something_else_is_refused() -> None:
    wrong = dict.fromkeys(list(CLIP_SHA256)[-1:], "0" * 64)
    with pytest.raises(AssetError, match=r"pip cannot fetch|does not hold the expected pose2sim.*LICENSE"):
        Network().wheel("pose2sim==0.10.49", (), wrong)
