"""Downloading a file whose sum is known: resumed where it was interrupted, in place only when it is whole."""

import hashlib
import http.client
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pose_rig.assets.web import Access, Answer, UnreachableError, open_url
from pose_rig.errors import AssetError

CHUNK = 1 << 18  # bytes
FRUITLESS = 3  # attempts in a row that bring nothing, after which an address is given up
PAUSE_S = 1.0  # between attempts
SHOWN_STEPS = 10  # print_progress of progress for a whole file
GIVEN_UP_STATUS = frozenset(range(400, 500)) - {408, 416, 425, 429}  # asking again will not help

ShowBytes = Callable[[int], None]  # how many bytes there are
ProgressMeter = Callable[[str, int], AbstractContextManager[ShowBytes]]  # name and bytes of a file → `ShowBytes`


class OtherFileError(UnreachableError):
    """An address gives a file, but not the one expected."""

    def __init__(self, url: str) -> None:
        super().__init__(f"{urlsplit(url).hostname or url} gives another file than the one expected, which was deleted")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file to be had from the network.

    Attributes:
        name: Of the file, also in the cache.
        page: Its address, for somebody with a browser.
        size: Bytes.
        sha256: The sums it may have.
    """

    name: str
    page: str
    size: int
    sha256: tuple[str, ...]

    def is_at(self, path: Path) -> bool:
        """Whether a path holds this very file."""
        return path.is_file() and path.stat().st_size == self.size and _sha256(path) in self.sha256


def print_progress(say: Callable[[str], None]) -> ProgressMeter:
    """Returns a meter that says how far a download is, in ten print_progress."""

    @contextmanager
    def meter(name: str, size: int) -> Iterator[ShowBytes]:
        said = 0

        def show(count: int) -> None:
            nonlocal said
            if (step := count * SHOWN_STEPS // size) > said:
                said = step
                say(f"{name}: {count / 1e6:.1f} of {size / 1e6:.1f} MB")

        yield show

    return meter


def download(
    file: RemoteFile,
    sources: Iterable[Callable[[], str]],
    folder: Path,
    access: Access,
    meter: ProgressMeter,
    pause_s: float = PAUSE_S,
) -> Path:
    """Returns where a file lies in a folder, downloaded unless it was put there by hand.

    Args:
        file: What to download.
        sources: Return an address each, or raise `UnreachableError`; they are tried in order.
        folder: Where to. What is interrupted stays there as ``NAME.part``.
        access: How the network is reached.
        meter: Is told how far it is.
        pause_s: Between two attempts.

    Raises:
        AssetError: No source gives the file, or the folder cannot be written.
    """
    target, part = folder / file.name, folder / f"{file.name}.part"
    if file.is_at(target):
        return target
    target.unlink(missing_ok=True)
    reasons: list[str] = []
    with meter(file.name, file.size) as show:
        for source in sources:
            try:
                _from(source(), file, part, access, show, pause_s)
            except UnreachableError as error:
                reasons.append(str(error))
                continue
            part.replace(target)
            return target
    raise AssetError(f"{file.name} cannot be fetched: {'; '.join(dict.fromkeys(reasons))}.", by_hand(file, folder))


def by_hand(file: RemoteFile, folder: Path) -> str:
    """Returns the remedy where nothing can be downloaded."""
    return f"Connect to the network and try again; or download {file.page} in a browser and put it into {folder}."


def _from(url: str, file: RemoteFile, part: Path, access: Access, show: ShowBytes, pause_s: float) -> None:
    """Downloads from one address, on from what there is of the file.

    Raises:
        UnreachableError: The address does not give the file.
    """
    fruitless, clean = 0, not part.exists()
    while True:
        before = _size(part)
        try:
            _attempt(url, file, part, access, show)
        except UnreachableError as error:
            fruitless = fruitless + 1 if _size(part) <= before else 0
            if fruitless >= FRUITLESS or error.status in GIVEN_UP_STATUS or isinstance(error, OtherFileError):
                raise
            time.sleep(pause_s)
            continue
        if file.is_at(part):
            return
        part.unlink(missing_ok=True)
        if clean:
            raise OtherFileError(url)
        clean = True  # what was there before may have been the start of something else: once more from its beginning


def _attempt(url: str, file: RemoteFile, part: Path, access: Access, show: ShowBytes) -> None:
    """Asks for what is missing, and adds it.

    Raises:
        UnreachableError: The connection fails or ends early.
        OtherFileError: The file there has another size.
    """
    start = _size(part)
    if start >= file.size:
        return
    try:
        answer = open_url(url, access, {"Range": f"bytes={start}-"} if start else {})
    except UnreachableError as error:
        if error.status != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        part.unlink()
        return
    try:
        if not _continues(answer, start):
            start = 0
        declared = answer.headers.get("Content-Length") or ""
        whole = start + int(declared) if declared.isdecimal() else file.size
        if whole != file.size:
            part.unlink(missing_ok=True)
            raise OtherFileError(url)
        _append(answer, part, start, file.size, show)
    except (OSError, http.client.HTTPException) as error:
        raise UnreachableError(f"{urlsplit(url).hostname}: {error or type(error).__name__}") from error
    finally:
        answer.close()
    if declared and _size(part) < file.size:
        raise UnreachableError(f"{urlsplit(url).hostname}: the connection ends early")


def _append(answer: Answer, part: Path, start: int, most: int, show: ShowBytes) -> None:
    """Writes an answer to a file from byte ``start`` on; not much more than ``most`` bytes in all."""
    try:
        out = part.open("r+b" if start else "wb")
    except OSError as error:
        raise _unwritable(part, error) from error
    with out:
        out.seek(start)
        show(start)
        while out.tell() <= most and (chunk := answer.read(CHUNK)):
            try:
                out.write(chunk)
                out.flush()
            except OSError as error:
                raise _unwritable(part, error) from error
            show(out.tell())


def _continues(answer: Answer, start: int) -> bool:
    """Whether an answer goes on at byte ``start`` rather than being the whole file."""
    match = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range") or "")
    return answer.status == http.HTTPStatus.PARTIAL_CONTENT and match is not None and int(match[1]) == start


def _unwritable(path: Path, error: OSError) -> AssetError:
    return AssetError(
        f"{path} cannot be written: {error.strerror}.",
        "Free some space, or name another folder with the environment variable POSE_RIG_CACHE.",
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
