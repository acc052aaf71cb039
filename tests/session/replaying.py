"""Replays in this process."""

import threading
from pathlib import Path
from typing import Any

import msgspec

from pose_rig.fusion.stretches.recorded_steps import RecordedSteps
from pose_rig.graph import Engine
from pose_rig.session.reader import Session
from pose_rig.session.replay import main
from pose_rig.wire.bus import Receiver
from pose_rig.wire.jobs import FusionJob, ReplayJob
from tests.ports import free_endpoint


def job_of(path: Path, save: Path | None, *, exact: bool = True, realtime: bool = False, **more: Any) -> ReplayJob:
    """Returns a replay of a session; ``more`` is what of the job or of the configuration is to be another."""
    with Session(path) as session:
        config = session.info.config
    part = {key: more.pop(key) for key in ("from_s", "to_s", "follows") if key in more}
    config = msgspec.structs.replace(config, pace="all", record="", save=str(save or ""), rig="", **more)
    return ReplayJob(FusionJob(config, (), free_endpoint()), str(path), exact, realtime, **part)


def replay(engine: Engine, path: Path, save: Path | None, **more: Any) -> str:
    """Replays a session, and returns what the fusion says of it in the end."""
    job = job_of(path, save, **more)
    details: list[str] = []
    with Receiver(job.fusion.output, topics=("health/fusion",)) as listener:

        def listen() -> None:
            while not details or states[-1] != "ended":
                for message in listener.receive(10_000):
                    details.append(message.detail)  # type: ignore[attr-defined]
                    states.append(message.state)  # type: ignore[attr-defined]

        states: list[str] = []
        listening = threading.Thread(target=listen)
        listening.start()
        recorded = RecordedSteps(engine) if job.follows else None
        main(job, threading.Event(), engine, lambda: bool(details), recorded)
        listening.join(15)
    return details[-1]
