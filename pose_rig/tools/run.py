"""``pose-rig run``: cameras in, a 3D pose out."""

from collections.abc import Mapping
from typing import Annotated, Literal

import typer
from msgspec.structs import replace

from pose_rig.tools.camera_list import config_of, mark_moving
from pose_rig.tools.execute import execute
from pose_rig.tools.failures import failures
from pose_rig.tools.stream_options import (
    Avatar,
    FootLock,
    Json,
    LeadTime,
    Origin,
    Root,
    Scale,
    StreamRate,
    Trackers,
    Vmc,
    Vrchat,
    Websocket,
    streamed,
)

Headless = Annotated[bool, typer.Option("--headless", help="Print plain lines instead of drawing a table.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks and what the workers print.")]
Pace = Annotated[
    Literal["realtime", "all"] | None,
    typer.Option(help="Files: play in real time (default), or read every frame as fast as it goes, repeatable."),
]
Model = Annotated[
    str | None, typer.Option(metavar="NAME|PATH", help="2D detector: lite, full (default), heavy, or a .task file.")
]
Provider = Annotated[
    Literal["auto", "tensorrt", "cuda", "cpu"] | None,
    typer.Option(help="What runs lifter and fusion; auto = TensorRT, CUDA, CPU in that order."),
]

Height = Annotated[float | None, typer.Option(metavar="M", help="Stature of the person; without it 1.70 m is assumed.")]
Duration = Annotated[float | None, typer.Option(metavar="S", help="Stop after so many seconds.")]
RigFile = Annotated[
    str | None, typer.Option(metavar="RIG.toml", help="Remember the solved rig there, and start from it next time.")
]
Port = Annotated[int | None, typer.Option(metavar="N", help="Publish poses on this port (5571); 0 = any free one.")]
From = Annotated[float | None, typer.Option("--from", metavar="S", help="Begin so many seconds after the start.")]


def run(
    cams: Annotated[
        str,
        typer.Option(
            metavar="A,B,C",
            help="Index, device path or name, URL, video file, keypoint file (.npz: all its cameras), sim or sim:4 "
            "(simulated cameras); or one rig.toml.",
        ),
    ],
    height: Height = None,
    duration: Duration = None,
    pace: Pace = None,
    passes: Annotated[
        int | None,
        typer.Option(min=1, max=2, help="Files with --pace all: 2 = learn the rig first, then fuse all of it."),
    ] = None,
    rig: RigFile = None,
    moving: Annotated[
        str | None, typer.Option(metavar="A,B|all", help="Cameras that are carried about: names, or numbers from 0.")
    ] = None,
    save: Annotated[str | None, typer.Option(metavar="F.npz", help="Write the poses there at the end.")] = None,
    record: Annotated[
        str | None, typer.Option(metavar="S.mcap", help="Record everything but the pictures there.")
    ] = None,
    video: Annotated[
        bool, typer.Option("--video", help="With --record: the pictures too (H.264; JPEG where that is too slow).")
    ] = False,
    port: Port = None,
    model: Model = None,
    people: Annotated[
        int | None, typer.Option(metavar="N", help="Most people looked for in an image (2); one is followed.")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(metavar="F", help="Graph of lifter and fusion; default: the one shipped.")
    ] = None,
    provider: Provider = None,
    rate: Annotated[float | None, typer.Option(metavar="HZ", help="Poses per second when live (60).")] = None,
    vmc: Vmc = None,
    vrchat: Vrchat = None,
    json: Json = None,
    websocket: Websocket = None,
    origin: Origin = None,
    avatar: Avatar = None,
    scale: Scale = None,
    root: Root = None,
    trackers: Trackers = None,
    lead: LeadTime = None,
    foot_lock: FootLock = False,
    stream_rate: StreamRate = None,
    headless: Headless = False,
    debug: Debug = False,
) -> None:
    """Turn cameras into one moving 3D skeleton, without a calibration.

    \b
    pose-rig run --cams 0,1,2                        three webcams
    pose-rig run --cams 0,1,2 --height 1.82          in true metres
    pose-rig run --cams 0,rtsp://192.168.1.20/live   with a network camera
    pose-rig run --cams a.mp4,b.mp4 --pace all       every frame of two files
    pose-rig run --cams 2d.npz --save poses.npz      2D from elsewhere, kept
    pose-rig run --cams 0,1,2 --rig studio.toml      remember where they stand
    pose-rig run --cams 0,1,2 --record take.mcap     a session to keep
    pose-rig run --cams 0,1,2 --vmc 127.0.0.1/unreal an avatar that moves
    pose-rig run --cams sim:4                        no camera at all
    pose-rig run --cams rig.toml                     all of it from a file

    Ctrl-C or q stops and prints a summary. Options given here win over those in a rig.toml. `pose-rig cams` lists
    what is plugged in, `pose-rig doctor` says what is wrong, `pose-rig rig` shows where the cameras stand.
    """  # noqa: D301  (\b tells the help to keep the lines as they are)
    top = {
        "height_m": height,
        "duration_s": duration,
        "pace": pace,
        "save": save,
        "port": port,
        "passes": passes,
        "rig": rig,
        "record": record,
        "video": video or None,
    }
    detector = {"model": model, "people": people}
    fusion = {"weights": weights, "provider": provider, "rate_hz": rate}
    with failures(debug):
        config = config_of(cams)
        if moving is not None:
            config = replace(config, camera=mark_moving(config.camera, moving))
        config = replace(
            config,
            **given(top),
            detector=replace(config.detector, **given(detector)),
            fusion=replace(config.fusion, **given(fusion)),
            stream=streamed(
                config.stream, vmc=vmc, vrchat=vrchat, json=json, websocket=websocket, origin=origin, avatar=avatar,
                scale=scale, root=root, trackers=trackers, lead=lead, foot_lock=foot_lock, stream_rate=stream_rate,
            ),
        )  # fmt: skip
        execute(config, headless=headless, debug=debug)


def given(options: Mapping[str, object]) -> dict[str, object]:
    """Returns the options that the user gave."""
    return {name: value for name, value in options.items() if value is not None}
