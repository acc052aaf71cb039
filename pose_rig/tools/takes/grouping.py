"""Which takes there are among many files and folders.

- A Pose2Sim or OpenPose folder is a take, with everything below it.
- A session, a file of 2D keypoints (.npz), and a rig.toml of recordings are a take each.
- The videos in one folder are one take, unless a rig.toml in it describes them. Those that a pattern selects are one
  take per folder.

Results of earlier calls and hidden files are ignored.
"""

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pose_rig.atomic_file import PARTIAL
from pose_rig.config import load
from pose_rig.errors import UsageError
from pose_rig.names import natural_order
from pose_rig.tools.arguments import file_types
from pose_rig.tools.arguments.camera_sources import ends_by_itself
from pose_rig.tools.arguments.file_types import file_type
from pose_rig.tools.takes.take import SESSIONS, Take, has_videos, is_result, name_of

PROJECT_FOLDERS = ("pose-sync", "pose", ".")  # of Pose2Sim; or the folders of OpenPose's cameras are right here
WILDCARDS = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Takes:
    """The takes that were found.

    Attributes:
        takes: In natural order of their names, which are unique and relative paths.
        ignored: How many of the files that match are part of none.
    """

    takes: tuple[Take, ...]
    ignored: int


def find_takes(patterns: Sequence[str], out: Path) -> Takes:
    """Returns the takes that some patterns, folders or files stand for; what is in ``out`` is none.

    Raises:
        UsageError: There is none.
    """
    bases = [_base(pattern) for pattern in patterns]
    found = _Finder(Path(os.path.commonpath(bases)), out.absolute())
    for pattern in patterns:
        found.add(pattern)
    takes = _unique(found.takes())
    if not takes:
        raise UsageError(
            f"There is no take in {', '.join(patterns)}.",
            "A take is a folder of videos, a session (.mcap), a keypoint file (.npz), a Pose2Sim project or a "
            "rig.toml; quote patterns: 'takes/**'.",
        )
    return Takes(tuple(sorted(takes, key=lambda take: natural_order(take.name))), found.ignored())


