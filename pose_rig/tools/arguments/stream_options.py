"""The options by which commands say where the person is sent."""

from dataclasses import dataclass
from typing import Annotated, Literal

import typer
from msgspec.structs import replace

from pose_rig.config import StreamConfig
from pose_rig.errors import UsageError
from pose_rig.tools.arguments.lists import listed
from pose_rig.tools.arguments.options import given

PANEL = "Into engines"

Vmc = Annotated[
    list[str] | None,
    typer.Option(
        metavar="HOST[:PORT][/PROFILE]",
        help="Send VMC there (port 39539); PROFILE: unity (default), unreal, godot, warudo, vnyan, vseeface.",
        rich_help_panel=PANEL,
    ),
]
Vrchat = Annotated[
    list[str] | None,
    typer.Option(metavar="HOST[:PORT]", help="Send VRChat's OSC trackers there (port 9000).", rich_help_panel=PANEL),
]
Json = Annotated[
    list[str] | None,
    typer.Option(
        "--json",
        metavar="HOST[:PORT][/AXES]",
        help="Send JSON over UDP there (port 39570); AXES: rig (default), unity, unreal, blender, godot.",
        rich_help_panel=PANEL,
    ),
]
Websocket = Annotated[
    str | None,
    typer.Option(
        metavar="[HOST:]PORT", help="Let clients connect for JSON, this machine's alone without HOST.",
        rich_help_panel=PANEL,
    ),
]  # fmt: skip
Origin = Annotated[
    list[str] | None,
    typer.Option(metavar="URL", help="A web page from elsewhere that may connect too.", rich_help_panel=PANEL),
]
Avatar = Annotated[
    str | None,
    typer.Option(
        metavar="F.vrm", help="Your avatar (VRM 0 or 1): its bones are sent instead of yours.", rich_help_panel=PANEL
    ),
]
Scale = Annotated[
    Literal["body", "avatar"] | None,
    typer.Option(
        help="Walk through the room in true metres, or as the legs of the avatar do (default with --avatar).",
        rich_help_panel=PANEL,
    ),
]
Root = Annotated[
    Literal["hips", "root"] | None,
    typer.Option(
        help="Which bone of VMC carries the way through the room; default: as the profile.", rich_help_panel=PANEL
    ),
]
Trackers = Annotated[
    list[str] | None,
    typer.Option(
        metavar="A,B", help="Of VRChat: hip, chest, feet, knees, elbows (default: hip,feet).", rich_help_panel=PANEL
    ),
]
LeadTime = Annotated[
    str | None,
    typer.Option(
        "--lead",
        metavar="MS|auto",
        help="Look so far ahead, or as much as the picture is old, so that the avatar is on time; costs calm.",
        rich_help_panel=PANEL,
    ),
]
FootLock = Annotated[
    bool, typer.Option("--foot-lock", help="Hold feet that stand, once the rig is solved.", rich_help_panel=PANEL)
]
StreamRate = Annotated[
    float | None, typer.Option(metavar="HZ", help="Frames per second at most (60).", rich_help_panel=PANEL)
]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamOptions:
    """Where the person is sent, and how."""

    vmc: Vmc = None
    vrchat: Vrchat = None
    json: Json = None
    websocket: Websocket = None
    origin: Origin = None
    avatar: Avatar = None
    scale: Scale = None
    root: Root = None
    trackers: Trackers = None
    lead: LeadTime = None
    foot_lock: FootLock = False
    stream_rate: StreamRate = None

    def into(self, stream: StreamConfig) -> StreamConfig:
        """Returns a configuration with what the user gave; the rest stays.

        Raises:
            UsageError: The lead is neither a number nor ``auto``, or there is nowhere to send to.
        """
        wishes = given({
            "vmc": listed(self.vmc) if self.vmc else None,
            "vrchat": listed(self.vrchat) if self.vrchat else None,
            "json": listed(self.json) if self.json else None,
            "websocket": self.websocket,
            "origins": listed(self.origin) if self.origin else None,
            "avatar": self.avatar,
            "scale": self.scale,
            "root": self.root,
            "trackers": listed(self.trackers) if self.trackers else None,
            "lead": None if self.lead is None else lead_of(self.lead),
            "foot_lock": self.foot_lock or None,
            "rate_hz": self.stream_rate,
        })  # fmt: skip
        wanted = replace(stream, **wishes)
        if wishes and not wanted.wanted:
            raise UsageError("There is nowhere to send the person to.", "Add --vmc 127.0.0.1, for example.")
        return wanted


def lead_of(text: str) -> float | Literal["auto"]:
    """Returns how far to look ahead, ms.

    Raises:
        UsageError: It is neither a number nor ``auto``.
    """
    if text == "auto":
        return "auto"
    try:
        return float(text)
    except ValueError as error:
        raise UsageError(f"A lead of {text!r} is no time.", "Give milliseconds, such as --lead 60, or auto.") from error
