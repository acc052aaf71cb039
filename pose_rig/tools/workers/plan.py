"""The workers of a rig: one process per camera, fusion, and where wanted streams and recorder."""

from dataclasses import dataclass, replace

import msgspec

from pose_rig.config import CameraConfig, Config, Origin
from pose_rig.tools.arguments.camera_list import without_passwords
from pose_rig.tools.arguments.camera_sources import ends_by_itself, needs_detector
from pose_rig.tools.workers.endpoints import Endpoints, PortReservation, free_endpoints
from pose_rig.tools.workers.mains import run_camera, run_fusion, run_recorder, run_replay, run_streams
from pose_rig.tools.workers.supervisor import STOP_TIMEOUT_S, Worker
from pose_rig.wire.authentication import Keys
from pose_rig.wire.jobs import CameraJob, FusionJob, RecordJob, ReplayJob, StreamJob
from pose_rig.wire.services import FUSION, RECORDER, STREAMS

SAVE_TIMEOUT_S = 20.0  # to write an hour of poses to a slow disk; a second Ctrl-C ends it
RECORDER_TIMEOUT_S = 10.0  # it ends half a second after fusion; a slow disk takes longer


@dataclass(frozen=True, slots=True)
class Plan:
    """A rig that is ready to start.

    Attributes:
        config: Its configuration.
        workers: Cameras, fusion, then streams and recorder if wanted.
        output: Fusion publishes here for any program.
        internal: Fusion publishes here for the workers of this run.
        keys: Of this run.
        reservation: Keeps the ports of its endpoints from other runs.
        recording: The job of the recorder; None if nothing is recorded.
        streams: The streams worker publishes here for the workers of this run; empty if nothing is streamed.
    """

    config: Config
    workers: tuple[Worker, ...]
    output: str
    internal: str
    keys: Keys
    reservation: PortReservation
    recording: RecordJob | None = None
    streams: str = ""


def plan(config: Config, model: str, unix_from_rig_ns: int | None = None, cores: int | None = None) -> Plan:
    """Returns the workers of a rig.

    Args:
        config: The rig, its cameras named.
        model: Path of the detector model; empty if no camera needs one.
        unix_from_rig_ns: As in `RecordJob`.
        cores: As in `FusionJob`.

    Raises:
        UsageError: The port is taken.
    """
    at = free_endpoints(config, len(config.camera) if config.pace == "all" else 1)
    recording = _record_job(config, at, "live" if config.pace == "realtime" else "files", unix_from_rig_ns)

    def camera_worker(index: int, camera: CameraConfig) -> Worker:
        detects = needs_detector(camera)
        job = CameraJob(
            camera=camera,
            detector=msgspec.structs.replace(config.detector, model=model if detects else ""),
            pace=config.pace,
            endpoint=at.inputs[index % len(at.inputs)],
            video=recording.input if recording and config.video and detects else "",
            keys=at.keys,
        )
        return Worker(camera.name, run_camera, job, fail_on_error=ends_by_itself(camera))

    cameras = (camera_worker(index, camera) for index, camera in enumerate(config.camera))
    fusion_job = _fusion_job(config, at, recording, cores)
    fusion = Worker(FUSION, run_fusion, fusion_job, required=True, stop_timeout_s=_fusion_timeout_s(config))
    workers = (*cameras, fusion, *_outputs(config, at, recording))
    return Plan(config, workers, at.output, at.internal, at.keys, at.reservation, recording, at.streams_internal)


def replay_plan(config: Config, job: ReplayJob, unix_from_rig_ns: int, cores: int | None = None) -> Plan:
    """Returns the workers of a replay: fusion, which reads the session itself, and where wanted streams and recorder.

    Args:
        config: The rig of the session, with the options of the replay.
        job: What to replay; its ``fusion`` is filled in here.
        unix_from_rig_ns: Of the session, as in `RecordJob`.
        cores: As in `FusionJob`.

    Raises:
        UsageError: The port is taken.
    """
    at = free_endpoints(config, 0)
    recording = _record_job(config, at, "live" if job.exact else "files", unix_from_rig_ns)
    job = replace(job, fusion=_fusion_job(config, at, recording, cores))
    timeout_s = _fusion_timeout_s(config)
    fusion = Worker(FUSION, run_replay, job, fail_on_error=True, required=True, stop_timeout_s=timeout_s)
    shown = msgspec.structs.replace(config, camera=())  # there are no camera workers
    workers = (fusion, *_outputs(config, at, recording))
    return Plan(shown, workers, at.output, at.internal, at.keys, at.reservation, recording, at.streams_internal)


def _fusion_job(config: Config, at: Endpoints, recording: RecordJob | None, cores: int | None) -> FusionJob:
    record = recording.input if recording else ""
    return FusionJob(config, at.inputs, at.output, record, at.internal, keys=at.keys, cores=cores)


def _fusion_timeout_s(config: Config) -> float:
    return SAVE_TIMEOUT_S if config.save else STOP_TIMEOUT_S


def _outputs(config: Config, at: Endpoints, recording: RecordJob | None) -> list[Worker]:
    """Returns the streams worker and the recorder, if wanted."""
    workers = []
    if at.streams:
        stream_job = StreamJob(config.stream, at.internal, at.streams, at.streams_internal, at.keys)
        workers.append(Worker(STREAMS, run_streams, stream_job))
    if recording:
        timeout_s = RECORDER_TIMEOUT_S + (SAVE_TIMEOUT_S if config.save else 0.0)
        workers.append(Worker(RECORDER, run_recorder, recording, stop_timeout_s=timeout_s))
    return workers


def _record_job(config: Config, at: Endpoints, origin: Origin, unix_from_rig_ns: int | None) -> RecordJob | None:
    if at.recorder is None:
        return None
    return RecordJob(without_passwords(config), config.record, *at.recorder, origin, unix_from_rig_ns, keys=at.keys)
