"""Other programs cannot interfere with the ports of a run."""

import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import msgspec
import numpy as np
import pytest

from pose_rig.config import CameraConfig, Config, StreamConfig
from pose_rig.errors import UsageError
from pose_rig.tools.terminal.status import RunStatus
from pose_rig.tools.terminal.summary import summary
from pose_rig.tools.workers.plan import Plan, plan
from pose_rig.wire.bus import Sender
from pose_rig.wire.jobs import FusionJob, RecordJob, StreamJob
from pose_rig.wire.messages import Health, Keypoints2D, Pose3D, RigState
from tests.tools.terminal.test_run_loop import FakeDisplay, fake_plan, run
from tests.untrusted_clients import attacker, port_of

FORGED_S = 3.0


def listening(ready: Plan) -> list[str]:
    """Returns every endpoint between the workers of a rig."""
    places = [ready.internal]
    for worker in ready.workers:
        job = worker.job
        if isinstance(job, FusionJob):
            places += job.inputs
        elif isinstance(job, RecordJob):
            places += [job.input, job.output]
        elif isinstance(job, StreamJob):
            places += [job.internal]
    return places


def test_every_channel_between_the_workers_requires_the_keys_of_this_run(tmp_path: Path) -> None:
    cameras = tuple(CameraConfig(source="sim", name=f"cam{i}", member=i, members=2) for i in range(2))
    stream = StreamConfig(vmc=("127.0.0.1",))
    config = Config(camera=cameras, port=0, record=str(tmp_path / "s.mcap"), stream=stream, pace="all")
    ready, another = plan(config, ""), plan(config, "")
    assert ready.keys != another.keys
    assert {worker.job.keys for worker in ready.workers} == {ready.keys}  # type: ignore[union-attr]
    assert len(ready.workers) == 5
    assert ready.recording is not None
    assert ready.recording.keys == ready.keys
    assert len({ready.output, *listening(ready)}) == 7
    for secret in (ready.keys.public, ready.keys.secret):
        assert secret.decode() not in repr(ready)


def forged() -> tuple[Health | Keypoints2D | Pose3D | RigState, ...]:
    now_ns = time.monotonic_ns()
    points = np.zeros((1, 17, 2), np.float32)
    return (
        *(Health(worker=name, t_ns=now_ns, state="ended", error="forged") for name in ("cam0", "cam1", "fusion")),
        Keypoints2D(
            camera="cam0", index=1, t_ns=now_ns, size_px=(640, 480), landmarks="rig17", xy=points, score=points[..., 0],
        ),
        RigState(t_ns=now_ns, mode="solved", cameras=()),
    )  # fmt: skip


@pytest.fixture
def attacked() -> tuple[RunStatus, list[str]]:
    """A rig of fake cameras that runs while a foreign program sends messages that would end it to all of its ports."""
    ready = fake_plan(0, 0, duration_s=FORGED_S)
    over = threading.Event()

    def attack() -> None:
        with attacker([*listening(ready), ready.output], ready.keys.public) as stranger:
            while not over.wait(0.05):
                stranger.send(*forged())
                stranger.post(*forged())

    attacking = threading.Thread(target=attack)
    display = FakeDisplay(lambda status: status.telemetry.poses > 5, lambda _: attacking.start())
    try:
        status = run(ready, display)
    finally:
        over.set()
        attacking.join(10)
    return status, display.printed


def test_messages_of_a_foreign_program_change_nothing(attacked: tuple[RunStatus, list[str]]) -> None:
    status, said = attacked
    assert status.elapsed_s() >= FORGED_S, "it ended when its time was up, not when somebody else said so"
    assert status.telemetry.solved is None
    assert not any("forged" in line for line in [*said, *summary(status, None)])
    assert {name for name, heard in status.telemetry.workers.items()} == {"cam0", "cam1", "fusion"}
    assert all(not heard.health.error for heard in status.telemetry.workers.values())


def test_the_summary_counts_refused_connections() -> None:
    display = FakeDisplay()
    status = run(fake_plan(20), display)
    assert not any("Refused" in line for line in summary(status, None))
    health = Health(worker="fusion", t_ns=1, state="ended", refused=3, dropped=2, error="A message was bad.")
    status.telemetry.update(health)
    text = summary(status, None)
    assert "Refused 3 connections of programs that are not part of this rig." in text
    assert "fusion: 2 messages or time steps dropped. A message was bad." in text


def test_a_program_that_takes_a_port_first_ends_the_run(tmp_path: Path) -> None:
    """It binds the port after the check; the workers do not connect to it."""
    ready = fake_plan(0)
    with closing(Sender(ready.output, bind=True)) as rival:
        telling = threading.Event()

        def tell() -> None:
            while not telling.wait(0.02):
                rival.send(Health(worker="fusion", t_ns=time.monotonic_ns(), state="running", error="forged"))

        thread = threading.Thread(target=tell)
        thread.start()
        display = FakeDisplay()
        try:
            with pytest.raises(UsageError, match=f"^fusion: Cannot listen on {ready.output}: Address"):
                run(ready, display)
        finally:
            telling.set()
            thread.join()
    assert not any("forged" in line for line in display.printed)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_keys_are_in_no_command_line_and_no_environment() -> None:
    ready = fake_plan(0, duration_s=1.0)
    seen: list[bytes] = []

    def look(status: RunStatus) -> None:
        for worker in status.states.values():
            assert worker.running is not None
            folder = Path(f"/proc/{worker.running.process.pid}")
            seen.extend((folder / name).read_bytes() for name in ("cmdline", "environ"))

    run(ready, FakeDisplay(lambda status: status.telemetry.poses > 1, look))
    assert len(seen) == 4
    for secret in (ready.keys.public, ready.keys.secret):
        assert not any(secret in text for text in seen)


def test_ports_of_a_plan_are_all_different() -> None:
    ready = plan(msgspec.structs.replace(Config(camera=(CameraConfig(source="sim", name="a"),)), port=0), "")
    ports = [port_of(place) for place in (ready.output, *listening(ready))]
    assert len(set(ports)) == len(ports)
