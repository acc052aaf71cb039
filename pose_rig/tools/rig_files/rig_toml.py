"""The rig.toml that remembers: what a rig found out about its cameras, kept for the next start.

The file stays the user's: comments and layout survive. What is solved stands in a ``[camera.solved]`` part of each
camera, and belongs together: saving replaces all of them, since cameras solved in different runs share no frame.
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
from pose_rig.redaction import redacted
from pose_rig.tools.arguments.camera_list import cameras_in, source_kind, unique
from pose_rig.tools.rig_files.toml_tables import entry_text, parse, write_entry
from pose_rig.wire.messages import MAX_COORDINATE_M, CameraState, RigState

Groups = list[tuple[CameraConfig, ...]]  # the cameras behind every entry

# beyond what any camera has: px of a focal length and of a picture's side; all other numbers are smaller still
LARGEST, SHORTEST_PX, LARGEST_PX = 1e6, 1.0, 1 << 14
NOT_ORTHONORMAL = 1e-3  # more than rounding, less than a mistake
# Decimals kept: far below what is known, and below 1e-5 px.
ROTATION_DECIMALS, LENGTH_DECIMALS, FOCAL_DECIMALS, SD_DECIMALS = 9, 6, 4, 5
_TITLE = "A rig, written by pose-rig. `pose-rig run --cams` takes it; what is solved is checked before it is used."


class RigFile:
    """One rig.toml, from the start of a run to its end; there need be no such file yet.

    Args:
        path: Where it is, or will be.

    Attributes:
        writable: Whether it could be written when the run began.

    Raises:
        UsageError: The file is not a rig.toml.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.writable = is_writable(path)
        self._entries, self._groups = _read(path)

    def recall(self, config: Config) -> Config:
        """Returns the rig with what the file remembers; as it is if there is no such file.

        A camera is known again by its source (docs/rig.md). Whether its picture is mirrored comes along, and the
        stature: the scale of the rig rests on it.

        Raises:
            UsageError: The file remembers other cameras only.
        """
        if not self._path.is_file():
            return config
        known = [camera for group in self._groups for camera in group]
        found = [_find(camera, known) for camera in config.camera]
        if known and all(place is None for place in found):
            raise UsageError(
                f"{self._path} is about other cameras: {', '.join(camera.name for camera in known)}.",
                "Keep this rig in a file of its own: give another --rig.",
            )
        cameras = tuple(
            msgspec.structs.replace(
                camera,
                solved=None if place is None or camera.moving else known[place].solved,
                mirror=camera.mirror or (place is not None and known[place].mirror),
            )
            for camera, place in zip(config.camera, found, strict=True)
        )
        height_m = load(self._path).height_m if config.height_m is None else config.height_m
        return msgspec.structs.replace(config, camera=cameras, height_m=height_m)

    def remember(self, config: Config, rig: RigState) -> None:
        """Writes a solved rig into the file, made if need be, whole or not at all.

        Args:
            config: The rig that ran.
            rig: Its solved state.

        Raises:
            PoseRigError: The file cannot be written, or is no rig.toml any more.
        """
        path = self._path.resolve()
        try:
            entries, groups = _read(path)
            if entries == self._entries:  # a camera that was pulled out meanwhile could not be told any more
                groups = self._groups
            text = path.read_text("utf-8-sig") if path.is_file() else f"# {_TITLE}\n"
            with atomic_file(path) as partial:
                partial.write_text(_written(text, groups, config, rig, path.parent), "utf-8")
        except (OSError, TOMLKitError) as error:
            raise PoseRigError(
                f"The solved rig could not be written to {self._path}: {error}.",
                "Make room or mend the file, and run again.",
            ) from error


def is_writable(path: Path) -> bool:
    """Returns whether a rig can be kept at ``path``: written beside it, then put in its place."""
    folder = path.resolve().parent
    return folder.is_dir() and os.access(folder, os.W_OK) and (not path.exists() or os.access(path, os.W_OK))


def check_solved(name: str, solved: SolvedCamera) -> None:
    """Checks what a file says about a solved camera.

    Raises:
        UsageError: It cannot be a camera; names it.
    """
    rotation = np.array(solved.rotation)
    numbers = [*rotation.ravel(), *solved.translation_m, solved.focal_px, solved.k1]
    sds = (solved.rotation_sd_deg, solved.translation_sd_m, solved.focal_sd_px)
    large = (
        max(map(abs, numbers)) > LARGEST or max(sds) > LARGEST or max(map(abs, solved.translation_m)) > MAX_COORDINATE_M
    )
    sizes = min(solved.size_px) < 1 or max(solved.size_px) > LARGEST_PX
    if not np.isfinite([*numbers, *sds]).all() or large or sizes or solved.focal_px < SHORTEST_PX or min(sds) < 0:
        wrong = "has numbers that no camera has"
    elif abs(rotation @ rotation.T - np.eye(3)).max() > NOT_ORTHONORMAL or np.linalg.det(rotation) < 0:
        wrong = "has a rotation that is none"
    else:
        return
    raise UsageError(f"The solved part of camera {name} {wrong}.", "Remove it; the next run finds it anew.")


