"""``pose-rig camera``: a camera of this machine for a rig on another one."""

import socket
from typing import Annotated

import typer
from msgspec import structs

from pose_rig.config import Config
from pose_rig.errors import UsageError
from pose_rig.names import as_name
from pose_rig.remote.key import curve_keys, stored_key
from pose_rig.streaming.address import parse_target
from pose_rig.tools.arguments.camera_list import check_readable, config_of
from pose_rig.tools.arguments.config_options import ConfigOptions, Keys
from pose_rig.tools.arguments.options import Debug, Headless
from pose_rig.tools.rig_files.validation import check_config
from pose_rig.tools.terminal.remote_camera import send_camera
from pose_rig.wire.services import POSE_PORT, REMOTE_PORT_OFFSET, RESERVED_NAMES


def camera(
    cam: Annotated[str, typer.Option(metavar="A", help="The camera: index, device path or name, URL or file.")],
    to: Annotated[str, typer.Option(metavar="HOST[:PORT]", help="The machine of the rig (port 5573).")],
    options: Annotated[ConfigOptions, Keys(only=("detector.*",))],
    key: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="What `pose-rig keys` shows there; default: the key stored on this machine."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Its name in the rig; default: the name of this machine.")
    ] = None,
    size: Annotated[str | None, typer.Option(metavar="W,H", help="Image size to request.")] = None,
    fps: Annotated[float | None, typer.Option(metavar="HZ", help="Frames per second to request.")] = None,
    mirror: Annotated[bool, typer.Option("--mirror", help="Its image is mirrored: flip it back.")] = False,
    headless: Headless = False,
    debug: Debug = False,
) -> None:
    """Send the 2D keypoints of a camera of this machine to a rig on another one.

    \b
    on the machine of the rig:
      pose-rig keys                                        shows the key
      pose-rig run --cams 0,remote:hall --host 0.0.0.0     waits for `hall`
    on this machine:
      pose-rig camera --cam 0 --name hall --to 192.168.1.20 --key KEY

    The person is detected here; images are sent only if the rig records with --video. The clocks of the two machines
    are compared all the time, and all times are converted to those of the rig. Start the two in any order: each waits
    for the other, and they find each other again after a pause, a restart or a lost network. With `pose-rig keys
    --enter` the key is stored here, and --key is not needed.
    """  # noqa: D301  (\b keeps the lines of the paragraph in the help)
    config = options.applied_to(_config(cam, name, size, fps, mirror=mirror))
    check_config(config)
    check_readable(config)
    place = parse_target(to, POSE_PORT + REMOTE_PORT_OFFSET)
    send_camera(config, f"tcp://{place}", curve_keys(key or _stored_key()), headless=headless, debug=debug)


def _config(cam: str, name: str | None, size: str | None, fps: float | None, *, mirror: bool) -> Config:
    """Returns a rig of one camera."""
    config = config_of(cam)
    if len(config.camera) != 1:
        raise UsageError(f"{cam} has {len(config.camera)} cameras.", "Start one `pose-rig camera` for each camera.")
    given = name or as_name(socket.gethostname().partition(".")[0])
    if given != as_name(given) or given in RESERVED_NAMES:
        raise UsageError(f"{given[:80]!r} is not a valid camera name.", "Use letters, digits, . _ and -: --name hall.")
    only = structs.replace(
        config.camera[0], name=given, mirror=mirror, size_px=_size(size) or config.camera[0].size_px, fps=fps
    )
    if only.source.startswith("remote:"):
        raise UsageError(f"{cam} is a camera of another machine.", "Give a camera of this machine: --cam 0.")
    return structs.replace(config, camera=(only,))


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    try:
        width, height = (int(part) for part in text.lower().replace("x", ",").split(","))
    except ValueError as error:
        raise UsageError(f"{text!r} is not an image size.", "Example: --size 1280,720.") from error
    return width, height


def _stored_key() -> str:
    key = stored_key()
    if not key:
        raise UsageError(
            "No key is given, and none is stored on this machine.",
            "Copy it from `pose-rig keys` on the machine of the rig: --key KEY, or `pose-rig keys --enter` here.",
        )
    return key
