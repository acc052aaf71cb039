"""The options by which commands say what a rig is to do, and what is kept of it."""

from dataclasses import dataclass
from typing import Annotated

import typer
from msgspec.structs import replace

from pose_rig.config import Config
from pose_rig.tools.arguments.camera_list import mark_moving
from pose_rig.tools.arguments.options import Duration, Height, Model, Pace, Port, Provider, Save, Video, Weights, given


@dataclass(frozen=True, slots=True, kw_only=True)
class RigOptions:
    """What a rig is to do."""

    height: Height = None
    duration: Duration = None
    pace: Pace = None
    passes: Annotated[
        int | None,
        typer.Option(min=1, max=2, help="Files with --pace all: 2 = learn the rig first, then fuse all of it."),
    ] = None
    rig: Annotated[
        str | None, typer.Option(metavar="RIG.toml", help="Remember the solved rig there, and start from it next time.")
    ] = None
    moving: Annotated[
        list[str] | None,
        typer.Option(metavar="A,B|all", help="Cameras that are carried about: names, or numbers from 0."),
    ] = None
    save: Save = None
    port: Port = None
    model: Model = None
    people: Annotated[
        int | None, typer.Option(metavar="N", help="Most people looked for in an image (2); one is followed.")
    ] = None
    weights: Weights = None
    provider: Provider = None
    rate: Annotated[float | None, typer.Option(metavar="HZ", help="Poses per second when live (60).")] = None

    def into(self, config: Config) -> Config:
        """Returns a configuration with what the user gave; the rest stays.

        Raises:
            UsageError: There is no such camera that could move.
        """
        top = {
            "height_m": self.height,
            "duration_s": self.duration,
            "pace": self.pace,
            "passes": self.passes,
            "rig": self.rig,
            "save": self.save,
            "port": self.port,
        }
        detector = {"model": self.model, "people": self.people}
        fusion = {"weights": self.weights, "provider": self.provider, "rate_hz": self.rate}
        return replace(
            config,
            **given(top),
            camera=mark_moving(config.camera, *self.moving) if self.moving else config.camera,
            detector=replace(config.detector, **given(detector)),
            fusion=replace(config.fusion, **given(fusion)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingOptions:
    """What is recorded of a run."""

    record: Annotated[str | None, typer.Option(metavar="S.mcap", help="Record everything but the pictures there.")] = (
        None
    )
    video: Video = False

    def into(self, config: Config) -> Config:
        """Returns a configuration with what the user gave; the rest stays."""
        return replace(config, **given({"record": self.record, "video": self.video or None}))
