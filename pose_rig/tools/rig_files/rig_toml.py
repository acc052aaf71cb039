"""The rig.toml: the solved cameras of a run are saved in it and restored at the next start.

Comments and layout are kept. Each solved camera has a ``[camera.solved]`` table. Saving replaces all of these tables,
since cameras that were solved in different runs have no common frame.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import tomlkit
from tomlkit.exceptions import TOMLKitError

from pose_rig.atomic_file import atomic_file
from pose_rig.config import CameraConfig, Config, SolvedCamera, load
from pose_rig.errors import PoseRigError, UsageError
from pose_rig.lens import COEFFICIENTS
from pose_rig.redaction import redacted
from pose_rig.tools.arguments.camera_list import cameras_in, unique
from pose_rig.tools.arguments.camera_sources import source_kind
from pose_rig.tools.rig_files.toml_tables import entry_text, parse, write_entry
from pose_rig.wire.messages import MAX_COORDINATE_M, CameraState, RigState

Groups = list[tuple[CameraConfig, ...]]  # the cameras of every [[camera]] entry

MAX_NUMBER = 1e6  # of a focal length in px, the largest of all values
MIN_FOCAL_PX = 1.0
MAX_SIDE_PX = 1 << 14
MAX_ORTHONORMAL_ERROR = 1e-3  # rounding is below it, a wrong rotation above
# Decimals in the file: far below the standard deviations, and below 1e-5 px.
ROTATION_DECIMALS, LENGTH_DECIMALS, LENS_DECIMALS, FOCAL_DECIMALS, SD_DECIMALS = 9, 6, 9, 4, 5
_TITLE = "A rig written by pose-rig. `pose-rig run --cams` reads it; solved cameras are checked before they are used."


class RigFile:
    """The rig.toml of a run.

    Args:
        path: Its path; the file need not exist yet.

    Attributes:
        writable: Whether it can be written, at the start of the run.

    Raises:
        UsageError: The file is not a rig.toml.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.writable = is_writable(path)
        self._entries, self._groups = _read(path)

    def restore(self, config: Config) -> Config:
        """Returns a configuration with the solved cameras of the file; unchanged if there is no file.

        A camera is identified by its source (docs/rig.md). ``mirror`` is restored as well, and the body heights, which
        set the scale of the rig, of as many people as are tracked.

        Raises:
            UsageError: The file has none of the cameras.
        """
        if not self._path.is_file():
            return config
        known = [camera for group in self._groups for camera in group]
        found = [_find(camera, known) for camera in config.camera]
        if known and all(index is None for index in found):
            raise UsageError(
                f"{self._path} belongs to other cameras: {', '.join(camera.name for camera in known)}.",
                "Give another --rig for these cameras.",
            )
        cameras = tuple(
            msgspec.structs.replace(
                camera,
                solved=None if index is None or camera.moving else known[index].solved,
                mirror=camera.mirror or (index is not None and known[index].mirror),
            )
            for camera, index in zip(config.camera, found, strict=True)
        )
        config = msgspec.structs.replace(config, camera=cameras)
        if config.height_m is not None:
            return config
        earlier = load(self._path)
        others = earlier.other_heights_m[: config.people - 1]
        return msgspec.structs.replace(config, height_m=earlier.height_m, other_heights_m=others)

    def save(self, config: Config, rig: RigState) -> None:
        """Writes the solved state of a run into the file, atomically; creates the file if necessary.

        Raises:
            PoseRigError: The file cannot be written, or is not a rig.toml any more.
        """
        path = self._path.resolve()
        try:
            entries, groups = _read(path)
            if entries == self._entries:  # a camera that was unplugged in the meantime cannot be expanded again
                groups = self._groups
            text = path.read_text("utf-8-sig") if path.is_file() else f"# {_TITLE}\n"
            with atomic_file(path) as partial:
                partial.write_text(_text(text, groups, config, rig, path.parent), "utf-8")
        except (OSError, TOMLKitError) as error:
            raise PoseRigError(
                f"The solved rig could not be written to {self._path}: {error}.",
                "Free disk space or repair the file, and run again.",
            ) from error


def is_writable(path: Path) -> bool:
    """Returns whether a file can be written to ``path`` and its folder."""
    folder = path.resolve().parent
    return folder.is_dir() and os.access(folder, os.W_OK) and (not path.exists() or os.access(path, os.W_OK))


def check_solved(name: str, solved: SolvedCamera) -> None:
    """Checks a ``[camera.solved]`` table.

    Raises:
        UsageError: A value is out of range, or the rotation is not orthonormal; names the camera.
    """
    rotation = np.array(solved.rotation)
    numbers = [*rotation.ravel(), *solved.translation_m, solved.focal_px, *solved.lens, solved.time_rate]
    point_px = solved.principal_point_px or (0.0, 0.0)
    sds = (solved.rotation_sd_deg, solved.translation_sd_m, solved.focal_sd_px, solved.time_offset_sd_s)
    in_range = (
        np.isfinite([*numbers, *sds, solved.time_offset_s]).all()
        and solved.time_rate > 0
        and max(map(abs, (*numbers, *sds))) <= MAX_NUMBER
        and max(map(abs, solved.translation_m)) <= MAX_COORDINATE_M
        and min(solved.size_px) >= 1
        and max(solved.size_px) <= MAX_SIDE_PX
        and solved.focal_px >= MIN_FOCAL_PX
        and all(0 <= at <= side for at, side in zip(point_px, solved.size_px, strict=True))
        and len(solved.distortion) <= COEFFICIENTS
        and min(sds) >= 0
    )
    if not in_range:
        problem = "has values that are out of range"
    elif abs(rotation @ rotation.T - np.eye(3)).max() > MAX_ORTHONORMAL_ERROR or np.linalg.det(rotation) < 0:
        problem = "has a rotation that is not orthonormal"
    else:
        return
    raise UsageError(f"The solved part of camera {name} {problem}.", "Remove it; the next run estimates it again.")


