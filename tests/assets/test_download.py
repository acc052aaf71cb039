"""Downloads from a server on the loopback interface."""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pose_rig.assets.download import CHUNK_BYTES, RemoteFile, ShowBytes, download, print_progress
from pose_rig.assets.web import Access, UnreachableError
from pose_rig.errors import AssetError
from tests.http_server import Page, Site, serve

BODY = bytes(range(256)) * 40
FILE = RemoteFile("thing.bin", "https://example.org/thing.bin", len(BODY), (hashlib.sha256(BODY).hexdigest(),))


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serve() as site:
        yield site


def fetch(folder: Path, *urls: str, shown_lines: list[str] | None = None) -> Path:
    show_line: Callable[[str], None] = (shown_lines if shown_lines is not None else []).append
    return download(FILE, [lambda url=url: url for url in urls], folder, Access(), print_progress(show_line), 0.0)  # type: ignore[misc]


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_and_its_progress(site: Site, tmp_path: Path) -> None:
    site.pages["/f"], shown_lines = Page(BODY), list[str]()
    assert fetch(tmp_path, f"{site.url}/f", shown_lines=shown_lines).read_bytes() == BODY
    assert entries(tmp_path) == ["thing.bin"]
    assert shown_lines == ["thing.bin: 0.0 of 0.0 MB"]


def test_the_progress_of_a_large_file() -> None:
    shown_lines: list[str] = []
    with print_progress(shown_lines.append)("big", 50_000_000) as show:
        for count in range(0, 50_000_001, 100_000):
            show(count)
    assert len(shown_lines) == 10
    assert (shown_lines[0], shown_lines[-1]) == ("big: 5.0 of 50.0 MB", "big: 50.0 of 50.0 MB")


def test_an_interrupted_connection_is_resumed(site: Site, tmp_path: Path) -> None:
    site.pages["/f"] = Page(BODY, cut=[1000, 2000, 0, 0, 3000])
    assert fetch(tmp_path, f"{site.url}/f").read_bytes() == BODY
    ranges = ["", "bytes=1000-", "bytes=3000-", "bytes=3000-", "bytes=3000-", "bytes=6000-"]
    assert [request.range for request in site.requests] == ranges


def test_a_partial_file_of_an_earlier_run_is_resumed(site: Site, tmp_path: Path) -> None:
    site.pages["/f"] = Page(BODY)
    (tmp_path / "thing.bin.part").write_bytes(BODY[:5000])
    assert fetch(tmp_path, f"{site.url}/f").read_bytes() == BODY
    assert [request.range for request in site.requests] == ["bytes=5000-"]


def test_an_interrupted_download_keeps_the_partial_file(site: Site, tmp_path: Path) -> None:
    site.pages["/f"] = Page(BODY, cut=[4000, 0, 0, 0])
    with pytest.raises(AssetError, match="the connection ends early"):
        fetch(tmp_path, f"{site.url}/f")
    assert (tmp_path / "thing.bin.part").read_bytes() == BODY[:4000]
    assert fetch(tmp_path, f"{site.url}/f").read_bytes() == BODY
    assert site.requests[-1].range == "bytes=4000-"


def test_ctrl_c_keeps_the_partial_file_and_the_next_run_resumes(site: Site, tmp_path: Path) -> None:
    large = bytes(3 * CHUNK_BYTES)
    file = RemoteFile("large.bin", "", len(large), (hashlib.sha256(large).hexdigest(),))
    site.pages["/f"] = Page(large)

    @contextmanager
    def meter(name: str, size: int) -> Iterator[ShowBytes]:
        def show(count: int) -> None:
            if count >= CHUNK_BYTES:
                raise KeyboardInterrupt

        yield show

    with pytest.raises(KeyboardInterrupt):
        download(file, [lambda: f"{site.url}/f"], tmp_path, Access(), meter, 0.0)
    kept = (tmp_path / "large.bin.part").stat().st_size
    assert kept >= CHUNK_BYTES
    download(file, [lambda: f"{site.url}/f"], tmp_path, Access(), print_progress(lambda text: None), 0.0)
    assert site.requests[-1].range == f"bytes={kept}-"
    assert (tmp_path / "large.bin").read_bytes() == large


