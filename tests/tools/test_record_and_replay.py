"""Recordings of whole rigs, their replays, and what is left of them after a kill."""

import re
import sys
from collections.abc import Callable, Iterator
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from mcap.reader import make_reader
from mcap.records import Schema
from numpy.typing import NDArray

from benchmarks.speed.kill_recording import MAX_MISSING_S, kill_all
from pose_rig.graph import Engine
from pose_rig.lifting.engine import OrtEngine
from pose_rig.session.formats.poses_file import read_people
from pose_rig.session.mcap.recover import recover
from pose_rig.session.reader import Session
from pose_rig.tools.arguments.camera_list import config_of
from pose_rig.tools.terminal.status import RunStatus
from pose_rig.tools.workers.plan import plan
from pose_rig.wire.messages import Message, Pose3D
from tests.fusion.people.scenes import two_people, write_people
from tests.session.recorded import write
from tests.session.replaying import replay
from tests.tools.cli.test_app import pose_rig, pose_rig_process
from tests.tools.terminal.test_run_loop import FakeDisplay, kill, run
from tests.tools.test_end_to_end import keypoint_file

SECONDS = 5.0
LONGEST_S = 60.0  # of a run that ends as soon as what is waited for has been seen
CAMERAS = 4
BUS = {"keypoints", "pose", "refined", "rig", "health", "clock", "learned"}


@pytest.fixture(scope="module")
def engine() -> Engine:
    return OrtEngine(provider="cpu")