@dataclass(slots=True)
class _Finder:
    """Collects what matches, and makes takes of it.

    Attributes:
        base: The folder to which names are relative.
        out: What is in it is ignored.
        projects: Pose2Sim and OpenPose folders.
        folders: Other folders.
        files: Files by the pattern that selects them; the empty one has those that were named one by one.
    """

    base: Path
    out: Path
    projects: set[Path] = field(default_factory=set)
    folders: set[Path] = field(default_factory=set)
    files: dict[str, list[Path]] = field(default_factory=dict)

    def add(self, pattern: str) -> None:
        """Adds everything that a pattern matches; a folder stands for everything in it."""
        single = Path(pattern).exists()
        if single and Path(pattern).is_dir():
            paths = glob.glob(f"{glob.escape(pattern)}/**", recursive=True)
        else:
            paths = [pattern] if single else glob.glob(pattern, recursive=True)
        for path in sorted({Path(os.path.abspath(text)) for text in paths}, key=lambda path: len(path.parts)):
            if self.out in (path, *path.parents) or any(is_result(folder) for folder in self._upwards(path)):
                continue
            if not path.is_dir():
                self.files.setdefault("" if single and not Path(pattern).is_dir() else pattern, []).append(path)
            elif not self._in_project(path):
                (self.projects if is_project(path) else self.folders).add(path)

    def takes(self) -> Iterator[Take]:
        """Yields the takes."""
        for project in self.projects:
            yield Take(self._name(project), "keypoints", (str(project),))
        rigs = {path for path in self._all_files() if path.suffix.lower() == ".toml" and is_rig_of_recordings(path)}
        for path in self._all_files():
            if path in rigs:
                name = path.parent if path.name == "rig.toml" else path.with_suffix("")
                yield Take(self._name(name), "cameras", (str(path),))
            elif path.suffix.lower() in (".mcap", PARTIAL) and file_type(path) in SESSIONS:
                yield Take(self._name(path.with_name(name_of([path.name]))), "session", (str(path),))
            elif path.suffix.lower() == ".npz" and file_type(path) is file_types.KEYPOINTS:
                yield Take(self._name(path.with_suffix("")), "cameras", (str(path),))
        described = {path.parent for path in rigs}
        whole = {folder for folder in self.folders - described if has_videos(folder)}
        for folder in whole:
            yield Take(self._name(folder), "cameras", (str(folder),))
        yield from self._groups(whole | described)

    def ignored(self) -> int:
        """Returns the number of files that match and are neither in a project nor of a known type."""
        from pose_rig.capture.source_factory import VIDEO_SUFFIXES  # imports OpenCV

        known = {*VIDEO_SUFFIXES, ".mcap", PARTIAL, ".npz", ".toml"}
        return sum(path.suffix.lower() not in known for path in self._all_files())

    def _groups(self, done: set[Path]) -> Iterator[Take]:
        """Yields the takes of videos in folders that are not selected as a whole."""
        from pose_rig.capture.source_factory import VIDEO_SUFFIXES  # imports OpenCV

        for paths in self.files.values():
            groups: dict[Path, list[Path]] = {}
            for path in paths:
                if path.suffix.lower() in VIDEO_SUFFIXES and path.parent not in done and not self._in_project(path):
                    groups.setdefault(path.parent, []).append(path)
            for folder, videos in groups.items():
                chosen = sorted(videos, key=natural_order)
                every = sum(path.suffix.lower() in VIDEO_SUFFIXES for path in folder.iterdir())
                name = folder if len(chosen) == every else folder / name_of([str(path) for path in chosen])
                yield Take(self._name(name), "cameras", tuple(map(str, chosen)))

    def _all_files(self) -> list[Path]:
        every = {path for paths in self.files.values() for path in paths if not self._in_project(path)}
        return sorted(every, key=natural_order)

    def _in_project(self, path: Path) -> bool:
        return not self.projects.isdisjoint(path.parents)

    def _upwards(self, path: Path) -> list[Path]:
        return [folder for folder in (path, *path.parents) if self.base in (folder, *folder.parents)]

    def _name(self, path: Path) -> str:
        """Returns the name of a take: its path relative to the base, or the name of the base itself."""
        relative = path.relative_to(self.base).as_posix()
        return path.name or "take" if relative == "." else relative


def is_project(folder: Path) -> bool:
    """Returns whether a folder has OpenPose's 2D keypoints, as Pose2Sim lays them out or in a folder per camera."""
    return any(
        next(camera.glob("*.json"), None) is not None
        for inside in PROJECT_FOLDERS
        for camera in (folder / inside).glob("*_json")
        if camera.is_dir()
    )


def is_rig_of_recordings(path: Path) -> bool:
    """Returns whether a file is a rig.toml whose cameras are all recordings."""
    if file_type(path) is not file_types.RIG:
        return False
    try:
        cameras = load(path).camera
    except UsageError:
        return False
    return bool(cameras) and all(ends_by_itself(camera) for camera in cameras)


def _base(pattern: str) -> Path:
    """Returns the folder below which everything is that a pattern matches."""
    path = Path(os.path.abspath(pattern))
    if path.exists():
        return path if path.is_dir() else path.parent
    parts = Path(pattern).parts
    fixed = next((number for number, part in enumerate(parts) if WILDCARDS & set(part)), len(parts) - 1)
    return Path(os.path.abspath(Path(*parts[:fixed])))


def _unique(takes: Iterator[Take]) -> list[Take]:
    """Returns takes with unique names: where two have the same, files keep their suffix, and then they are numbered."""
    found = list(takes)
    names = [take.name for take in found]
    out: list[Take] = []
    for take in found:
        name = take.name
        if names.count(name) > 1 and len(take.sources) == 1 and take.path.is_file():
            name = (Path(name).parent / take.path.name).as_posix()
        taken = {one.name for one in out}
        number = next(n for n in range(1, len(found) + 2) if (name if n == 1 else f"{name}-{n}") not in taken)
        out.append(replace(take, name=name if number == 1 else f"{name}-{number}"))
    return out