def test_a_server_without_range_requests_sends_the_whole_file(site: Site, tmp_path: Path) -> None:
    site.pages["/f"] = Page(BODY, ranges=False, cut=[1000])
    assert fetch(tmp_path, f"{site.url}/f").read_bytes() == BODY
    assert [request.range for request in site.requests] == ["", "bytes=1000-"]


@pytest.mark.parametrize("left", [b"x" * 5000, b"x" * len(BODY), b"x" * (len(BODY) + 7)])
def test_the_partial_file_of_another_file_is_replaced(site: Site, tmp_path: Path, left: bytes) -> None:
    site.pages["/f"] = Page(BODY)
    (tmp_path / "thing.bin.part").write_bytes(left)
    assert fetch(tmp_path, f"{site.url}/f").read_bytes() == BODY


def test_a_server_whose_file_is_shorter_than_the_partial_file(site: Site, tmp_path: Path) -> None:
    site.pages["/f"] = Page(BODY[:100])
    (tmp_path / "thing.bin.part").write_bytes(BODY[:200])
    with pytest.raises(AssetError, match="returned another file than the expected one; it was deleted"):
        fetch(tmp_path, f"{site.url}/f")
    assert entries(tmp_path) == []


@pytest.mark.parametrize("page", [
    Page(BODY[:-1] + b"x"),
    Page(b"<html>Please log in</html>", kind="text/html"),
    Page(b"<html>Please log in</html>", kind="text/html", sized=False),
    Page(BODY + b"more", sized=False),
])  # fmt: skip
def test_another_file_than_the_one_expected_is_deleted(site: Site, tmp_path: Path, page: Page) -> None:
    site.pages["/f"] = page
    with pytest.raises(AssetError) as raised:
        fetch(tmp_path, f"{site.url}/f")
    assert raised.value.cause == (
        "thing.bin cannot be downloaded: 127.0.0.1 returned another file than the expected one; it was deleted."
    )
    assert entries(tmp_path) == []


def test_without_a_response_the_remedy_names_file_and_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serve() as gone:
        url = f"{gone.url}/f"
    with pytest.raises(AssetError) as raised:
        fetch(tmp_path, url)
    assert raised.value.cause.startswith("thing.bin cannot be downloaded: 127.0.0.1: ")
    assert raised.value.remedy == (
        "Connect to the network and try again; or download https://example.org/thing.bin in a browser "
        f"and put it into {tmp_path}."
    )


def test_a_file_downloaded_by_hand_is_used(tmp_path: Path) -> None:
    (tmp_path / "thing.bin").write_bytes(BODY)
    assert fetch(tmp_path) == tmp_path / "thing.bin"
    (tmp_path / "thing.bin").write_bytes(BODY[1:])
    with pytest.raises(AssetError, match=r"thing\.bin cannot be downloaded"):
        fetch(tmp_path)
    assert entries(tmp_path) == []


def test_the_next_url_is_tried_after_a_failure(site: Site, tmp_path: Path) -> None:
    site.pages["/f"] = Page(BODY)

    def nowhere() -> str:
        raise UnreachableError("the mirror does not have it")

    sources = [nowhere, lambda: f"{site.url}/missing", lambda: f"{site.url}/f"]
    path = download(FILE, sources, tmp_path, Access(), print_progress(lambda text: None), 0.0)
    assert path.read_bytes() == BODY
    assert [request.path for request in site.requests] == ["/missing", "/f"]  # 404 is not asked again
    path.unlink()
    with pytest.raises(AssetError, match=r"the mirror does not have it; 127\.0\.0\.1 answers 404 Not Found\."):
        download(FILE, sources[:2], tmp_path, Access(), print_progress(lambda text: None), 0.0)


def test_a_file_on_this_machine(tmp_path: Path) -> None:
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "f").write_bytes(BODY)
    (tmp_path / "thing.bin.part").write_bytes(BODY[:10])
    assert fetch(tmp_path, (tmp_path / "mirror" / "f").as_uri()).read_bytes() == BODY


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_disk_is_reported(site: Site, tmp_path: Path) -> None:
    site.pages["/f"] = Page(BODY)
    (tmp_path / "thing.bin.part").symlink_to("/dev/full")
    with pytest.raises(AssetError, match=r"thing\.bin\.part cannot be written: No space left on device\. Free some"):
        fetch(tmp_path, f"{site.url}/f")
