"""The cache of assets, in a temporary folder."""

import hashlib
import subprocess
import sys
from pathlib import Path

import platformdirs
import pytest

from pose_rig.assets.cache import CHECKSUMS, asset_folder, cache_folder
from pose_rig.errors import AssetError

FILES = {"a.bin": b"first", "b.bin": b"second"}
# The processes wait for each other before they open the cache.
TOGETHER = """
import sys, time
from pathlib import Path
from pose_rig.assets.cache import asset_folder
here, me, others = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
def fetch(folder):
    with (here / "fetched").open("a") as log:
        log.write(me + "\\n")
    time.sleep(0.2)
    return {"a.bin": b"first"}
(here / f"ready-{me}").touch()
while len(list(here.glob("ready-*"))) < others:
    time.sleep(0.01)
print(asset_folder("thing", fetch, lambda text: None))
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POSE_RIG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def quiet(text: str) -> None:
    """Ignores progress."""


class Fetches:
    """Returns the files and counts the calls."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, folder: Path) -> dict[str, bytes]:
        self.count += 1
        return FILES


def shown(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if entry.suffix != ".lock")


def test_an_asset_is_fetched_once(cache: Path) -> None:
    fetch = Fetches()
    folder = asset_folder("thing", fetch, quiet)
    assert folder == cache / "thing" == asset_folder("thing", fetch, quiet)
    assert fetch.count == 1
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES
    sums = (folder / CHECKSUMS).read_text().splitlines()
    assert sums == [f"{hashlib.sha256(data).hexdigest()}  {name}" for name, data in FILES.items()]


@pytest.mark.parametrize("damage", ["changed", "missing", "no sums", "empty sums"])
def test_a_damaged_asset_is_fetched_again(cache: Path, damage: str) -> None:
    fetch = Fetches()
    folder = asset_folder("thing", fetch, quiet)
    if damage == "changed":
        (folder / "a.bin").write_bytes(b"First")
    elif damage == "missing":
        (folder / "a.bin").unlink()
    elif damage == "no sums":
        (folder / CHECKSUMS).unlink()
    else:
        (folder / CHECKSUMS).write_text("")
    assert (asset_folder("thing", fetch, quiet) / "a.bin").read_bytes() == b"first"
    assert fetch.count == 2
    assert shown(cache) == ["thing"]


def test_a_failure_does_not_change_the_cache(cache: Path) -> None:
    def fail(folder: Path) -> dict[str, bytes]:
        raise AssetError("Nothing.", "Try again.")

    with pytest.raises(AssetError, match="Nothing"):
        asset_folder("thing", fail, quiet)
    assert shown(cache) == []
    asset_folder("thing", Fetches(), quiet)


def test_of_several_processes_one_fetches(tmp_path: Path) -> None:
    count = 3
    commands = [[sys.executable, "-c", TOGETHER, str(tmp_path), str(me), str(count)] for me in range(count)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    said = [process.communicate(timeout=60)[0].strip() for process in running]
    assert said == [str(tmp_path / "cache" / "thing")] * count
    assert len((tmp_path / "fetched").read_text().split()) == 1
    assert (tmp_path / "cache" / "thing" / "a.bin").read_bytes() == b"first"


def test_a_cache_that_cannot_be_written(cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    with pytest.raises(AssetError, match=r"cache.* cannot be written: .*POSE_RIG_CACHE"):
        asset_folder("thing", Fetches(), quiet)


def test_the_cache_is_in_the_users_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("POSE_RIG_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == platformdirs.user_cache_path() / "pose-rig"
