"""Workers of a rig are killed one after the other: each comes back, the recordings lack nothing, no process is left."""

import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from benchmarks.live.chaos import damages, left, start
from benchmarks.live.pose_watch import Arrival
from benchmarks.live.recorded import Damage, missing_poses
from pose_rig.wire.messages import Pose3D
from tests.session.recorded import talk, write

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def test_every_worker_comes_back_and_no_process_is_left(tmp_path: Path) -> None:
    with ExitStack() as stack:
        disturbed = start(stack, tmp_path, cams="sim:2", warm_up_s=0.5)
        for worker in ("sim1", "recorder", "fusion"):
            disturbed.disturb("killed", worker)
        assert all(np.isfinite(event.recovered_s) for event in disturbed.events)
        assert disturbed.rig.stop() == 0
        assert not left(disturbed.rig)
    lost = missing_poses(tmp_path, disturbed.watch.arrivals, damages(disturbed.events))
    assert lost.received > 20
    assert not lost.faults
    assert len([path for path in tmp_path.iterdir() if ".mcap" in path.name]) >= 2, "the recorder began another part"


def test_poses_that_no_part_has_are_missing_unless_the_recorder_was_disturbed(tmp_path: Path) -> None:
    messages = [*talk(30)]
    arrivals = [Arrival(0, pose.t_ns + pose.age_ns, pose.index) for pose in messages if isinstance(pose, Pose3D)]
    write(tmp_path / "take.mcap", messages[:30])
    write(tmp_path / "take-2.mcap", messages[60:], finished=False)
    lost = missing_poses(tmp_path, arrivals, [])
    assert lost.received == 30
    assert 9 <= lost.missing <= 12
    assert lost.faults == [f"{lost.missing} poses that were received are in no recording"]
    assert missing_poses(tmp_path, arrivals, [Damage(arrivals[9].published_ns, arrivals[21].published_ns)]).missing == 0
