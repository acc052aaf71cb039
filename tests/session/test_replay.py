"""Sessions through the fusion again, in this process."""

import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from pose_rig.capture.keypoint_file import load
from pose_rig.config import CameraConfig, Config
from pose_rig.errors import SessionError
from pose_rig.graph import Engine
from pose_rig.lifting.engine import OrtEngine
from pose_rig.session.importer import import_keypoints
from pose_rig.session.playback import CameraSource, Playback
from pose_rig.session.reader import Session
from pose_rig.session.replay import main, total_frames
from pose_rig.wire.messages import Health, Keypoints2D, Message
from tests.fusion.fakes import Scene, film, ring, walk
from tests.fusion.running import Running, play
from tests.session.recorded import FRAME_NS, START_NS, frame, pose, rig_of, talk, write
from tests.session.replaying import job_of, replay

VIEWS, SECONDS = 3, 2.5


@pytest.fixture(scope="module")
def engine() -> Engine:
    return OrtEngine(provider="cpu")


def keypoints_of(scene: Scene, path: Path) -> Path:
    count = len(scene.joints)
    t_ns = np.tile([scene.t_ns(i) for i in range(count)], (len(scene.xy_px), 1))
    size_px = np.full((len(scene.xy_px), 2), (1280, 720))
    np.savez(path, xy=scene.xy_px, score=scene.score, t_ns=t_ns, landmarks="rig17", size_px=size_px)
    return path


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An imported session of a walking person."""
    folder = tmp_path_factory.mktemp("imported")
    keypoints = load(keypoints_of(film(walk(SECONDS), ring(VIEWS)), folder / "kp.npz"))
    config = Config(camera=tuple(CameraConfig(source="kp.npz", name=f"cam{v}") for v in range(VIEWS)), pace="all")
    import_keypoints(keypoints, config, folder / "take.mcap")
    return folder / "take.mcap"


@pytest.mark.parametrize("passes", [1, 2])
def test_an_imported_session_is_fused_as_its_keypoints_are(
    imported: Path, tmp_path: Path, engine: Engine, passes: int
) -> None:
    replay(engine, imported, tmp_path / "replayed.npz", exact=False, passes=passes)
    with Session(imported) as session:
        seen = [session.keypoints(camera) for camera in session.cameras]
    xy, score = np.stack([one.xy[:, 0] for one in seen]), np.stack([one.score[:, 0] for one in seen])
    scene = film(walk(SECONDS), ring(VIEWS))
    running = Running(engine, "all", VIEWS, passes=passes, save=str(tmp_path / "over_bus.npz"))
    try:
        play(running, Scene(scene.joints, scene.cameras, xy.astype(float), score.astype(float)))
    finally:
        running.close()
    with np.load(tmp_path / "replayed.npz") as poses:
        assert len(poses["t_ns"]) == 75
    assert (tmp_path / "replayed.npz").read_bytes() == (tmp_path / "over_bus.npz").read_bytes()


def test_a_part_begins_and_ends_where_it_is_wanted(imported: Path, tmp_path: Path, engine: Engine) -> None:
    replay(engine, imported, tmp_path / "part.npz", exact=False, from_s=1.0, to_s=2.0)
    with np.load(tmp_path / "part.npz") as part:
        assert part["t_ns"][0] == 1_000_000_000
        assert part["t_ns"][-1] == 2_000_000_000
        assert len(part["t_ns"]) == 31


def test_real_time_takes_as_long_as_it_took(imported: Path, engine: Engine) -> None:
    began = time.monotonic()
    replay(engine, imported, None, exact=False, realtime=True, to_s=1.0)
    assert 1.0 <= time.monotonic() - began < 10


def test_a_stop_ends_a_replay_at_once(imported: Path, tmp_path: Path, engine: Engine) -> None:
    stop = threading.Event()
    job = job_of(imported, tmp_path / "poses.npz", exact=False, realtime=True)
    running = threading.Thread(target=main, args=(job, stop, engine, lambda: True))
    running.start()
    time.sleep(0.6)
    stop.set()
    running.join(2)
    assert not running.is_alive()
    with np.load(tmp_path / "poses.npz") as poses:
        assert 0 < len(poses["t_ns"]) < 75


def test_nothing_is_published_before_subscribers_are_connected(imported: Path, engine: Engine) -> None:
    stop = threading.Event()
    job = job_of(imported, None, exact=False)
    running = threading.Thread(target=main, args=(job, stop, engine, lambda: False))
    running.start()
    time.sleep(0.3)
    assert running.is_alive()
    stop.set()
    running.join(5)
    assert not running.is_alive()


def test_the_part_up_to_a_time_is_the_same_to_the_last_bit(tmp_path: Path, engine: Engine) -> None:
    """A pose between two frames needs the second one, which lies after the end of the part."""
    scene = film(walk(1.0), ring(2))
    messages: list[Message] = []
    for i in range(30):
        for view in range(2):
            xy = scene.xy_px[view, i][None].astype(np.float32)
            messages.append(frame(i, f"cam{view}", xy=xy, score=np.full((1, 17), 0.9, np.float32)))
        if i:
            messages.append(pose(i, t_ns=START_NS + i * FRAME_NS - FRAME_NS // 2))
    path = write(tmp_path / "take.mcap", messages)
    replay(engine, path, tmp_path / "all.npz")
    replay(engine, path, tmp_path / "part.npz", to_s=(10 * FRAME_NS - FRAME_NS // 2) * 1e-9)
    with np.load(tmp_path / "all.npz") as everything, np.load(tmp_path / "part.npz") as part:
        assert len(everything["t_ns"]) == 29
        assert len(part["t_ns"]) == 10
        for key in ("t_ns", "xyz", "xyz_raw", "xy", "xy_refined"):
            np.testing.assert_array_equal(part[key], everything[key][:10], err_msg=key)


def test_the_number_of_frames_is_known_unless_it_is_a_part(imported: Path, tmp_path: Path) -> None:
    with Session(imported) as session:
        assert total_frames(session, job_of(imported, None, exact=False)) == 75
        assert total_frames(session, job_of(imported, None, exact=False, from_s=1.0)) is None
    with Session(write(tmp_path / "take.mcap", talk(7))) as session:
        assert total_frames(session, job_of(tmp_path / "take.mcap", None)) == 7


def test_a_camera_source_has_the_frames_of_its_camera_and_ends(tmp_path: Path) -> None:
    cameras = ("a", "a-2")
    path = write(tmp_path / "take.mcap", [frame(i, camera) for i in range(10) for camera in cameras], rig_of(cameras))
    with closing(CameraSource(job_of(path, None), "a", Playback(False, threading.Event()))) as source:
        got = [message for _ in range(4) for message in source.receive(0, max_messages=4)]
        assert [m.index for m in got if isinstance(m, Keypoints2D)] == list(range(10))
        assert {m.camera for m in got if isinstance(m, Keypoints2D)} == {"a"}
        assert isinstance(got[-1], Health)
        assert (got[-1].worker, got[-1].state) == ("a", "ended")
        assert source.receive(0, max_messages=4) == []


def test_a_camera_source_returns_what_is_due(tmp_path: Path) -> None:
    path = write(tmp_path / "take.mcap", [frame(3 * i) for i in range(10)])
    with closing(CameraSource(job_of(path, None), "cam0", Playback(True, threading.Event()))) as source:
        assert len(source.receive(0, max_messages=8)) == 1  # the first: now begins
        assert source.receive(0, max_messages=8) == []
        time.sleep(0.25)
        assert len(source.receive(0, max_messages=8)) == 2


def test_waiting_ends_when_it_is_due_or_asked_to_stop() -> None:
    stop = threading.Event()
    playback = Playback(True, stop)
    assert playback.due(100)
    assert not playback.due(10**9)
    began = time.monotonic()
    playback.wait(200_000_100)
    assert 0.15 < time.monotonic() - began < 5
    stop.set()
    playback.wait(10**12)
    assert time.monotonic() - began < 8
    assert Playback(False, stop).due(1 << 60)


def test_the_error_of_a_missing_session(tmp_path: Path, engine: Engine) -> None:
    path = write(tmp_path / "take.mcap", talk(2))
    job = job_of(path, None)
    path.unlink()
    with pytest.raises(SessionError, match=r"There is no session .*take\.mcap\."):
        main(job, threading.Event(), engine, lambda: True)
