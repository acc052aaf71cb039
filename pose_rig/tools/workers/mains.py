"""The main functions of the workers. Each imports its libraries in its own process."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import TYPE_CHECKING

from pose_rig.config import CameraConfig, Pace
from pose_rig.errors import EngineError
from pose_rig.tools.workers.build_note import engine_folder, write_build_note
from pose_rig.wire.jobs import (
    CameraJob,
    FusionJob,
    GatewayJob,
    ImagesJob,
    RecordJob,
    ReplayJob,
    StreamJob,
    WallClock,
    WebJob,
)
from pose_rig.wire.messages import Health
from pose_rig.wire.services import FUSION

if TYPE_CHECKING:
    from pose_rig.capture.source import Source
    from pose_rig.graph import Engine

SESSION_SUFFIX = ".mcap"


def run_camera(job: CameraJob, stop: Event, start_ns: "Synchronized[int]") -> None:
    """Runs a camera worker; a camera whose source is a session plays the recorded video."""
    from pose_rig.capture.phone import PhoneInput
    from pose_rig.capture.process import main
    from pose_rig.capture.source_factory import open_source

    recorded = Path(job.camera.source).suffix == SESSION_SUFFIX
    with_phones = partial(open_source, phones=PhoneInput(job.phones, job.keys) if job.phones else None)
    main(job, stop, start_ns, _open_recorded if recorded else with_phones)


def run_fusion(job: FusionJob, stop: Event, start_ns: "Synchronized[int]") -> None:
    """Runs the fusion worker; only here lifting, fusion and the poses file are combined."""
    from pose_rig.fusion.process import main
    from pose_rig.fusion.stretches.recorded_steps import RecordedSteps
    from pose_rig.session.formats.poses_writer import open_poses

    engine = _engine(job)
    with RecordedSteps(engine, _opener(job), job.cores) as recorded:
        main(job, stop, engine, open_poses, recorded)


def run_replay(job: ReplayJob, stop: Event, start_ns: "Synchronized[int]") -> None:
    """Runs the fusion worker of a replay, which reads the session itself."""
    from pose_rig.fusion.stretches.recorded_steps import RecordedSteps
    from pose_rig.session.replay import main

    engine = _replay_engine(job)
    with RecordedSteps(engine, _opener(job.fusion), job.fusion.cores) as recorded:
        main(job, stop, engine, lambda: start_ns.value > 0, recorded)


def run_streams(job: StreamJob, stop: Event, start_ns: "Synchronized[int]") -> None:
    """Runs the worker that sends poses to engines."""
    from pose_rig.streaming.process import main

    main(job, stop)


def run_gateway(job: GatewayJob, stop: Event, start_ns: "Synchronized[int]") -> None:
    """Runs the worker that receives from cameras of other machines."""
    from pose_rig.remote.gateway import main

    main(job, stop, start_ns)


def run_images(job: ImagesJob, stop: Event, start_ns: "Synchronized[int]") -> None:
    """Runs the worker that shows the images of a replayed session."""
    from pose_rig.session.replay_images import main

    main(job, stop)


def run_recorder(job: RecordJob, stop: Event, start_ns: "Synchronized[int]") -> None:
    """Runs the recorder."""
    from pose_rig.session.recorder import main

    main(job, stop)


def run_web(job: WebJob, stop: Event, start_ns: "Synchronized[int]") -> None:
    """Runs the worker that serves pages and phones."""
    from pose_rig.web.process import main

    main(job, stop)


def _opener(job: FusionJob) -> "Callable[[], Engine]":
    """Returns what opens an engine in a further process."""
    return partial(_engine, replace(job, keys=None), "cpu")


def _engine(job: FusionJob, provider: str = "") -> "Engine":
    """Returns the inference engine of a provider, default: that of the configuration."""
    from pose_rig.lifting.engine import DEFAULT_WEIGHTS
    from pose_rig.lifting.providers import open_engine

    settings = job.config.fusion
    weights = Path(settings.weights) if settings.weights else DEFAULT_WEIGHTS
    views = len(job.config.camera)
    return open_engine(weights, provider or settings.provider, engine_folder(), views, write_build_note)


def _replay_engine(job: ReplayJob) -> "Engine":
    """Returns the engine of a replay: poses equal the recorded ones to the last bit with the same provider only."""
    if job.exact and job.fusion.config.fusion.provider == "auto" and (provider := recorded_provider(job.path)):
        with suppress(EngineError):
            return _engine(job.fusion, provider)
    return _engine(job.fusion)


def recorded_provider(path: str) -> str:
    """Returns the provider with which the poses of a session were computed, empty if it is unknown."""
    from pose_rig.lifting.providers import PROVIDERS
    from pose_rig.session.reader import Session

    with Session(path) as session:
        for message in session.messages((Health.TOPIC,)):
            if isinstance(message, Health) and message.worker == FUSION:
                provider = message.detail.partition(" ")[0]
                return provider if provider in PROVIDERS else ""
    return ""


def _open_recorded(camera: CameraConfig, pace: Pace, start: Callable[[], int], clock: WallClock) -> "Source":
    """Returns the recorded video of a camera as a source."""
    from pose_rig.capture.recording import PacedSource
    from pose_rig.session.draw.images import video_topic
    from pose_rig.session.reader import Session
    from pose_rig.session.video import SessionVideo

    session = Session(camera.source)
    total = session.topics.get(video_topic(camera.name))
    video = SessionVideo(camera.name, lambda: session.video_frames(camera.name), total)
    return PacedSource(video, pace, start, clock=clock)
