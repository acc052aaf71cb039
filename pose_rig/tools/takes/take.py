"""One take: the recordings of one performance, in any form that can be processed, and its name."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Literal

from pose_rig.atomic_file import PARTIAL, partial_path
from pose_rig.errors import UsageError
from pose_rig.tools.arguments import file_types
from pose_rig.tools.arguments.camera_sources import sources
from pose_rig.tools.arguments.file_types import FileType, file_type
from pose_rig.tools.arguments.value_lists import split_paths

Kind = Literal["cameras", "session", "keypoints"]
RESULT_FILE = "quality.json"  # `pose_rig.tools.takes.result`
SESSIONS = (file_types.SESSION, file_types.CUT_OFF)
KEYPOINTS = (file_types.JSON, file_types.CSV, file_types.ARRAY)  # of other programs; npz are cameras
KEYPOINT_SUFFIXES = (".json", ".csv", ".npy", ".toml")
NOT_A_PATH = re.compile(r"^sim(:\d+)?$|://|[*?\[]")  # simulated cameras, URLs, patterns
# ends of names that tell cameras apart, not takes: jump_cam01 and jump_cam02 are of jump
CAMERA_WORD = re.compile(r"[\W_]*(camera|cam|view|c|v)?[\W_]*\d*[\W_]*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Take:
    """One take.

    Attributes:
        name: Its name, of which the name of its output folder is made.
        kind: ``cameras``: what ``--cams`` takes; ``session``: a recorded session; ``keypoints``: 2D of other programs.
        sources: As the user gave them: one path, or several of kind ``cameras``.
    """

    name: str
    kind: Kind
    sources: tuple[str, ...]

    @property
    def path(self) -> Path:
        """The only source of a session or of keypoints."""
        return Path(self.sources[0])

    def files(self) -> list[Path]:
        """Returns the files that it consists of, in order; of a folder of keypoints all that may matter.

        Raises:
            UsageError: A pattern matches nothing.
        """
        if self.kind == "cameras":
            found = [Path(source) for source in sources(self.sources)]
            return [file for path in found for file in (path, *_files_of_rig(path)) if file.is_file()]
        if self.path.is_dir():
            inside = (path for path in self.path.rglob("*") if path.suffix.lower() in KEYPOINT_SUFFIXES)
            return sorted(path for path in inside if path.is_file() and not is_result(path.parent))
        return [self.path if self.path.is_file() else partial_path(self.path)]


def take_of(given: Sequence[str], name: str = "") -> Take:
    """Returns the take that some arguments of the command line are.

    Args:
        given: One session, one file or folder of 2D keypoints, or the cameras as ``--cams`` takes them.
        name: Its name; empty = made of those of the files.

    Raises:
        UsageError: One is not there or is a live camera, or a session or keypoints are given with something else.
    """
    for one in given:
        _check_recording(one)
    kinds = [_kind(Path(one)) for one in given]
    if len(given) > 1 and set(kinds) != {"cameras"}:
        first = next(one for one, kind in zip(given, kinds, strict=True) if kind != "cameras")
        raise UsageError(
            f"{first} is a take by itself; got {len(given)} of them.",
            "Give one session, one folder of 2D keypoints, or the videos of one take; `pose-rig batch` takes many.",
        )
    return Take(name or name_of(given), kinds[0], tuple(given))


def name_of(given: Sequence[str]) -> str:
    """Returns the name of a take: of its file or folder, or what the names of its files have in common."""
    paths = [Path(one) for one in given]
    if len(paths) == 1 and not any(sign in given[0] for sign in "*?["):
        path = paths[0].absolute()
        name = path.name if path.is_dir() else Path(path.name.removesuffix(PARTIAL)).stem
        return name.replace(":", "")  # of sim:4
    stems = [re.split(r"[*?\[]", path.name)[0].removesuffix(path.suffix) for path in paths]
    common = "".join(letters[0] for letters in takewhile(lambda each: len(set(each)) == 1, zip(*stems, strict=False)))
    return CAMERA_WORD.sub("", common) or paths[0].absolute().parent.name or "take"


def is_result(folder: Path) -> bool:
    """Returns whether a folder has the result of a take."""
    return (folder / RESULT_FILE).is_file()


def has_videos(folder: Path) -> bool:
    """Returns whether a folder has videos in it, below no further folder."""
    from pose_rig.capture.source_factory import VIDEO_SUFFIXES  # imports OpenCV

    return any(
        path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".") and path.is_file()
        for path in folder.iterdir()
    )


def _check_recording(given: str) -> None:
    """Refuses what is not there, and live cameras.

    Raises:
        UsageError: It is one of them.
    """
    path = Path(given)
    found = file_type(path)
    if found is file_types.DEVICE:
        raise UsageError(f"{given} is a live camera.", "Record it first: `pose-rig record`.")
    if found is not file_types.MISSING or partial_path(path).exists() or NOT_A_PATH.search(given):
        return
    if not any(Path(part).exists() for part in split_paths([given])):
        remedy = "Check the path. A take is videos, a session, 2D keypoints, a folder of either, or a rig.toml."
        raise UsageError(f"There is no file {given}.", remedy)


def _kind(path: Path) -> Kind:
    found: FileType = file_type(path)
    if found is file_types.MISSING:
        found = file_type(partial_path(path))
        return "session" if found in SESSIONS else "cameras"
    if found is file_types.FOLDER:
        empty = not any(one.suffix.lower() in KEYPOINT_SUFFIXES for one in path.rglob("*"))
        return "cameras" if empty or has_videos(path) else "keypoints"
    return "session" if found in SESSIONS else "keypoints" if found in KEYPOINTS else "cameras"


def _files_of_rig(path: Path) -> list[Path]:
    """Returns the files of the cameras in a rig.toml; none of any other file."""
    if path.suffix.lower() != ".toml" or not path.is_file():
        return []
    from pose_rig.tools.arguments.camera_list import cameras_in

    return [Path(camera.source) for entry in cameras_in(path) for camera in entry[:1]]
