"""Fake workers that follow our protocol without cameras or networks; module-level, so that spawn finds them."""

import os
import signal
import time
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np

from pose_rig.config import CameraConfig, DetectorConfig
from pose_rig.errors import EngineError, SourceError, UsageError
from pose_rig.wire.bus import Delivery, Receiver, Sender, bind_publisher
from pose_rig.wire.jobs import CameraJob, FusionJob
from pose_rig.wire.messages import CameraState, Health, Pose3D, RigState, State


def camera_job(source: str = "0", name: str = "cam0") -> CameraJob:
    return CameraJob(CameraConfig(source=source, name=name), DetectorConfig(), "realtime", "tcp://127.0.0.1:9")


def idle(job: CameraJob, stop: Event, start_ns: "Synchronized[int]") -> None:
    stop.wait()


def finish(job: CameraJob, stop: Event, start_ns: "Synchronized[int]") -> None:
    return


def unplugged(job: CameraJob, stop: Event, start_ns: "Synchronized[int]") -> None:
    raise SourceError(f"Camera {job.camera.source} cannot be opened.", "Plug it in.")


def usage_failure(job: CameraJob, stop: Event, start_ns: "Synchronized[int]") -> None:
    raise UsageError("That cannot be.", "Ask for something else.")


def final_failure(job: CameraJob, stop: Event, start_ns: "Synchronized[int]") -> None:
    raise EngineError("weights.onnx is not a pose-rig graph.", "Export one.")


def fails_with_password(job: CameraJob, stop: Event, start_ns: "Synchronized[int]") -> None:
    raise ValueError("rtsp://joe:hunter2@cam.lan/live did not answer")


def internal_failure(job: CameraJob, stop: Event, start_ns: "Synchronized[int]") -> None:
    raise ZeroDivisionError("no views")


def fails_during_stop(job: CameraJob | FusionJob, stop: Event, start_ns: "Synchronized[int]") -> None:
    stop.wait()
    raise ZeroDivisionError("no rows")


def ignoring_sigterm(job: CameraJob, stop: Event, start_ns: "Synchronized[int]") -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path(job.camera.source).write_text("up")
    time.sleep(60)


def write_start(job: CameraJob, stop: Event, start_ns: "Synchronized[int]") -> None:
    """Writes its restart count and the start time to the path that is its source."""
    while not start_ns.value:
        time.sleep(0.005)
    Path(job.camera.source).write_text(f"{job.restarts} {start_ns.value}")
    if job.restarts == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    stop.wait()


def wait_for_start(sender: Sender, job: CameraJob, stop: Event, start_ns: "Synchronized[int]") -> None:
    while not start_ns.value and not stop.wait(0.05):
        sender.send(Health(worker=job.camera.name, t_ns=time.monotonic_ns(), state="ready"))


def camera(job: CameraJob, stop: Event, start_ns: "Synchronized[int]") -> None:
    """A camera of ``camera.member`` frames (0: endless) at 50 fps; its source may be ``mute`` or ``broken``."""
    if job.camera.source == "broken":
        raise SourceError("broken.mp4 cannot be read as a video.", "Check that it plays.")
    total = job.camera.member or None
    count = 0
    with Sender(job.endpoint, "lossless" if job.pace == "all" else "best-effort", keys=job.keys) as sender:
        if job.camera.source in ("slow.mp4", "slow webcam"):  # to get ready
            stop.wait(3.0)
        wait_for_start(sender, job, stop, start_ns)
        while not stop.is_set() and count != total:
            count += 1
            if job.camera.source == "mute" and count > 10:
                stop.wait()
            sender.send(health(job, "running", count, total))
            stop.wait(0.02)
        sender.send(health(job, "ended", count, total))
        sender.close(linger_ms=500)


def health(job: CameraJob, state: State, frames: int, total: int | None) -> Health:
    return Health(
        worker=job.camera.name,
        t_ns=time.monotonic_ns(),
        state=state,
        rate_hz=50.0,
        age_ms=7.0,
        dropped=2,
        restarts=job.restarts,
        error="45 of 100 frames could be read." if job.camera.source == "spotty.mp4" and frames > 20 else "",
        frames=frames,
        total_frames=total,
    )


def fusion(job: FusionJob, stop: Event, start_ns: "Synchronized[int]") -> None:
    """Passes on the cameras' health, publishes a pose every 20 ms, ends when all cameras have, writes ``save``.

    The last health of each camera is published once more at the end, as the fusion process does.
    """
    delivery: Delivery = "lossless" if job.config.pace == "all" else "best-effort"
    receivers = [Receiver(endpoint, delivery, bind=True, keys=job.keys) for endpoint in job.inputs]
    cameras: dict[str, Health] = {}
    index = 0
    with bind_publisher(job.output, job.internal, job.keys) as sender:
        while not stop.is_set() and [h.state for h in cameras.values()] != ["ended"] * len(job.config.camera):
            for receiver in receivers:
                for message in receiver.receive(20 // len(receivers)):
                    if isinstance(message, Health):
                        cameras[message.worker] = message
                        sender.send(message)
            if start_ns.value:
                publish(sender, job, index, start_ns.value)
                index += 1
            sender.send(fusion_health("running", index))
        if job.config.save:
            Path(job.config.save).write_bytes(b"poses")
        for last in cameras.values():
            sender.send(last)
        sender.send(fusion_health("ended", index))
        sender.close(linger_ms=500)


def solved_and_lost(job: FusionJob, stop: Event, start_ns: "Synchronized[int]") -> None:
    """Solves the rig, then fails for good."""
    cameras = tuple(
        CameraState(name=camera.name, focal_px=900.0, size_px=(640, 480), rotation=(1, 0, 0, 0, 1, 0, 0, 0, 1),
                    translation_m=(0, 0, 3))
        for camera in job.config.camera
    )  # fmt: skip
    with bind_publisher(job.output, job.internal, job.keys) as sender:
        while not start_ns.value and not stop.wait(0.02):
            sender.send(RigState(t_ns=0, mode="solved", cameras=cameras))
            sender.send(fusion_health("ready", 0))
    raise EngineError("The graphics card is gone.", "Restart the machine.")


def publish(sender: Sender, job: FusionJob, index: int, start_ns: int) -> None:
    pose = Pose3D(
        index=index,
        t_ns=time.monotonic_ns(),
        age_ns=30_000_000,
        person=0,
        joints="rig17",
        xyz=np.zeros((17, 3), np.float32),
        score=np.ones(17, np.float32),
        residual_px=np.ones(17, np.float32),
        mode="cold" if index < 10 else "settled",
        tracking=1,
        height_m=1.7,
        height_assumed=True,
    )
    sender.send(pose)
    cameras = tuple(
        CameraState(name=camera.name, focal_px=900.0, health=0.9, note="bumped" if i else "")
        for i, camera in enumerate(job.config.camera)
    )
    sender.send(RigState(t_ns=time.monotonic_ns(), mode=pose.mode, cameras=cameras))


def fusion_health(state: State, frames: int) -> Health:
    return Health(
        worker="fusion",
        t_ns=time.monotonic_ns(),
        state=state,
        rate_hz=50.0,
        age_ms=30.0,
        detail="CPU (no CUDA in this onnxruntime)",
        stages_ms={"graph": 1.2, "smooth": 0.1},
        frames=frames,
    )


def ignoring_stop(job: CameraJob, stop: Event, start_ns: "Synchronized[int]") -> None:
    time.sleep(60)
