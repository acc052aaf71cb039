"""What the user changes while the rig runs."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pose_rig.fusion.commands import apply
from pose_rig.fusion.estimator import Estimator
from pose_rig.graph import Engine
from pose_rig.session.formats.poses_file import read_people
from pose_rig.skeleton import INDEX
from pose_rig.wire.messages import Command, CommandName, Health, Pose3D, RigState
from tests.fusion.fakes import config, film, ring, solved_configs, walk
from tests.fusion.people.scenes import crossing, film_people
from tests.fusion.running import Live
from tests.fusion.test_process import Recorded, replayed

ANKLES = [INDEX["l_ankle"], INDEX["r_ankle"]]


def command(name: CommandName, value: str = "", person: int = 0) -> Command:
    return Command(t_ns=0, number=1, name=name, value=value, person=person)


class Rig:
    """A live rig of three known cameras, and what it published."""

    def __init__(self, engine: Engine, save: Path, people: int = 1) -> None:
        scene = film(walk(10.0), ring(3)) if people == 1 else film_people(crossing(people), ring(3))
        known = solved_configs(scene.cameras)
        self.running = Recorded(engine, "realtime", views=3, save=str(save), camera=known, people=people)
        self._live = Live(self.running, scene)

    def until(self, done: Callable[[], bool]) -> None:
        self.running.until(done, self._exchange)

    def _exchange(self) -> None:
        self._live()
        self.running.listen()

    def send(self, name: CommandName, value: str = "", person: int = 0) -> int:
        """Sends a command, and returns how many poses there were."""
        self.running.senders[0].send(command(name, value, person))
        return len(self.running.poses())

    def poses_until(self, done: Callable[[Pose3D], bool]) -> Pose3D:
        """Returns the next pose of which something is true."""
        before = len(self.running.poses())
        self.until(lambda: any(done(pose) for pose in self.running.poses()[before:]))
        return next(pose for pose in self.running.poses()[before:] if done(pose))


def assert_replayed_to_the_last_bit(rig: Rig, engine: Engine, folder: Path) -> None:
    """Ends a run that saves to ``live.npz`` of the folder, and replays it."""
    rig.running.close()
    assert not rig.running.failure
    poses = sum(isinstance(message, Pose3D) for message in rig.running.record)
    detail = replayed(engine, rig.running.job.config, rig.running.record, folder / "again.npz")
    assert detail.endswith(f"{poses} of {poses} poses are those of the recording to the last bit")
    assert (folder / "again.npz").read_bytes() == (folder / "live.npz").read_bytes()


def test_floor_height_and_a_new_solve_are_applied_and_replayed_to_the_last_bit(engine: Engine, tmp_path: Path) -> None:
    rig = Rig(engine, tmp_path / "live.npz")
    before = rig.poses_until(lambda pose: pose.mode == "solved" and bool(pose.tracking))
    assert before.height_assumed
    rig.send("height", "1.87")
    taller = rig.poses_until(lambda pose: pose.height_m == 1.87)
    assert taller.mode == "solved"
    assert not taller.height_assumed
    rig.send("floor")
    zeroed = rig.poses_until(lambda pose: np.abs(pose.xyz[0, [0, 2]]).max() < 0.3)
    assert zeroed.mode == "solved"
    assert abs(zeroed.xyz[ANKLES, 1].min() - 0.039 * 1.87) < 0.05
    rig.send("re-solve")
    rig.poses_until(lambda pose: pose.mode == "cold")
    rig.poses_until(lambda pose: pose.mode == "solved")
    assert_replayed_to_the_last_bit(rig, engine, tmp_path)
    with np.load(tmp_path / "live.npz") as saved:
        assert saved["height_m"] == 1.87
        assert not saved["height_assumed"]


def test_heights_of_two_people_are_applied_and_replayed_to_the_last_bit(engine: Engine, tmp_path: Path) -> None:
    rig = Rig(engine, tmp_path / "live.npz", people=2)
    rig.poses_until(lambda pose: pose.person == 1)
    for person, height in enumerate(("1.87", "1.62")):
        rig.send("height", height, person)
        taller = rig.poses_until(lambda pose, height=height: pose.height_m == float(height))  # type: ignore[misc]
        assert (taller.person, taller.height_assumed) == (person, False)
    assert_replayed_to_the_last_bit(rig, engine, tmp_path)
    assert [one.height_m for one in read_people(tmp_path / "live.npz")] == [1.87, 1.62]


def test_a_recording_begins_and_ends_by_command(engine: Engine, tmp_path: Path) -> None:
    rig = Rig(engine, tmp_path / "live.npz")
    rig.poses_until(lambda pose: pose.mode == "solved")
    rig.send("stop-recording")
    rig.until(lambda: any(isinstance(m, Health) and m.state == "ended" for m in rig.running.record))
    kept = len(rig.running.record)
    count = len(rig.running.poses())
    rig.until(lambda: len(rig.running.poses()) > count + 20)
    assert len(rig.running.record) == kept
    rig.send("record")
    rig.until(lambda: sum(isinstance(m, Pose3D) for m in rig.running.record[kept:]) > 5)
    assert isinstance(rig.running.record[kept], RigState)  # a replay begins with it
    rig.running.close()
    assert not rig.running.failure


@pytest.mark.parametrize("value", ["", "tall", "nan", "187", "-1", "1e400", "x" * 1000])
def test_a_height_that_is_none_changes_nothing(engine: Engine, value: str) -> None:
    estimator = Estimator(config(2, height_m=1.8), engine)
    reason = apply(command("height", value), estimator)
    assert "is not a number from 0.4 to 2.6 m" in reason
    assert len(reason) < 120
    assert estimator.heights.first_m == 1.8


def test_the_floor_needs_solved_cameras(engine: Engine) -> None:
    estimator = Estimator(config(2), engine)
    assert "needs solved cameras" in apply(command("floor"), estimator)
    assert estimator.heights.of(0)[1]
    assert not apply(command("height", "1.9"), estimator)
    assert estimator.heights.of(0) == (1.9, False)
