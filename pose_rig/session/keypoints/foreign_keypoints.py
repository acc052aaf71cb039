"""2D keypoints in whatever form others keep them: finds out which, and names those that are not read."""

from collections.abc import Callable, Sequence
from pathlib import Path

from pose_rig.capture.keypoint_file import load
from pose_rig.capture.keypoints import Keypoints
from pose_rig.errors import ContentError, UsageError
from pose_rig.names import natural_order
from pose_rig.session.keypoints.deeplabcut_csv import is_deeplabcut, read_deeplabcut
from pose_rig.session.keypoints.freemocap_npy import read_freemocap
from pose_rig.session.keypoints.keypoints_json import read_keypoints_json
from pose_rig.session.keypoints.per_camera_json import holds_a_camera, read_per_camera

READ = (
    "Read are a keypoint file (.npz), OpenPose's folders of JSON (Pose2Sim's too), files of one camera by AlphaPose, "
    "MMPose (.json) and DeepLabCut (.csv), and FreeMoCap's 2D .npy."
)
# what else people have, by the end of its name: what it is, and what to do
OTHERS = {
    ".h5": ("HDF5, as DeepLabCut and SLEAP write it", "Export CSV: deeplabcut.analyze_videos(…, save_as_csv=True)."),
    ".hdf5": ("HDF5", "Export CSV as DeepLabCut does."),
    ".slp": ("a project of SLEAP", "Export what it tracked, as a keypoint file (docs/cameras.md)."),
    ".pickle": ("pickled data, which may run anything when it is opened", READ),
    ".pkl": ("pickled data, which may run anything when it is opened", READ),
    ".trc": ("3D markers, not 2D keypoints", READ),
    ".c3d": ("3D markers, not 2D keypoints", READ),
    ".bvh": ("a motion, not 2D keypoints", READ),
}


def read_keypoints(
    source: Path,
    fps: float | None = None,
    sizes_px: Sequence[tuple[int, int]] = (),
    schema: str | None = None,
) -> Keypoints:
    """Returns the 2D keypoints in a file or folder.

    Args:
        source: Where.
        fps: Frames per second, if the form does not say so.
        sizes_px: (width, height) of each camera or once for all, likewise.
        schema: Landmark set, likewise.

    Raises:
        ContentError: It is of no form that is known, or damaged.
        UsageError: Something must be told, or is told although the file says it itself.
    """
    suffix = source.suffix.lower()
    if source.is_dir():
        return _folder(source)(fps, sizes_px, schema)
    if not source.is_file():
        raise UsageError(f"There is no file or folder {source}.", f"Check the path. {READ}")
    if suffix == ".npz":
        if fps is not None or sizes_px or schema is not None:
            raise UsageError(
                f"{source} says itself how fast, how large and of which landmarks it is.",
                "Leave out --fps, --size and --landmarks.",
            )
        return load(source)
    if suffix == ".json":
        if not holds_a_camera(source):
            raise ContentError(
                f"{source} is a single frame of OpenPose.", f"Give its folder, {source.resolve().parent}."
            )
        return read_per_camera(source, (source,), fps, sizes_px, schema)
    if suffix == ".csv" and is_deeplabcut(source):
        return read_deeplabcut(source, (source,), fps, sizes_px, schema)
    if suffix == ".npy":
        return read_freemocap(source, fps, sizes_px, schema)
    if suffix == ".csv":
        raise ContentError(f"{source} is not DeepLabCut's CSV, which begins with the word scorer.", READ)
    what, remedy = OTHERS.get(suffix, ("no file of 2D keypoints that is known here", READ))
    raise ContentError(f"{source} is {what}.", remedy)


Reader = Callable[[float | None, Sequence[tuple[int, int]], str | None], Keypoints]


def _folder(folder: Path) -> Reader:
    """Returns what reads a folder: of DeepLabCut's CSV, of one JSON for each camera, else as OpenPose keeps it."""
    tables = [path for path in _inside(folder, "*.csv") if is_deeplabcut(path)]
    if tables:
        return lambda fps, sizes_px, schema: read_deeplabcut(folder, tables, fps, sizes_px, schema)
    results = [path for path in _inside(folder, "*.json") if holds_a_camera(path)]
    if results:
        return lambda fps, sizes_px, schema: read_per_camera(folder, results, fps, sizes_px, schema)
    return lambda fps, sizes_px, schema: read_keypoints_json(folder, fps, sizes_px, schema)


def _inside(folder: Path, pattern: str) -> list[Path]:
    """Returns the files of a folder, else those of its folders that have one only."""
    here = sorted(folder.glob(pattern), key=natural_order)
    if here:
        return here
    within = [sorted(path.glob(pattern)) for path in sorted(folder.iterdir(), key=natural_order) if path.is_dir()]
    return [files[0] for files in within if len(files) == 1]
