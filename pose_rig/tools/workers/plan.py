"""The table of a rig's workers: one process per camera and the fusion process, joined by endpoints on this machine."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pose_rig.assets.cache import cache_folder
from pose_rig.config import CameraConfig, Config, Origin, Pace
from pose_rig.tools.arguments.camera_list import (
    ends_by_itself,
    needs_detector,
    without_passwords,
)
from pose_rig.tools.workers.endpoints import Endpoints, free_endpoints
from pose_rig.tools.workers.supervisor import GRACE_S, Worker
from pose_rig.wire.authentication import Keys
from pose_rig.wire.jobs import CameraJob, FusionJob, RecordJob, ReplayJob, StreamJob
from pose_rig.wire.services import FUSION, RECORDER, STREAMS

if TYPE_CHECKING:
    from pose_rig.capture.source import Source
    from pose_rig.lifting.engine import OrtEngine

SAVING_GRACE_S = 20.0  # writing an hour of poses to a slow disk; asking twice does not wait for it
RECORDER_GRACE_S = 10.0  # it ends half a second after fusion; a slow disk takes longer
SESSION_SUFFIX = ".mcap"


@dataclass(frozen=True, slots=True)
class Recording:
    """Where the recorder of a rig is reached.

    Attributes:
        input: It listens here.
        output: It says here how it is doing.
        origin: Whose clock the messages have, as in `RecordJob`.
        unix_from_rig_ns: As there.
        keys: Those of the run.
    """

    input: str
    output: str
    origin: Origin
    unix_from_rig_ns: int | None = None
    keys: Keys | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A rig ready to start.

    Attributes:
        config: What it is made of.
        workers: The cameras, then fusion, then what feeds engines and the recorder, if there are any.
        output: Where fusion publishes for anybody, and
        inside: for the workers of this run.
        keys: Those of this run.
        recording: Where the recorder is reached, None if nothing is recorded.
        streams: Where what feeds engines tells the workers what it sends; empty if nothing is.
    """

    config: Config
    workers: tuple[Worker, ...]
    output: str
    inside: str
    keys: Keys
    recording: Recording | None = None
    streams: str = ""


def plan(config: Config, model: str, unix_from_rig_ns: int | None = None) -> Plan:
    """Returns the workers of a rig.

    Args:
        config: The rig, its cameras named.
        model: Path of the detector model; empty if no camera needs one.
        unix_from_rig_ns: As in `RecordJob`.

    Raises:
        UsageError: The port is taken.
    """
    lanes = len(config.camera) if config.pace == "all" else 1
    at = free_endpoints(config, lanes)
    recording = _recording(at, "live" if config.pace == "realtime" else "files", unix_from_rig_ns)
    detector = msgspec.structs.replace(config.detector, model=model)
    cameras = [
        Worker(
            camera.name,
            run_camera,
            CameraJob(
                camera=camera,
                detector=detector if needs_detector(camera) else msgspec.structs.replace(detector, model=""),
                pace=config.pace,
                endpoint=at.inputs[i % len(at.inputs)],
                video=recording.input if recording and config.video and needs_detector(camera) else "",
                keys=at.keys,
            ),
            final_errors=ends_by_itself(camera),
        )
        for i, camera in enumerate(config.camera)
    ]
    fusion = Worker(
        FUSION,
        run_fusion,
        FusionJob(config, at.inputs, at.output, recording.input if recording else "", at.inside, at.keys),
        vital=True,
        grace_s=SAVING_GRACE_S if config.save else GRACE_S,
    )
    beside = (*feeders(config, at), *recorders(config, recording))
    return Plan(config, (*cameras, fusion, *beside), at.output, at.inside, at.keys, recording, at.streams_inside)


def recorders(config: Config, recording: Recording | None) -> tuple[Worker, ...]:
    """Returns the recorder, if there is to be one."""
    if recording is None:
        return ()
    job = RecordJob(
        without_passwords(config), config.record, recording.input, recording.output, recording.origin,
        recording.unix_from_rig_ns, keys=recording.keys,
    )  # fmt: skip
    grace_s = RECORDER_GRACE_S + (SAVING_GRACE_S if config.save else 0.0)
    return (Worker(RECORDER, run_recorder, job, grace_s=grace_s),)


