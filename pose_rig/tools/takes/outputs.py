"""The files that processing a take makes of its session and poses file, one after the other."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pose_rig.errors import PoseRigError
from pose_rig.session.convert import ENDINGS, OF_ONE_PERSON, Conversion, Format, convert
from pose_rig.session.convert_source import ConvertOptions
from pose_rig.session.formats.poses import Poses
from pose_rig.session.formats.poses_file import read_people
from pose_rig.session.overlay_video import ShowFrames, write_overlay
from pose_rig.session.reader import Session
from pose_rig.tools.report.data import ReportData, session_data
from pose_rig.tools.report.page import write_report

SESSION, POSES, OVERLAY, REPORT = "session.mcap", "poses.npz", "overlay.mp4", "report.html"
CONVERTED: tuple[Format, ...] = ("bvh", "gltf", "trc", "angles")
CONVERTED_FILES = tuple(Path(POSES).stem + ENDINGS[name] for name in CONVERTED)
FILES = (SESSION, POSES, *CONVERTED_FILES, OVERLAY, REPORT)


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the outputs.

    Attributes:
        files: Names of those written.
        notes: What the user should know of them, one sentence each.
        errors: Why the others were not written, each once.
    """

    files: tuple[str, ...]
    notes: tuple[str, ...]
    errors: tuple[PoseRigError, ...]


def write_outputs(
    folder: Path,
    data: ReportData,
    overlay_of: Path | None,
    begin: Callable[[str], None],
    show: ShowFrames,
) -> Written:
    """Writes the files of a folder that has the session and the poses file; one that fails does not stop the others.

    Args:
        folder: The folder.
        data: Of `take_data`.
        overlay_of: The session with the images for the overlay video, which may be that of the folder; None = no video.
        begin: Is given the name of a file before it is written.
        show: As in `write_overlay`.
    """
    steps: dict[str, Callable[[], Conversion]] = {
        file: lambda name=name: convert(folder / POSES, [name], folder, ConvertOptions())  # type: ignore[misc]
        for name, file in zip(CONVERTED, CONVERTED_FILES, strict=True)
    }
    steps[REPORT] = lambda: _report(data, folder / REPORT)
    if overlay_of is not None:
        steps[OVERLAY] = lambda: _overlay(folder, overlay_of, show)
    files, notes, errors = [SESSION, POSES], list[str](), list[PoseRigError]()
    for file, write in steps.items():
        begin(file)
        try:
            done = write()
            notes += done.notes
            files += [path.name for path in done.paths]
        except PoseRigError as error:
            errors.append(error)
    return Written(tuple(files), tuple(dict.fromkeys(notes)), tuple({str(error): error for error in errors}.values()))


def take_data(folder: Path, name: str) -> ReportData:
    """Returns the data of the report on a take: those of its session, with the poses smoothed in both directions.

    Raises:
        PoseRigError: The session or the poses file cannot be read.
    """
    with Session(folder / SESSION) as session:
        data = session_data(session)
    if data.poses is None:
        return replace(data, name=name)
    first, *others = read_people(folder / POSES)
    recorded = {poses.person: (poses, poses_s) for poses, poses_s in data.others if len(data.poses)}
    smoothed = tuple(
        (_with_residuals(one, recorded[one.person][0]), (one.t_ns - data.poses.t_ns[0]) * 1e-9 + data.poses_s[0])
        for one in others
        if one.person in recorded
    )
    return replace(data, name=name, poses=_with_residuals(first, data.poses), others=smoothed)


def _with_residuals(saved: Poses, recorded: Poses) -> Poses:
    """Returns the saved poses with the reprojection errors of the recorded ones, which a poses file lacks."""
    residual_px = np.full_like(saved.residual_px, np.nan)
    _, rows, others = np.intersect1d(saved.t_ns, recorded.t_ns, return_indices=True)
    columns = min(residual_px.shape[1], recorded.residual_px.shape[1])
    residual_px[rows, :columns] = recorded.residual_px[others, :columns]
    return replace(saved, residual_px=residual_px)


def of_further_people(folder: Path) -> list[Path]:
    """Returns the files in a folder that belong to the second and further people."""
    endings = [ENDINGS[name] for name in CONVERTED if name in OF_ONE_PERSON]
    return [path for ending in endings for path in folder.glob(f"{Path(POSES).stem}.person*{ending}")]


def _report(data: ReportData, path: Path) -> Conversion:
    write_report(data, path)
    return Conversion([path], ())


def _overlay(folder: Path, images: Path, show: ShowFrames) -> Conversion:
    with Session(folder / SESSION) as session, Session(images) as with_images:
        return Conversion([folder / OVERLAY], write_overlay(session, folder / OVERLAY, show, with_images))
