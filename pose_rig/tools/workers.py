"""The table of a rig's workers: one process per camera and the fusion process, joined by endpoints on this machine."""

from dataclasses import dataclass
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path

import msgspec

from pose_rig.assets import cache_folder
from pose_rig.bus import Sender
from pose_rig.config import CameraJob, Config, FusionJob
from pose_rig.tools.camera_list import RESERVED, ends_by_itself, needs_detector
from pose_rig.tools.supervisor import GRACE_S, Worker

SAVING_GRACE_S = 20.0  # writing an hour of poses to a slow disk; asking twice does not wait for it
HOST = "tcp://127.0.0.1"


@dataclass(frozen=True, slots=True)
class Plan:
    """A rig ready to start.

    Attributes:
        config: What it is made of.
        workers: The cameras, then fusion.
        output: Where fusion publishes.
    """

    config: Config
    workers: tuple[Worker, ...]
    output: str


def plan(config: Config, model: str) -> Plan:
    """Returns the workers of a rig.

    Args:
        config: The rig, its cameras named.
        model: Path of the detector model; empty if no camera needs one.

    Raises:
        UsageError: The port is taken.
    """
    with Sender(f"{HOST}:{config.port}", bind=True) as probe:
        output = probe.endpoint
        inputs = _free_endpoints(len(config.camera) if config.pace == "all" else 1)
    detector = msgspec.structs.replace(config.detector, model=model)
    cameras = [
        Worker(
            camera.name,
            run_camera,
            CameraJob(
                camera=camera,
                detector=detector if needs_detector(camera) else msgspec.structs.replace(detector, model=""),
                pace=config.pace,
                endpoint=inputs[i % len(inputs)],
            ),
            final_errors=ends_by_itself(camera),
        )
        for i, camera in enumerate(config.camera)
    ]
    fusion = Worker(
        RESERVED,
        run_fusion,
        FusionJob(config, inputs, output),
        vital=True,
        grace_s=SAVING_GRACE_S if config.save else GRACE_S,
    )
    return Plan(config, (*cameras, fusion), output)


def run_camera(job: CameraJob, stop: Event, start_ns: "Synchronized[int]") -> None:
    """A camera worker; its libraries load in its own process.

    With pace ``all`` nothing waits for the clock, so it waits here until fusion and terminal listen.
    """
    from pose_rig.capture.process import main

    while job.pace == "all" and not start_ns.value:
        if stop.wait(0.02):
            return
    main(job, stop, start_ns)


def run_fusion(job: FusionJob, stop: Event, start_ns: "Synchronized[int]") -> None:
    """The fusion worker: the one place where lifting and fusion are joined."""
    from pose_rig.fusion.process import main
    from pose_rig.lifting.engine import SHIPPED, OrtEngine, warm_up

    settings = job.config.fusion
    weights = Path(settings.weights) if settings.weights else SHIPPED
    engine = OrtEngine(weights, settings.provider, cache_folder() / "engines")
    warm_up(engine, len(job.config.camera))
    main(job, stop, engine)


def _free_endpoints(count: int) -> tuple[str, ...]:
    probes = [Sender(f"{HOST}:0", bind=True) for _ in range(count)]
    endpoints = tuple(probe.endpoint for probe in probes)
    for probe in probes:
        probe.close()
    return endpoints