@pytest.fixture(scope="module")
def take(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A live rig, recorded, with its poses beside it."""
    path = tmp_path_factory.mktemp("live") / "take.mcap"
    config = msgspec.structs.replace(
        config_of(f"sim:{CAMERAS}"), port=0, duration_s=LONGEST_S, record=str(path), save=str(path.with_suffix(".npz"))
    )
    status = run(
        plan(config, ""),
        FakeDisplay(),
        lambda status: status.telemetry.solved is not None and status.elapsed_s() > SECONDS,
    )
    assert f"ecording: {path}, " in status.recording()
    return path


def test_a_live_run_comes_out_the_same_to_the_last_bit(take: Path, tmp_path: Path, engine: Engine) -> None:
    live = take.with_suffix(".npz").read_bytes()
    with Session(take) as session:
        modes = [pose.mode for pose in session.messages(("pose",)) if isinstance(pose, Pose3D)]
    assert list(dict.fromkeys(modes))[-1] == "solved"  # otherwise it would prove little
    said = replay(engine, take, tmp_path / "first.npz")
    assert said.endswith(f"{len(modes)} of {len(modes)} poses are those of the recording to the last bit")
    assert (tmp_path / "first.npz").read_bytes() == live
    code, output = pose_rig_process(
        "replay", str(take), "--exact", "--headless", "--port", "0", "--save", str(tmp_path / "again.npz"),
        "--record", str(tmp_path / "again.mcap"),
    )  # fmt: skip
    assert code == 0, output
    assert f"{len(modes)} of {len(modes)} poses are those of the recording to the last bit" in output
    assert (tmp_path / "again.npz").read_bytes() == live
    said = replay(engine, tmp_path / "again.mcap", tmp_path / "third.npz")  # a replay can be replayed
    assert (tmp_path / "third.npz").read_bytes() == live


def test_a_live_run_comes_out_nearly_the_same_with_its_cameras(take: Path, tmp_path: Path, engine: Engine) -> None:
    code, output = pose_rig_process(
        "replay", str(take), "--headless", "--port", "0", "--save", str(tmp_path / "again.npz"),
        "--record", str(tmp_path / "again.mcap"),
    )  # fmt: skip
    assert code == 0, output
    assert "with its cameras (--exact estimates them again)" in output
    assert "poses computed side by side" in output
    with np.load(take.with_suffix(".npz")) as live, np.load(tmp_path / "again.npz") as again:
        assert not again["exact"]
        for key in ("t_ns", "mode", "xy", "xy_score"):
            np.testing.assert_array_equal(again[key], live[key], err_msg=key)
        np.testing.assert_array_equal(np.isnan(again["xyz"]), np.isnan(live["xyz"]))
        for key in ("R", "t", "K", "dist"):
            np.testing.assert_allclose(again[key], live[key], atol=1e-9, err_msg=key)
    assert np.nanmax(apart_mm(take, tmp_path / "again.npz")[1]) < 0.5
    with Session(take) as first, Session(tmp_path / "again.mcap") as second:
        changes = [[(one.mode, one.cameras[0].rotation) for one in session.rig_states()] for session in (first, second)]
    assert list(dict.fromkeys(changes[0])) == list(dict.fromkeys(changes[1]))


def test_a_part_of_a_live_run_is_the_same_to_the_last_bit(take: Path, tmp_path: Path, engine: Engine) -> None:
    replay(engine, take, tmp_path / "part.npz", to_s=2.5)
    with np.load(take.with_suffix(".npz")) as live, np.load(tmp_path / "part.npz") as part:
        count = len(part["t_ns"])
        assert 0 < count < len(live["t_ns"])
        for key in ("t_ns", "xyz", "xyz_raw", "score", "mode", "rotation", "xy_refined"):
            np.testing.assert_array_equal(part[key], live[key][:count], err_msg=key)


def rest_of(take: Path, path: Path, kept: Callable[[float], bool]) -> tuple[Path, list[str]]:
    """Writes what a recording holds of some seconds, from the first pose; returns the file and the modes in it."""
    with Session(take) as session:
        config, messages = session.info.config, list(session.messages())
    began_ns = next(message.t_ns for message in messages if isinstance(message, Pose3D))
    rest: list[Message] = []
    now_s = -1.0  # the order of a recording is that of the fusion, whose clock are its poses
    for message in messages:
        now_s = (message.t_ns - began_ns) * 1e-9 if isinstance(message, Pose3D) else now_s
        rest += [message] if kept(now_s) else []
    return write(path, rest, config), [message.mode for message in rest if isinstance(message, Pose3D)]


def apart_mm(path: Path, replayed: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns (T,) seconds from the first pose, and by how much the poses of a replay differ at most."""
    with Session(path) as session, np.load(replayed) as poses:
        recorded = session.poses()
        np.testing.assert_array_equal(recorded.t_ns, poses["t_ns"])
        assert (recorded.mode != poses["mode"]).sum() < 20  # the rig is told four times a second
        apart = 1e3 * np.linalg.norm(recorded.xyz[:, :17] - poses["xyz"][:, :17], axis=-1).max(-1)
        return (recorded.t_ns - recorded.t_ns[0]) * 1e-9, apart


def test_the_second_half_of_a_recording_is_replayed_with_the_rig_that_was_solved_before(
    take: Path, tmp_path: Path, engine: Engine
) -> None:
    with np.load(take.with_suffix(".npz")) as live:
        solved_s = (live["t_ns"][np.flatnonzero(live["mode"] == "solved")[0]] - live["t_ns"][0]) * 1e-9
    path, modes = rest_of(take, tmp_path / "late.mcap", lambda s: s > solved_s + 0.1)
    assert set(modes) == {"solved"}
    said = replay(engine, path, tmp_path / "late.npz")
    assert "it begins in the middle of a run: from there on the rig is the one that was recorded" in said
    seconds, apart = apart_mm(path, tmp_path / "late.npz")
    assert seconds[-1] > 1
    assert np.nanmax(apart[seconds > 1]) < 1
    assert np.isnan(apart[seconds > 1]).sum() == 0  # nobody is there before the second frames


def test_a_recording_in_which_messages_are_missing_goes_on_with_the_recorded_rig(
    take: Path, tmp_path: Path, engine: Engine
) -> None:
    """Among them are those that tell when the rotations were learned: without them it would stay cold for ever."""
    with np.load(take.with_suffix(".npz")) as live:
        settled_s = (live["t_ns"][np.flatnonzero(live["mode"] == "settled")[0]] - live["t_ns"][0]) * 1e-9
    path, modes = rest_of(take, tmp_path / "gap.mcap", lambda s: not settled_s - 0.2 < s < settled_s + 0.2)
    assert modes[-1] == "solved"
    said = replay(engine, path, tmp_path / "gap.npz")
    assert re.search(r"messages are missing \d\.\d s after the first pose: from there on the rig is the one", said)
    seconds, apart = apart_mm(path, tmp_path / "gap.npz")
    assert np.nanmax(apart[seconds < settled_s - 0.2]) == 0
    assert np.nanmax(apart[modes.index("solved") :][-60:]) < 1


def test_every_frame_and_every_pose_is_there(take: Path) -> None:
    with Session(take) as session, np.load(take.with_suffix(".npz")) as live:
        assert session.damaged == 0
        poses = session.poses()
        np.testing.assert_array_equal(poses.t_ns, live["t_ns"])
        np.testing.assert_array_equal(poses.xyz[poses.tracked], live["xyz"][poses.tracked])
        told = {(gap.source, gap.t_ns): gap.missing for gap in session.gaps() if gap.what == "frames"}
        for camera in session.cameras:
            seen = session.keypoints(camera)
            assert len(seen.t_ns) > 0.5 * 30 * SECONDS
            jumps = {(camera, int(t)): int(i) - 1 for t, i in zip(seen.t_ns[1:], np.diff(seen.index), strict=True)}
            assert {place: jump for place, jump in jumps.items() if jump} == {
                place: missing for place, missing in told.items() if place[0] == camera
            }
            assert len(session.refined(camera).t_ns) > 0.5 * len(poses)
        assert {health.worker for health in session.health()} == {"fusion", *session.cameras}
        assert session.rig_states()[-1].mode == "solved"


def records(path: Path) -> Iterator[tuple[Schema, str, str, bytes]]:
    with path.open("rb") as file:
        for schema, channel, message in make_reader(BytesIO(file.read())).iter_messages():
            assert schema is not None
            yield schema, channel.topic, channel.message_encoding, message.data


def fits(value: Any, form: dict[str, Any], root: dict[str, Any]) -> bool:
    """Returns whether a decoded value is what a JSON Schema says; of bytes it only says that they are text."""
    if "$ref" in form:
        return fits(value, root["$defs"][form["$ref"].rsplit("/", 1)[1]], root)
    if "anyOf" in form:
        return any(fits(value, one, root) for one in form["anyOf"])
    if "enum" in form or "const" in form:
        return value in form.get("enum", [form.get("const")])
    match form.get("type"):
        case "object":
            known = form.get("properties", {})
            return (
                isinstance(value, dict)
                and set(form.get("required", ())) <= set(value)
                and all(fits(inner, known[key], root) for key, inner in value.items() if key in known)
            )
        case "array":
            if not isinstance(value, list | tuple):
                return False
            inner = form.get("prefixItems") or [form.get("items", {})] * len(value)
            return all(map(lambda v, f: fits(v, f, root), value, inner))
        case "string":
            return isinstance(value, str | bytes)
        case "integer":
            return isinstance(value, int)
        case "number":
            return isinstance(value, int | float)
        case "null":
            return value is None
        case "boolean":
            return isinstance(value, bool)
    return not form


@pytest.mark.parametrize("cut", [False, True])
def test_other_programs_read_it_with_nothing_of_ours(take: Path, tmp_path: Path, cut: bool) -> None:
    path = take
    if cut:
        (tmp_path / "cut.mcap").write_bytes(take.read_bytes()[: round(0.8 * take.stat().st_size)])
        path = recover(tmp_path / "cut.mcap").path
    topics: set[str] = set()
    pools: dict[str, DescriptorPool] = {}
    for schema, topic, encoding, data in records(path):
        topics.add(topic)
        if encoding == "protobuf":
            if schema.name not in pools:
                pools[schema.name] = DescriptorPool()
                for one in FileDescriptorSet.FromString(schema.data).file:
                    pools[schema.name].Add(one)
            kind = GetMessageClass(pools[schema.name].FindMessageTypeByName(schema.name))
            assert kind.FromString(data).ByteSize() > 0 or not data
        else:
            assert (encoding, schema.encoding) == ("msgpack", "jsonschema")
            form = msgspec.json.decode(schema.data)
            content = msgspec.msgpack.decode(data)  # any msgpack library
            assert fits(content, form, form), (topic, content)
            assert not fits(dict.fromkeys(content), form, form)
    bus = {topic.split("/")[0] for topic in topics if not topic.startswith("/")}
    assert bus >= BUS
    assert {"/pose/scene", "/pose/points", "/tf", "/camera/sim0/keypoints", "/camera/sim0/calibration"} <= topics


def test_arrays_need_numpy_only(take: Path) -> None:
    with Session(take) as session:
        ours = session.poses().xyz
    theirs = []
    for _, topic, _, data in records(take):
        if topic == "pose":
            content = msgspec.msgpack.decode(data)
            dtype, shape, values = content["xyz"]
            theirs.append(np.frombuffer(values, dtype).reshape(shape))
    np.testing.assert_array_equal(np.stack(theirs)[np.isfinite(ours).all((1, 2))], ours[np.isfinite(ours).all((1, 2))])


def test_an_imported_file_is_replayed_as_it_is_run(tmp_path: Path, engine: Engine) -> None:
    keypoints = keypoint_file(tmp_path / "kp.npz", seconds=1.5)
    code, output = pose_rig_process(
        "run", "--cams", str(keypoints), "--pace", "all", "--headless", "--port", "0", "--passes", "2",
        "--save", str(tmp_path / "run.npz"), "--record", str(tmp_path / "run.mcap"),
    )  # fmt: skip
    assert code == 0, output
    code, output = pose_rig("import", str(keypoints), "--out", str(tmp_path / "take.mcap"))
    assert code == 0, output
    for source in ("take.mcap", "run.mcap"):
        replay(engine, tmp_path / source, tmp_path / f"{source}.npz", exact=False, passes=2)
        assert (tmp_path / f"{source}.npz").read_bytes() == (tmp_path / "run.npz").read_bytes()


def is_anew(status: RunStatus) -> bool:
    """Whether poses come from a fusion that was started again."""
    pose = status.telemetry.pose
    return status.states["fusion"].restarts == 1 and pose is not None and 20 < pose.index < 70


@pytest.mark.skipif(sys.platform == "win32", reason="kills with POSIX signals")
def test_a_fusion_that_is_killed_is_replayed_with_its_restart(tmp_path: Path, engine: Engine) -> None:
    path = tmp_path / "take.mcap"
    config = msgspec.structs.replace(config_of("sim:3"), port=0, duration_s=LONGEST_S, record=str(path))
    display = FakeDisplay(lambda status: status.telemetry.poses > 70, lambda status: kill(status, "fusion"))
    status = run(plan(config, ""), display, lambda status: is_anew(status) and status.telemetry.poses > 130)
    assert status.states["fusion"].restarts == 1
    with Session(path) as session:
        poses = [message for message in session.messages(("pose",)) if isinstance(message, Pose3D)]
        starts = [health for health in session.health() if health.worker == "fusion" and health.state == "starting"]
    assert len(starts) == 2
    again = [after.index for before, after in pairwise(poses) if after.index <= before.index]
    assert again == [0]  # it counted anew
    for name in ("first.npz", "second.npz"):
        said = replay(engine, path, tmp_path / name)
        assert said.endswith(f"{len(poses)} of {len(poses)} poses are those of the recording to the last bit")
    assert (tmp_path / "first.npz").read_bytes() == (tmp_path / "second.npz").read_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="kills with POSIX signals")
