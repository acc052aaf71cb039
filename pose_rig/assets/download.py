"""Downloading a file with a known checksum: resumed after an interruption, moved into place when it is complete."""

import hashlib
import http.client
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pose_rig.assets.web import Access, Response, UnreachableError, open_url
from pose_rig.errors import AssetError

CHUNK_BYTES = 1 << 18
MAX_FAILED_ATTEMPTS = 3  # in a row, each without a new byte
RETRY_DELAY_S = 1.0
PROGRESS_LINES = 10  # for a whole file
FATAL_STATUS = frozenset(range(400, 500)) - {408, 416, 425, 429}  # a retry will not help

ShowBytes = Callable[[int], None]  # number of bytes downloaded
ProgressMeter = Callable[[str, int], AbstractContextManager[ShowBytes]]  # name and bytes of a file → `ShowBytes`


class WrongFileError(UnreachableError):
    """A URL returns another file than the expected one."""

    def __init__(self, url: str) -> None:
        super().__init__(f"{urlsplit(url).hostname or url} returned another file than the expected one; it was deleted")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file to download.

    Attributes:
        name: Name of the file, in the cache too.
        page: URL for downloading it with a browser.
        size: Bytes.
        sha256: The checksums that it may have.
    """

    name: str
    page: str
    size: int
    sha256: tuple[str, ...]

    def is_at(self, path: Path) -> bool:
        """Returns whether a path holds this file."""
        if not path.is_file() or path.stat().st_size != self.size:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() in self.sha256


def print_progress(show_line: Callable[[str], None]) -> ProgressMeter:
    """Returns a progress meter that shows ten lines per file."""

    @contextmanager
    def meter(name: str, size: int) -> Iterator[ShowBytes]:
        shown = 0

        def show(count: int) -> None:
            nonlocal shown
            if (step := count * PROGRESS_LINES // size) > shown:
                shown = step
                show_line(f"{name}: {count / 1e6:.1f} of {size / 1e6:.1f} MB")

        yield show

    return meter


def download(
    file: RemoteFile,
    candidates: Iterable[Callable[[], str]],
    folder: Path,
    access: Access,
    meter: ProgressMeter,
    retry_delay_s: float = RETRY_DELAY_S,
) -> Path:
    """Returns the path of a file in a folder, downloaded unless it is there already.

    Args:
        file: What to download.
        candidates: Functions that return a URL each, or raise `UnreachableError`; they are tried in order.
        folder: Where to. An incomplete file stays there as ``NAME.part``.
        access: Network settings.
        meter: Shows the progress.
        retry_delay_s: Between two attempts.

    Raises:
        AssetError: No candidate returns the file, or the folder cannot be written.
    """
    target, part = folder / file.name, folder / f"{file.name}.part"
    if file.is_at(target):
        return target
    target.unlink(missing_ok=True)
    reasons: list[str] = []
    with meter(file.name, file.size) as show:
        for find_url in candidates:
            try:
                _download_from(find_url(), file, part, access, show, retry_delay_s)
            except UnreachableError as error:
                reasons.append(str(error))
                continue
            part.replace(target)
            return target
    reason = "; ".join(dict.fromkeys(reasons))
    raise AssetError(f"{file.name} cannot be downloaded: {reason}.", manual_remedy(file, folder))


def manual_remedy(file: RemoteFile, folder: Path) -> str:
    """Returns the remedy for a file that cannot be downloaded."""
    return f"Connect to the network and try again; or download {file.page} in a browser and put it into {folder}."


def _download_from(
    url: str, file: RemoteFile, part: Path, access: Access, show: ShowBytes, retry_delay_s: float
) -> None:
    """Downloads from one URL, resuming a partial file.

    Raises:
        UnreachableError: The URL does not return the file.
    """
    failed, from_start = 0, not part.exists()
    while True:
        before = _size(part)
        try:
            _attempt(url, file, part, access, show)
        except UnreachableError as error:
            failed = failed + 1 if _size(part) <= before else 0
            if failed >= MAX_FAILED_ATTEMPTS or error.status in FATAL_STATUS or isinstance(error, WrongFileError):
                raise
            time.sleep(retry_delay_s)
            continue
        if file.is_at(part):
            return
        part.unlink(missing_ok=True)
        if from_start:
            raise WrongFileError(url)
        from_start = True  # the partial file may have been of another file: retry once from the start


def _attempt(url: str, file: RemoteFile, part: Path, access: Access, show: ShowBytes) -> None:
    """Requests the missing bytes and appends them.

    Raises:
        UnreachableError: The connection fails or ends early.
        WrongFileError: The file at the URL has another size.
    """
    start = _size(part)
    if start >= file.size:
        return
    try:
        response = open_url(url, access, {"Range": f"bytes={start}-"} if start else {})
    except UnreachableError as error:
        if error.status != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        part.unlink()
        return
    with closing(response):
        if not _is_partial(response, start):
            start = 0
        length = response.headers.get("Content-Length") or ""
        if length.isdecimal() and start + int(length) != file.size:
            part.unlink(missing_ok=True)
            raise WrongFileError(url)
        try:
            _append(response, part, start, file.size, show)
        except (OSError, http.client.HTTPException) as error:
            raise UnreachableError(f"{urlsplit(url).hostname}: {error or type(error).__name__}") from error
    if length and _size(part) < file.size:
        raise UnreachableError(f"{urlsplit(url).hostname}: the connection ends early")


def _append(response: Response, part: Path, start: int, max_bytes: int, show: ShowBytes) -> None:
    """Writes a response to a file from byte ``start``; stops soon after ``max_bytes`` in total."""
    try:
        out = part.open("r+b" if start else "wb")
    except OSError as error:
        raise _unwritable(part, error) from error
    with out:
        out.seek(start)
        show(start)
        while out.tell() <= max_bytes and (chunk := response.read(CHUNK_BYTES)):
            try:
                out.write(chunk)
                out.flush()
            except OSError as error:
                raise _unwritable(part, error) from error
            show(out.tell())


def _is_partial(response: Response, start: int) -> bool:
    """Returns whether a response starts at byte ``start`` instead of being the whole file."""
    match = re.match(r"bytes (\d+)-", response.headers.get("Content-Range") or "")
    return response.status == http.HTTPStatus.PARTIAL_CONTENT and match is not None and int(match[1]) == start


def _unwritable(path: Path, error: OSError) -> AssetError:
    return AssetError(
        f"{path} cannot be written: {error.strerror}.",
        "Free some space, or set another folder with the environment variable POSE_RIG_CACHE.",
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