def solved_camera(state: CameraState) -> SolvedCamera | None:
    """Returns what is worth keeping of a camera's state, None if it is not solved."""
    if state.rotation is None or state.translation_m is None or state.size_px is None or state.moving:
        return None
    r = [round(value, ROTATION_DECIMALS) for value in state.rotation]
    x, y, z = (round(value, LENGTH_DECIMALS) for value in state.translation_m)
    return SolvedCamera(
        size_px=state.size_px,
        rotation=((r[0], r[1], r[2]), (r[3], r[4], r[5]), (r[6], r[7], r[8])),
        translation_m=(x, y, z),
        focal_px=round(state.focal_px, FOCAL_DECIMALS),
        k1=round(state.k1, LENGTH_DECIMALS),
        rotation_sd_deg=round(state.rotation_sd_deg or 0.0, SD_DECIMALS),
        translation_sd_m=round(state.translation_sd_m or 0.0, SD_DECIMALS),
        focal_sd_px=round(state.focal_sd_px or 0.0, SD_DECIMALS),
    )


def _read(path: Path) -> tuple[tuple[CameraConfig, ...], Groups]:
    """Returns what stands in a rig.toml, and the cameras behind each entry; nothing if there is no file."""
    return (load(path).camera, cameras_in(path)) if path.is_file() else ((), [])


def _written(text: str, groups: Groups, config: Config, rig: RigState, folder: Path) -> str:
    """Returns the text of a rig.toml in which every camera of the run, and no other, has its solved part."""
    solved = {state.name: part for state in rig.cameras if (part := solved_camera(state))}
    kept = [camera for group in groups for camera in group]
    found = [_find(camera, kept) for camera in config.camera]
    part_of = {place: solved.get(camera.name) for camera, place in zip(config.camera, found, strict=True)}
    document = parse(text)
    if config.height_m is not None and document.get("height_m") != config.height_m:
        document["height_m"] = config.height_m
    place = 0
    for table, group in zip(list(document.get("camera", ())), groups, strict=True):
        write_entry(document["camera"], table, group, [part_of.get(place + number) for number in range(len(group))])
        place += len(group)
    blocks = [tomlkit.dumps(document).rstrip() + "\n"]
    taken = [camera.name for camera in kept]
    for camera, known in zip(config.camera, found, strict=True):
        if known is None:
            taken.append(unique(camera.name, taken))
            blocks.append(entry_text(_entry(camera, taken[-1], folder), solved.get(camera.name)))
    return "\n".join(blocks)


def _entry(camera: CameraConfig, name: str, folder: Path) -> dict[str, Any]:
    """Returns the keys of a ``[[camera]]`` that means this very camera, without its solved part."""
    default: dict[str, Any] = msgspec.to_builtins(CameraConfig(source=""))
    plain: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(camera, name=name, solved=None))
    plain["source"] = _seen_from(folder, camera.source)
    picks = camera.members > 1  # then the member is written even if it is 0
    return {key: value for key, value in plain.items() if value != default[key] or (key == "member" and picks)}


def _seen_from(folder: Path, source: str) -> str:
    """Returns a source as it is written in a rig.toml in ``folder``: files relative to it, no passwords."""
    if source_kind(source) == "url":
        return redacted(source)
    if source_kind(source) not in ("keypoints", "video") or Path(source).is_absolute():
        return source
    return os.path.relpath(Path(source).resolve(), folder)


def _find(camera: CameraConfig, known: Sequence[CameraConfig]) -> int | None:
    """Returns which of the known cameras this one is: of the same source, and of the same name if there are several."""
    same = [place for place, other in enumerate(known) if _identity(other) == _identity(camera)]
    named = [place for place in same if known[place].name == camera.name]
    return next(iter(named or same), None)


def _identity(camera: CameraConfig) -> tuple[str, int]:
    kind = source_kind(camera.source)
    if kind in ("keypoints", "video"):
        return str(Path(camera.source).resolve()), camera.member
    return redacted(camera.source) if kind == "url" else camera.source, camera.member