def test_a_recorder_that_is_killed_costs_no_pose_and_goes_on_in_another_file_that_stands_for_itself(
    tmp_path: Path, engine: Engine
) -> None:
    path, second = tmp_path / "take.mcap", tmp_path / "take-2.mcap"
    config = msgspec.structs.replace(config_of("sim:3"), port=0, duration_s=LONGEST_S, record=str(path))
    poses_then: list[int] = []

    def strike(status: RunStatus) -> None:
        kill(status, "recorder")
        poses_then.append(status.telemetry.poses)

    status = run(
        plan(config, ""),
        FakeDisplay(lambda status: status.telemetry.solved is not None, strike),
        lambda status: (
            bool(poses_then) and status.telemetry.poses > poses_then[0] + 250 and ", part 2" in status.recording()
        ),
    )
    assert status.telemetry.poses > poses_then[0] + 60
    assert status.states["fusion"].restarts == 0
    assert status.states["recorder"].restarts == 1
    assert sorted(found.name for found in tmp_path.iterdir()) == ["take-2.mcap", "take.mcap.partial"]
    assert f"{second}, " in status.recording()
    assert ", part 2" in status.recording()
    with Session(path) as before, Session(second) as after:
        assert (after.poses().t_ns[0] - before.poses().t_ns[-1]) * 1e-9 < 2.0
        assert before.warnings[1:] == [f"The recorder was restarted: the run continues in {second}."]
        assert after.warnings == [f"{second} is part 2 of take.mcap: it begins in the middle of a run."]
        first_count, modes = len(before.poses()), after.poses().mode
    assert f"{first_count} of {first_count} poses are those" in replay(engine, path, None)
    said = replay(engine, second, tmp_path / "second.npz")
    assert f"of {len(modes)} poses are those of the recording to the last bit" in said
    seconds, apart = apart_mm(second, tmp_path / "second.npz")
    assert np.nanmax(apart[seconds > 1]) < 1
    code, output = pose_rig("convert", str(second), "--to", "csv")
    assert code == 0, output
    assert f"{second} is part 2 of take.mcap: it begins in the middle of a run." in output