def feeders(config: Config, at: Endpoints) -> tuple[Worker, ...]:
    """Returns what feeds engines, if there are any."""
    if not at.streams:
        return ()
    return (Worker(STREAMS, run_streams, StreamJob(config.stream, at.inside, at.streams, at.streams_inside, at.keys)),)


def replay_plan(config: Config, job: ReplayJob, unix_from_rig_ns: int) -> Plan:
    """Returns the workers of a replay: fusion, which reads the session itself, and the recorder if there is one.

    Args:
        config: The rig of the session, with what is wanted of the replay.
        job: What to replay; where its poses go is filled in here.
        unix_from_rig_ns: What turned its clock into the time of day.

    Raises:
        UsageError: The port is taken.
    """
    at = free_endpoints(config, 0)
    recording = _recording(at, "live" if job.exact else "files", unix_from_rig_ns)
    fusion = FusionJob(config, (), at.output, recording.input if recording else "", at.inside, at.keys)
    grace_s = SAVING_GRACE_S if config.save else GRACE_S
    worker = Worker(FUSION, run_replay, replace(job, fusion=fusion), final_errors=True, vital=True, grace_s=grace_s)
    workers = (worker, *feeders(config, at), *recorders(config, recording))
    seen = msgspec.structs.replace(config, camera=())
    return Plan(seen, workers, at.output, at.inside, at.keys, recording, at.streams_inside)


def run_camera(job: CameraJob, stop: Event, start_ns: "Synchronized[int]") -> None:
    """A camera worker; its libraries load in its own process.

    With pace ``all`` nothing waits for the clock, so it waits here until fusion and terminal listen. A camera whose
    source is a session shows what that one recorded.
    """
    from pose_rig.capture.process import main
    from pose_rig.capture.source_factory import open_source

    recorded = Path(job.camera.source).suffix == SESSION_SUFFIX
    while job.pace == "all" and not start_ns.value:
        if stop.wait(0.02):
            return
    main(job, stop, start_ns, _open_recorded if recorded else open_source)


def _open_recorded(camera: CameraConfig, pace: Pace, start: Callable[[], int]) -> "Source":
    """Returns the recorded pictures of a camera as a source."""
    from pose_rig.capture.recording import PacedSource
    from pose_rig.session.draw.images import video_topic
    from pose_rig.session.reader import Session
    from pose_rig.session.video import SessionVideo

    session = Session(camera.source)
    total = session.topics.get(video_topic(camera.name))
    return PacedSource(SessionVideo(camera.name, lambda: session.video_frames(camera.name), total), pace, start)


def run_fusion(job: FusionJob, stop: Event, start_ns: "Synchronized[int]") -> None:
    """The fusion worker: the one place where lifting, fusion and the poses file are joined."""
    from pose_rig.fusion.process import main
    from pose_rig.session.formats.poses_file import open_poses

    main(job, stop, _engine(job), open_poses)


def _engine(job: FusionJob) -> "OrtEngine":
    """Returns what runs the graph, warmed up."""
    from pose_rig.lifting.engine import DEFAULT_WEIGHTS, OrtEngine, warm_up

    settings = job.config.fusion
    weights = Path(settings.weights) if settings.weights else DEFAULT_WEIGHTS
    engine = OrtEngine(weights, settings.provider, cache_folder() / "engines")
    warm_up(engine, len(job.config.camera))
    return engine


def run_replay(job: ReplayJob, stop: Event, start_ns: "Synchronized[int]") -> None:
    """The fusion worker of a replay, which reads the session itself."""
    from pose_rig.session.replay import main

    main(job, stop, _engine(job.fusion), lambda: start_ns.value > 0)


def run_streams(job: StreamJob, stop: Event, start_ns: "Synchronized[int]") -> None:
    """What feeds engines; it goes by what it hears."""
    del start_ns
    from pose_rig.streaming.process import main

    main(job, stop)


def run_recorder(job: RecordJob, stop: Event, start_ns: "Synchronized[int]") -> None:
    """The recorder; it goes by what it hears, not by when the run began."""
    del start_ns
    from pose_rig.session.recorder import main

    main(job, stop)


def _recording(at: Endpoints, origin: Origin, unix_from_rig_ns: int | None) -> Recording | None:
    if not at.recorded:
        return None
    listens, tells = at.recorded
    return Recording(listens, tells, origin, unix_from_rig_ns, at.keys)
