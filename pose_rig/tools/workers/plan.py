"""The workers of a rig: one process per camera, fusion, and where wanted streams, recorder and pages."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec

from pose_rig.assets.private_file import config_folder
from pose_rig.config import PHONE, CameraConfig, Config, Origin
from pose_rig.remote.key import curve_keys, machine_key
from pose_rig.tools.arguments.camera_list import without_passwords
from pose_rig.tools.arguments.camera_sources import ends_by_itself, is_remote, needs_detector, source_kind
from pose_rig.tools.workers.endpoints import Endpoints, PortReservation, free_endpoints
from pose_rig.tools.workers.mains import (
    run_camera,
    run_fusion,
    run_gateway,
    run_images,
    run_recorder,
    run_replay,
    run_streams,
    run_web,
)
from pose_rig.tools.workers.supervisor import STOP_TIMEOUT_S, Worker
from pose_rig.wire.authentication import Keys
from pose_rig.wire.jobs import CameraJob, FusionJob, GatewayJob, ImagesJob, RecordJob, ReplayJob, StreamJob, WebJob
from pose_rig.wire.services import FUSION, GATEWAY, IMAGES, RECORDER, STREAMS, WEB
from pose_rig.wire.tokens import Tokens

SAVE_TIMEOUT_S = 20.0  # to write an hour of poses to a slow disk; a second Ctrl-C ends it
NO_IMAGES = {"sim": "simulated: 2D poses only", "keypoints": "2D poses only"}  # by kind of source
RECORDER_TIMEOUT_S = 10.0  # it ends half a second after fusion; a slow disk takes longer


@dataclass(frozen=True, slots=True)
class Plan:
    """A rig that is ready to start.

    Attributes:
        config: Its configuration.
        workers: Cameras, fusion, then streams, recorder and web worker if wanted.
        output: Fusion publishes here for any program.
        internal: Fusion publishes here for the workers of this run.
        keys: Of this run.
        reservation: Keeps the ports of its endpoints from other runs.
        recording: The job of the recorder; its path is empty until the user begins a recording. None if nothing can be
            recorded.
        streams: The streams worker publishes here for the workers of this run; empty if nothing is streamed.
        web: The job of the web worker; None if there are no pages.
        commands: Fusion receives the commands of the user here; empty if it accepts none.
        gateway: The job of the worker that receives from remote cameras; None if the rig has none.
    """

    config: Config
    workers: tuple[Worker, ...]
    output: str
    internal: str
    keys: Keys
    reservation: PortReservation
    recording: RecordJob | None = None
    streams: str = ""
    web: WebJob | None = None
    commands: str = ""
    gateway: GatewayJob | None = None


def plan(config: Config, model: str, unix_from_rig_ns: int | None = None, cores: int | None = None) -> Plan:
    """Returns the workers of a rig.

    Args:
        config: The rig, its cameras named.
        model: Path of the detector model; empty if no camera needs one.
        unix_from_rig_ns: As in `RecordJob`.
        cores: As in `FusionJob`.

    Raises:
        UsageError: The port is taken.
        PoseRigError: There are remote cameras, and the key of this machine cannot be read or made.
    """
    at = free_endpoints(config, len(config.camera) if config.pace == "all" else 1)
    recording = _record_job(config, at, "live" if config.pace == "realtime" else "files", unix_from_rig_ns)

    def camera_worker(index: int, camera: CameraConfig) -> Worker:
        detects = needs_detector(camera)
        job = CameraJob(
            camera=camera,
            detector=msgspec.structs.replace(
                config.detector, model=model if detects else "", people=config.detected_people
            ),
            pace=config.pace,
            endpoint=at.inputs[index % len(at.inputs)],
            video=recording.input if recording and config.video and detects else "",
            thumbnails=at.web.thumbnails if at.web else "",
            phones=at.web.phones if at.web and camera.source == PHONE else "",
            keys=at.keys,
            appearance=config.people > 1,
        )
        return Worker(camera.name, run_camera, job, fail_on_error=ends_by_itself(camera))

    cameras = [camera_worker(index, camera) for index, camera in enumerate(config.camera) if not is_remote(camera)]
    gateway = _gateway_job(config, at, recording)
    if gateway:
        cameras.append(Worker(GATEWAY, run_gateway, gateway))
    fusion_job = _fusion_job(config, at, recording, cores)
    fusion = Worker(FUSION, run_fusion, fusion_job, required=True, stop_timeout_s=_fusion_timeout_s(config))
    recorded = all(ends_by_itself(camera) for camera in config.camera)
    pages = _web_job(config, at, live=config.pace == "realtime", recorded=recorded, no_images=_without_images(config))
    workers = (*cameras, fusion, *_outputs(config, at, recording, pages))
    commands = at.inputs[0] if config.pace == "realtime" else ""
    return Plan(
        config,
        workers,
        at.output,
        at.internal,
        at.keys,
        at.reservation,
        recording,
        at.streams_internal,
        pages,
        commands,
        gateway,
    )


def _gateway_job(config: Config, at: Endpoints, recording: RecordJob | None) -> GatewayJob | None:
    if at.gateway is None:
        return None
    names = tuple(camera.name for camera in config.camera if is_remote(camera))
    video = recording.input if recording and config.video else ""
    thumbnails = at.web.thumbnails if at.web else ""
    keys = curve_keys(machine_key())
    return GatewayJob(
        names, at.gateway[0], keys, at.inputs[0], at.gateway[1], video, thumbnails, at.keys,
        appearance=config.people > 1,
    )  # fmt: skip


def replay_plan(
    config: Config,
    job: ReplayJob,
    unix_from_rig_ns: int,
    cores: int | None = None,
    no_images: Mapping[str, str] | None = None,
) -> Plan:
    """Returns the workers of a replay: fusion, which reads the session itself, and where wanted all that it has.

    Args:
        config: The rig of the session, with the options of the replay.
        job: What to replay; its ``fusion`` is filled in here.
        unix_from_rig_ns: Of the session, as in `RecordJob`.
        cores: As in `FusionJob`.
        no_images: As in `WebJob`.

    Raises:
        UsageError: The port is taken.
    """
    shown = msgspec.structs.replace(config, camera=())  # there are no camera workers
    at = free_endpoints(shown, 0)
    recording = _record_job(config, at, "live" if job.exact else "files", unix_from_rig_ns)
    job = replace(job, fusion=_fusion_job(config, at, recording, cores))
    timeout_s = _fusion_timeout_s(config)
    fusion = Worker(FUSION, run_replay, job, fail_on_error=True, required=True, stop_timeout_s=timeout_s)
    pages = _web_job(config, at, live=False, recorded=True, no_images=no_images or {})
    images = [Worker(IMAGES, run_images, _images_job(job, pages))] if pages else []
    workers = (fusion, *_outputs(config, at, recording, pages), *images)
    return Plan(shown, workers, at.output, at.internal, at.keys, at.reservation, recording, at.streams_internal, pages)


def _fusion_job(config: Config, at: Endpoints, recording: RecordJob | None, cores: int | None) -> FusionJob:
    record = recording.input if recording else ""
    records = recording is not None and recording.path != ""
    return FusionJob(config, at.inputs, at.output, record, at.internal, keys=at.keys, cores=cores, records=records)


def _fusion_timeout_s(config: Config) -> float:
    return SAVE_TIMEOUT_S if config.save else STOP_TIMEOUT_S


def _outputs(config: Config, at: Endpoints, recording: RecordJob | None, pages: WebJob | None) -> list[Worker]:
    """Returns the streams worker, the recorder and the web worker, if wanted."""
    workers = []
    if at.streams:
        from pose_rig.streaming.outputs import websocket_token  # brings WebSockets

        token = websocket_token(config.stream)
        stream_job = StreamJob(
            config.stream, at.internal, at.streams, at.streams_internal, token, at.keys, people=config.people
        )
        workers.append(Worker(STREAMS, run_streams, stream_job))
    if recording and recording.path:
        workers.append(recorder_worker(config, recording))
    if pages:
        workers.append(Worker(WEB, run_web, pages))
    return workers


def recorder_worker(config: Config, job: RecordJob) -> Worker:
    """Returns the worker that records a run."""
    timeout_s = RECORDER_TIMEOUT_S + (SAVE_TIMEOUT_S if config.save else 0.0)
    return Worker(RECORDER, run_recorder, job, stop_timeout_s=timeout_s)


def _images_job(job: ReplayJob, pages: WebJob) -> ImagesJob:
    names = tuple(camera.name for camera in job.fusion.config.camera)
    return ImagesJob(
        job.path, names, job.fusion.internal, pages.thumbnails, without=tuple(pages.no_images), keys=pages.keys
    )


def _without_images(config: Config) -> dict[str, str]:
    """Returns why the cameras that have 2D poses only have no images, by name."""
    kinds = {camera.name: source_kind(camera.source) for camera in config.camera}
    return {name: NO_IMAGES[kind] for name, kind in kinds.items() if kind in NO_IMAGES}


def _web_job(
    config: Config, at: Endpoints, *, live: bool, recorded: bool, no_images: Mapping[str, str]
) -> WebJob | None:
    if at.web is None:
        return None
    from pose_rig.web.network import reachable_names

    inputs = tuple(one for one in (at.internal, at.streams_internal, at.recorder[1] if at.recorder else "") if one)
    return WebJob(
        config=without_passwords(config), live=live, hosts=at.web.hosts, names=reachable_names(at.web.hosts),
        port=at.web.port, tokens=Tokens.random(), folder=str(config_folder()), inputs=inputs, output=at.web.output,
        thumbnails=at.web.thumbnails, phones=at.web.phones, keys=at.keys, recorded=recorded, no_images=no_images,
    )  # fmt: skip


def _record_job(config: Config, at: Endpoints, origin: Origin, unix_from_rig_ns: int | None) -> RecordJob | None:
    if at.recorder is None:
        return None
    return RecordJob(without_passwords(config), config.record, *at.recorder, origin, unix_from_rig_ns, keys=at.keys)