@pytest.mark.skipif(sys.platform == "win32", reason="kills with POSIX signals")
def test_a_rig_that_is_killed_loses_a_second_at_most(tmp_path: Path) -> None:
    outcome = kill_all(tmp_path / "take.mcap", 1.7)
    assert outcome.faults == []
    assert outcome.missing_s <= MAX_MISSING_S


def test_two_people_of_a_live_run_come_out_the_same_to_the_last_bit(tmp_path: Path, engine: Engine) -> None:
    write_people(tmp_path / "two.npz", two_people(8.0))  # on a busy machine the second person takes seconds to be found
    path = tmp_path / "take.mcap"
    code, output = pose_rig_process(
        "run", "--cams", str(tmp_path / "two.npz"), "--pace", "realtime", "--people", "2", "--record", str(path),
        "--save", str(tmp_path / "live.npz"), "--port", "0", "--headless",
    )  # fmt: skip
    assert code == 0, output
    with Session(path) as session:
        people = session.people()
        assert [one.person for one in people] == [0, 1]
        assert sum(map(len, people)) == session.topics["pose"]
        assert len(people[0]) < session.topics["pose"]
    detail = replay(engine, path, tmp_path / "again.npz")
    count = sum(map(len, people))
    assert detail.endswith(f"{count} of {count} poses are those of the recording to the last bit")
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "live.npz").read_bytes()
    for one, recorded in zip(read_people(tmp_path / "live.npz"), people, strict=True):
        np.testing.assert_array_equal(one.xyz, recorded.xyz)
