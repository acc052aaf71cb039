"""Reading 2D keypoints in any known format, chosen by the content."""

from pathlib import Path

from pose_rig.capture.keypoint_file import load
from pose_rig.capture.keypoints import Keypoints
from pose_rig.errors import ContentError, UsageError
from pose_rig.names import natural_order
from pose_rig.session.keypoints.deeplabcut_csv import is_deeplabcut, read_deeplabcut
from pose_rig.session.keypoints.freemocap_npy import read_freemocap
from pose_rig.session.keypoints.keypoint_frames import ImportOptions
from pose_rig.session.keypoints.keypoints_json import read_keypoints_json
from pose_rig.session.keypoints.per_camera_json import is_per_camera, read_per_camera

FORMATS_REMEDY = (
    "Give a keypoint file (.npz), OpenPose's folders of JSON (Pose2Sim's too), files of one camera by AlphaPose, "
    "MMPose (.json) or DeepLabCut (.csv), or FreeMoCap's 2D .npy."
)
# suffix → description and remedy
UNSUPPORTED = {
    ".h5": ("HDF5, as DeepLabCut and SLEAP write it", "Export CSV: deeplabcut.analyze_videos(…, save_as_csv=True)."),
    ".hdf5": ("HDF5", "Export CSV as DeepLabCut does."),
    ".slp": ("a project of SLEAP", "Export what it tracked, as a keypoint file (docs/cameras.md)."),
    ".pickle": ("pickled data, which may run anything when it is opened", FORMATS_REMEDY),
    ".pkl": ("pickled data, which may run anything when it is opened", FORMATS_REMEDY),
    ".trc": ("3D markers, not 2D keypoints", FORMATS_REMEDY),
    ".c3d": ("3D markers, not 2D keypoints", FORMATS_REMEDY),
    ".bvh": ("a motion, not 2D keypoints", FORMATS_REMEDY),
}


def read_keypoints(source: Path, options: ImportOptions) -> Keypoints:
    """Returns the 2D keypoints in a file or folder.

    Raises:
        ContentError: The format is unknown, or the file is damaged.
        UsageError: An option is missing, or given although the file contains it.
    """
    suffix = source.suffix.lower()
    if source.is_dir():
        return _read_folder(source, options)
    if not source.is_file():
        raise UsageError(f"There is no file or folder {source}.", f"Check the path. {FORMATS_REMEDY}")
    if suffix == ".npz":
        if options != ImportOptions():
            raise UsageError(
                f"{source} contains its frame rate, image sizes and landmarks.",
                "Leave out --fps, --size and --landmarks.",
            )
        return load(source)
    if suffix == ".json":
        if not is_per_camera(source):
            raise ContentError(
                f"{source} is a single frame of OpenPose.", f"Give its folder, {source.resolve().parent}."
            )
        return read_per_camera(source, (source,), options)
    if suffix == ".csv" and is_deeplabcut(source):
        return read_deeplabcut(source, (source,), options)
    if suffix == ".npy":
        return read_freemocap(source, options)
    if suffix == ".csv":
        raise ContentError(f"{source} is not DeepLabCut's CSV, which begins with scorer.", FORMATS_REMEDY)
    what, remedy = UNSUPPORTED.get(suffix, ("not a known format of 2D keypoints", FORMATS_REMEDY))
    raise ContentError(f"{source} is {what}.", remedy)


def _read_folder(folder: Path, options: ImportOptions) -> Keypoints:
    """Reads a folder: of DeepLabCut's CSV, of one JSON per camera, else of OpenPose."""
    tables = [path for path in _inside(folder, "*.csv") if is_deeplabcut(path)]
    if tables:
        return read_deeplabcut(folder, tables, options)
    results = [path for path in _inside(folder, "*.json") if is_per_camera(path)]
    if results:
        return read_per_camera(folder, results, options)
    return read_keypoints_json(folder, options)


def _inside(folder: Path, pattern: str) -> list[Path]:
    """Returns the files of a folder, or else of its subfolders with one such file."""
    here = sorted(folder.glob(pattern), key=natural_order)
    if here:
        return here
    within = [sorted(path.glob(pattern)) for path in sorted(folder.iterdir(), key=natural_order) if path.is_dir()]
    return [files[0] for files in within if len(files) == 1]