def solved_camera(state: CameraState) -> SolvedCamera | None:
    """Returns the part of a camera's state that is saved, None if the camera is not solved or moves."""
    if state.rotation is None or state.translation_m is None or state.size_px is None or state.moving:
        return None
    r = [round(value, ROTATION_DECIMALS) for value in state.rotation]
    x, y, z = (round(value, LENGTH_DECIMALS) for value in state.translation_m)
    return SolvedCamera(
        size_px=state.size_px,
        rotation=((r[0], r[1], r[2]), (r[3], r[4], r[5]), (r[6], r[7], r[8])),
        translation_m=(x, y, z),
        focal_px=round(state.focal_px, FOCAL_DECIMALS),
        principal_point_px=_rounded_point(state.principal_point_px),
        distortion=tuple(round(value, LENS_DECIMALS) for value in state.lens[: 4 if state.fisheye else 5]),
        fisheye=state.fisheye,
        rotation_sd_deg=round(state.rotation_sd_deg or 0.0, SD_DECIMALS),
        translation_sd_m=round(state.translation_sd_m or 0.0, SD_DECIMALS),
        focal_sd_px=round(state.focal_sd_px or 0.0, SD_DECIMALS),
        time_offset_s=round(state.time_offset_s, LENGTH_DECIMALS),
        time_offset_sd_s=round(state.time_offset_sd_s or 0.0, SD_DECIMALS),
        time_rate=round(state.time_rate, ROTATION_DECIMALS),
    )


def _rounded_point(point_px: tuple[float, float] | None) -> tuple[float, float] | None:
    return None if point_px is None else (round(point_px[0], FOCAL_DECIMALS), round(point_px[1], FOCAL_DECIMALS))


def _read(path: Path) -> tuple[tuple[CameraConfig, ...], Groups]:
    """Returns the ``[[camera]]`` entries of a rig.toml and the cameras of each; empty if there is no file."""
    return (load(path).camera, cameras_in(path)) if path.is_file() else ((), [])


def _text(text: str, groups: Groups, config: Config, rig: RigState, folder: Path) -> str:
    """Returns the text of a rig.toml in which the cameras of the run, and no others, have their solved tables."""
    solved = {state.name: part for state in rig.cameras if (part := solved_camera(state))}
    kept = [camera for group in groups for camera in group]
    found = [_find(camera, kept) for camera in config.camera]
    part_of = {index: solved.get(camera.name) for camera, index in zip(config.camera, found, strict=True)}
    document = parse(text)
    if config.height_m is not None and document.get("height_m") != config.height_m:
        document["height_m"] = config.height_m
    others = list(config.other_heights_m)
    if others and document.get("other_heights_m") != others:
        document["other_heights_m"] = others
    first = 0
    for table, group in zip(list(document.get("camera", ())), groups, strict=True):
        write_entry(document["camera"], table, group, [part_of.get(first + number) for number in range(len(group))])
        first += len(group)
    blocks = [tomlkit.dumps(document).rstrip() + "\n"]
    taken = [camera.name for camera in kept]
    for camera, index in zip(config.camera, found, strict=True):
        if index is None:
            taken.append(unique(camera.name, taken))
            blocks.append(entry_text(_entry(camera, taken[-1], folder), solved.get(camera.name)))
    return "\n".join(blocks)


def _entry(camera: CameraConfig, name: str, folder: Path) -> dict[str, Any]:
    """Returns the keys of a new ``[[camera]]`` entry, without its solved table."""
    default: dict[str, Any] = msgspec.to_builtins(CameraConfig(source=""))
    plain: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(camera, name=name, solved=None))
    plain["source"] = _source_text(folder, camera.source)
    several = camera.members > 1  # then the member is written even if it is 0
    return {key: value for key, value in plain.items() if value != default[key] or (key == "member" and several)}


def _source_text(folder: Path, source: str) -> str:
    """Returns a source as written in a rig.toml in ``folder``: files relative to it, no passwords."""
    if source_kind(source) == "url":
        return redacted(source)
    if source_kind(source) not in ("keypoints", "video") or Path(source).is_absolute():
        return source
    return os.path.relpath(Path(source).resolve(), folder)


def _find(camera: CameraConfig, known: Sequence[CameraConfig]) -> int | None:
    """Returns the index of a camera among those of the file: by its source, then by its name."""
    same = [index for index, other in enumerate(known) if _identity(other) == _identity(camera)]
    named = [index for index in same if known[index].name == camera.name]
    return next(iter(named or same), None)


def _identity(camera: CameraConfig) -> tuple[str, int]:
    kind = source_kind(camera.source)
    if kind == "phone":
        return f"{camera.source} {camera.name}", 0  # this machine remembers which phone that is
    if kind in ("keypoints", "video"):
        return str(Path(camera.source).resolve()), camera.member
    return redacted(camera.source) if kind == "url" else camera.source, camera.member
