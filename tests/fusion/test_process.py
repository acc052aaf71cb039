"""The fusion process over real ZeroMQ, in a thread."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from pose_rig.config import Config, Pace
from pose_rig.errors import PoseRigError, UsageError
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.output import FusionOutput
from pose_rig.fusion.process import background_compute, main
from pose_rig.fusion.publisher import Publisher
from pose_rig.fusion.recorded_clock import by_time_step
from pose_rig.graph import Engine
from pose_rig.session.formats.poses_writer import open_poses
from pose_rig.session.replay import repeat
from pose_rig.wire.bus import Receiver, Sender
from pose_rig.wire.jobs import FusionJob
from pose_rig.wire.messages import Health, Keypoints2D, Message, Pose3D, Refined2D, RigState
from pose_rig.wire.records import Learned
from tests.fusion.fakes import config, film, relative_error_deg, ring, solved_configs, walk
from tests.fusion.running import VIEWS, Live, Running, health, is_finite, keypoints, play
from tests.ports import free_endpoint


def test_files_are_fused_frame_by_frame_and_the_process_ends(start: Callable[..., Running], tmp_path: Path) -> None:
    scene = film(walk(2.0), ring(VIEWS))
    saved = []
    for name in ("a.npz", "b.npz"):
        running = start("all", save=str(tmp_path / name))
        play(running, scene)
        assert not running.failure
        saved.append((tmp_path / name).read_bytes())
    with np.load(tmp_path / "a.npz") as got:
        assert got["t_ns"].tolist() == [scene.t_ns(i) for i in range(60)]
        assert np.isfinite(got["xyz"]).all()
        assert np.allclose(got["xy"], scene.xy_px.swapaxes(0, 1), atol=1e-2)
        assert list(dict.fromkeys(got["mode"]))[:2] in (["cold", "settled"], ["cold", "solved"])
        assert np.isfinite(got["K"]).all() == (got["mode"][-1] == "solved")
        assert got["cameras"].tolist() == ["cam0", "cam1"]
    assert saved[0] == saved[1], "two runs differ"
    assert [message.worker for message in running.received if isinstance(message, Health)][-1] == "fusion"
    assert running.health()[-1].frames == 60
    assert running.health()[-1].dropped == 0


def test_two_passes_are_solved_from_the_first_frame_on(start: Callable[..., Running], tmp_path: Path) -> None:
    scene = film(walk(2.5), ring(3))
    saved = []
    for name in ("a.npz", "b.npz"):
        running = start("all", views=3, passes=2, save=str(tmp_path / name))
        play(running, scene)
        assert not running.failure
        saved.append((tmp_path / name).read_bytes())
    assert saved[0] == saved[1], "two runs differ"
    with np.load(tmp_path / "a.npz") as got:
        assert got["t_ns"].tolist() == [scene.t_ns(i) for i in range(75)]
        assert set(got["mode"]) == {"solved"}
        assert np.allclose(got["rotation"], got["R"][None], atol=1e-6)  # one and the same rig throughout
        assert relative_error_deg(got["R"], scene.cameras.rotation).max() < 4
        seen = got["xyz_raw"][:, :17] @ got["R"].swapaxes(-1, -2)[:, None] + got["t"][:, None, None]
        pixels = seen @ got["K"].swapaxes(-1, -2)[:, None]
        off = np.linalg.norm(pixels[..., :2] / pixels[..., 2:] - scene.xy_px, axis=-1)
        assert np.median(off) < 10
        assert np.isfinite(got["covariance"]).all()
    poses = running.poses()
    assert [pose.index for pose in poses] == list(range(poses[0].index, 75))
    assert all(pose.covariance_m2.shape == (17, 3, 3) for pose in poses)
    assert running.health()[-1].frames == 75


def test_two_passes_of_files_that_cannot_be_solved(start: Callable[..., Running], tmp_path: Path) -> None:
    scene = film(walk(0.5), ring(VIEWS))
    running = start("all", passes=2, save=str(tmp_path / "poses.npz"))
    play(running, scene)
    with np.load(tmp_path / "poses.npz") as got:
        assert set(got["mode"]) == {"cold"}
        assert len(got["t_ns"]) == 15
        assert np.isnan(got["K"]).all()
        assert np.isnan(got["covariance"]).all()


def test_a_stop_during_the_first_of_two_passes_ends_at_once(start: Callable[..., Running], tmp_path: Path) -> None:
    scene = film(walk(1.0), ring(VIEWS))
    running = start("all", passes=2, save=str(tmp_path / "poses.npz"))
    running.until(lambda: bool(running.health()))
    for view in range(VIEWS):
        for index in range(20):
            running.senders[view].send(keypoints(scene, view, index))
    began = time.monotonic()
    running.stop.set()
    running.until(lambda: not running.thread.is_alive())
    assert time.monotonic() - began < 8
    assert not running.failure
    running.until(lambda: running.health()[-1].state == "ended")
    assert running.health()[-1].detail.endswith("its detections are not kept")
    with np.load(tmp_path / "poses.npz") as got:
        assert len(got["t_ns"]) == 0


def test_only_cameras_of_known_pose_publish_refined_2d_of_a_solved_pose(
    start: Callable[..., Running], tmp_path: Path
) -> None:
    scene = film(walk(2.0), ring(4))
    cameras = solved_configs(scene.cameras)
    carried = msgspec.structs.replace(cameras[3], moving=True)
    running = start("all", views=4, camera=(*cameras[:3], carried), save=str(tmp_path / "poses.npz"))
    play(running, scene)
    assert not running.failure
    solved = {pose.index for pose in running.poses() if pose.mode == "solved"}
    assert solved
    told_by = {
        message.camera for message in running.received if isinstance(message, Refined2D) and message.index in solved
    }
    assert told_by == {"cam0", "cam1", "cam2"}
    with np.load(tmp_path / "poses.npz") as got:
        assert np.isfinite(got["K"]).all((1, 2)).tolist() == [True, True, True, False]


def test_a_live_rig_solves_itself_in_a_process_of_its_own(start: Callable[..., Running]) -> None:
    running = start("realtime", views=3)
    live = Live(running, film(walk(10.0), ring(3)))  # forth and back: it can be repeated
    running.until(lambda: any(pose.mode == "solved" for pose in running.poses()), live)
    modes = [pose.mode for pose in running.poses()]
    assert list(dict.fromkeys(modes)) == ["cold", "settled", "solved"]
    assert {pose.covariance_m2.shape for pose in running.poses() if pose.mode != "solved"} == {(0,)}
    assert {pose.covariance_m2.shape for pose in running.poses() if pose.mode == "solved"} == {(17, 3, 3)}
    running.received.clear()
    running.until(lambda: any(isinstance(message, RigState) for message in running.received), live)
    state = [message for message in running.received if isinstance(message, RigState)][-1]
    assert (state.mode, state.note) == ("solved", "")
    assert all(camera.translation_m is not None and camera.rotation_sd_deg is not None for camera in state.cameras)

    live.on[:] = [False] * 3  # a solved rig without a person publishes, too
    running.received.clear()
    running.until(lambda: sum(not pose.tracking for pose in running.poses()) > 20, live)
    last = running.poses()[-1]
    assert (last.mode, last.tracking, last.covariance_m2.shape) == ("solved", 0, (0,))
    assert is_finite(last)
    live.on[:] = [True] * 3
    running.received.clear()
    running.until(lambda: sum(pose.tracking for pose in running.poses()) > 10, live)
    assert {pose.mode for pose in running.poses()} == {"solved"}


def test_a_file_that_fails_or_ends_early_does_not_hold_up_the_others(
    start: Callable[..., Running], tmp_path: Path
) -> None:
    scene = film(walk(1.0), ring(VIEWS))
    running = start("all", save=str(tmp_path / "poses.npz"))
    running.until(lambda: bool(running.health()))
    for index in range(10):
        running.senders[1].send(keypoints(scene, 1, index))
    running.senders[1].send(health(1, "failed"))
    for index in range(30):
        running.senders[0].send(keypoints(scene, 0, index))
    running.senders[0].send(health(0, "ended"))
    running.until(lambda: not running.thread.is_alive())
    with np.load(tmp_path / "poses.npz") as got:
        assert len(got["t_ns"]) == 30
        assert np.isfinite(got["xyz"]).all()
        assert np.isnan(got["xy"][-1, 1]).all()


def test_a_stop_finishes_the_poses_file(start: Callable[..., Running], tmp_path: Path) -> None:
    scene = film(walk(1.0), ring(VIEWS))
    running = start("all", save=str(tmp_path / "poses.npz"))
    for view in range(VIEWS):
        for index in range(30):
            running.senders[view].send(keypoints(scene, view, index))
    running.until(lambda: bool(running.health()) and running.health()[-1].frames > 3)
    began = time.monotonic()
    running.stop.set()
    running.until(lambda: not running.thread.is_alive())
    assert time.monotonic() - began < 8
    with np.load(tmp_path / "poses.npz") as got:
        assert len(got["t_ns"]) > 3


def test_live_poses_go_on_when_cameras_vanish(start: Callable[..., Running]) -> None:
    running = start("realtime")
    live = Live(running, film(walk(4.0), ring(VIEWS)))
    running.until(lambda: sum(pose.tracking for pose in running.poses()) > 30, live)
    assert all(is_finite(pose) for pose in running.poses())
    seen = running.poses()[-1]
    assert seen.height_assumed
    assert seen.height_m == 1.7
    assert seen.joints == "rig17"
    assert 0 <= seen.age_ns < 1_000_000_000
    assert any(isinstance(message, Refined2D) and message.camera == "cam1" for message in running.received)

    live.on[1] = False  # one camera is unplugged
    running.received.clear()
    running.until(lambda: len(running.poses()) > 30, live)
    assert all(pose.tracking == 1 and is_finite(pose) for pose in running.poses())

    live.on[0] = False  # and the other
    running.received.clear()
    running.until(lambda: sum(not pose.tracking for pose in running.poses()) > 20, live)
    last = running.poses()[-1]
    assert last.tracking == 0
    assert is_finite(last)
    assert (last.score == 0).all()

    live.on[:] = [True, True]  # and both are back
    running.received.clear()
    running.until(lambda: sum(pose.tracking for pose in running.poses()) > 20, live)
    gaps = np.diff([pose.t_ns for pose in running.poses()])
    assert (gaps > 0).all()
    assert any(isinstance(message, RigState) for message in running.received)
    assert running.thread.is_alive()


def test_live_all_cameras_failing_at_once_is_not_the_end(start: Callable[..., Running]) -> None:
    running = start("realtime")
    live = Live(running, film(walk(1.0), ring(VIEWS)))
    running.until(lambda: len(running.poses()) > 5, live)
    live.on[:] = [False, False]
    for view in range(VIEWS):
        running.senders[view].send(health(view, "failed"))
    running.received.clear()
    running.until(lambda: sum(not pose.tracking for pose in running.poses()) > 10)
    for view in range(VIEWS):
        running.senders[view].send(health(view, "ended"))
    running.until(lambda: any(health.state == "ended" for health in running.health()))


def test_ticks_are_even_whatever_the_cameras_do(start: Callable[..., Running]) -> None:
    running = start("realtime", rate_hz=50.0)
    live = Live(running, film(walk(1.0), ring(VIEWS)), fps=12.0)
    running.until(lambda: len(running.poses()) > 60, live)
    steps = np.diff([pose.t_ns for pose in running.poses()[20:]])
    assert 18e6 < np.median(steps) < 40e6  # more where the machine is too busy for every tick
    assert [pose.index for pose in running.poses()] == sorted(pose.index for pose in running.poses())


def test_the_error_of_a_taken_endpoint(engine: Engine) -> None:
    with Sender("tcp://127.0.0.1:0", bind=True) as taken:
        job = FusionJob(config(1), (free_endpoint(),), taken.endpoint)
        with pytest.raises(UsageError, match=rf"Cannot listen on {taken.endpoint}: Address already in use"):
            main(job, threading.Event(), engine, open_poses)


def test_the_error_of_an_unwritable_poses_file(engine: Engine, tmp_path: Path) -> None:
    job = FusionJob(config(1, save=str(tmp_path / "no" / "p.npz")), (free_endpoint(),), free_endpoint())
    with pytest.raises(PoseRigError, match=r"Cannot write .*p\.npz: No such file or directory\. Choose another place"):
        main(job, threading.Event(), engine, open_poses)


class Recorded(Running):
    """A live fusion process that is recorded."""

    def __init__(self, engine: Engine, pace: Pace, **more: object) -> None:
        self._endpoint = free_endpoint()
        self._receiver = Receiver(self._endpoint, "lossless", bind=True)
        self.record: list[Message] = []
        super().__init__(engine, pace, **more)  # type: ignore[arg-type]

    def _main(self, engine: Engine) -> None:
        self.job = replace(self.job, record=self._endpoint)
        super()._main(engine)

    def listen(self) -> None:
        self.record += self._receiver.receive(0)

    def close(self) -> None:
        super().close()
        while got := self._receiver.receive(300):
            self.record += got
        self._receiver.close()


def replayed(engine: Engine, config: Config, record: Sequence[Message], save: Path) -> str:
    """Replays a recording, and returns the detail of the last health message."""
    rig = msgspec.structs.replace(config, pace="all", save=str(save))
    with (
        Sender("tcp://127.0.0.1:0", bind=True) as sender,
        Receiver(sender.endpoint, topics=("health/",)) as listener,
        background_compute(replayed=True) as background,
    ):
        publisher = Publisher(sender, None, waits=True, stopped=lambda: False)
        job = FusionJob(rig, (), "")
        estimator = Estimator(rig, engine, background)
        output = FusionOutput(job, estimator, publisher, open_poses(job), engine)
        output.finish(repeat(by_time_step(record), job, estimator, output, threading.Event()))
        received: list[Message] = []
        while not received or not isinstance(received[-1], Health) or received[-1].state != "ended":
            got = listener.receive(5000)
            assert got
            received += got
        return received[-1].detail


def test_a_recorded_live_run_comes_out_the_same_to_the_last_bit(engine: Engine, tmp_path: Path) -> None:
    running = Recorded(engine, "realtime", views=3, save=str(tmp_path / "live.npz"))
    live = Live(running, film(walk(10.0), ring(3)))
    solved_at: list[int] = []

    def tell() -> None:
        live()
        running.listen()

    running.until(lambda: any(pose.mode == "solved" for pose in running.poses()), tell)
    solved_at.append(len(running.poses()))
    live.on[1] = False  # a camera is lost, and comes back
    running.until(lambda: len(running.poses()) > solved_at[0] + 30, tell)
    live.on[1] = True
    running.until(lambda: len(running.poses()) > solved_at[0] + 60, tell)
    running.close()
    assert not running.failure
    learned = [message.work for message in running.record if isinstance(message, Learned)]
    assert {"averaging", "solving"} <= set(learned)
    for name in ("first.npz", "second.npz"):
        detail = replayed(engine, running.job.config, running.record, tmp_path / name)
        poses = sum(isinstance(message, Pose3D) for message in running.record)
        assert detail.endswith(f"{poses} of {poses} poses are those of the recording to the last bit")
        assert (tmp_path / name).read_bytes() == (tmp_path / "live.npz").read_bytes()
    without = [message for message in running.record if not isinstance(message, Learned)]
    detail = replayed(engine, running.job.config, without, tmp_path / "unlearned.npz")
    assert f"{poses} of {poses}" not in detail  # when something was learned makes a difference


def test_keypoints_of_files_are_recorded_once(engine: Engine) -> None:
    for passes in (1, 2):
        running = Running(engine, "all", views=2, passes=passes)
        scene = film(walk(0.5), ring(2))
        play(running, scene)
        running.close()
        kept = [message for message in running.received if isinstance(message, Keypoints2D)]
        assert sorted((k.camera, k.index) for k in kept) == [(f"cam{v}", i) for v in range(2) for i in range(15)]
        assert [pose.index for pose in running.poses()] == list(range(15))
        assert not any(isinstance(message, Learned) for message in running.received)
        assert running.received[-1].topic == "health/fusion"
