"""Messages of cameras, sorted into one buffer each."""

import msgspec

from pose_rig.fusion.camera_inputs import CameraInputs
from pose_rig.fusion.synchronisation.camera_clock import CameraClock
from pose_rig.wire.messages import Health, Message
from tests.fusion.pose.test_sync import message, person

MS = 1_000_000


def test_messages_are_accepted_or_rejected_with_a_reason() -> None:
    accepted: list[tuple[int, Message]] = []
    rejected: list[str] = []
    cameras = CameraInputs(
        ["a", "b"], (), accept=lambda view, message: accepted.append((view, message)), reject=rejected.append
    )
    ended = Health(worker="b", t_ns=0, state="ended")
    assert [cameras.take(ended), cameras.take(Health(worker="c", t_ns=0, state="ended"))] == [1, None]
    assert accepted == [(1, ended)]
    assert rejected == ["health/c is not a message of a camera."]
    assert not cameras.ended
    assert cameras.take(Health(worker="a", t_ns=0, state="failed")) == 0
    assert cameras.ended  # of files, a camera that failed does not come back


def test_a_live_camera_that_failed_comes_back() -> None:
    cameras = CameraInputs(["a"], (), live=True)
    cameras.take(Health(worker="a", t_ns=0, state="failed"))
    assert not cameras.ended


def test_samples_are_taken_at_the_time_of_each_camera() -> None:
    cameras = CameraInputs(
        ["a", "b"], (), clocks=[CameraClock(), CameraClock(80 * MS)]
    )  # rig time = camera time + 80 ms
    for camera in ("a", "b"):
        for i in range(5):
            assert (
                cameras.take(msgspec.structs.replace(message(i * 40 * MS, [person(100 + i)]), camera=camera))
                is not None
            )
    first, second = cameras.samples(120 * MS)
    assert first is not None
    assert second is not None
    assert first.xy_px[0, 0, 0] - second.xy_px[0, 0, 0] == 2
    cameras.restart()
    assert cameras.samples(120 * MS) == [None, None]
