"""What a camera sent, gone through again."""

import numpy as np
import pytest

from pose_rig.fusion import message_file
from pose_rig.fusion.message_file import MessageFile
from pose_rig.wire.messages import Health, Keypoints2D


def keypoints(index: int, people: int = 1) -> Keypoints2D:
    rng = np.random.default_rng(index)
    return Keypoints2D(
        camera="cam0", index=index, t_ns=index * 10, size_px=(64, 48), landmarks="rig17",
        xy=rng.normal(size=(people, 17, 2)).astype(np.float32), score=np.ones((people, 17), np.float32),
    )  # fmt: skip


def filled(count: int) -> MessageFile:
    file = MessageFile()
    for index in range(count):
        file.add(keypoints(index, people=index % 3))
    file.add(Health(worker="cam0", t_ns=5, state="ended", total_frames=count))
    file.rewind()
    return file


def test_messages_are_read_in_order_and_unchanged() -> None:
    file = filled(5)
    back = [message for _ in range(6) for message in file.receive(0)]
    for index, message in enumerate(back[:5]):
        assert isinstance(message, Keypoints2D)
        assert (message.camera, message.index, message.t_ns) == ("cam0", index, index * 10)
        assert np.array_equal(message.xy, keypoints(index, people=index % 3).xy)
    assert isinstance(back[5], Health)
    assert (back[5].state, back[5].total_frames) == ("ended", 5)
    file.close()


def test_at_most_max_messages_are_returned_and_none_at_the_end() -> None:
    file = filled(5)
    assert [len(file.receive(0, max_messages=4)) for _ in range(4)] == [4, 2, 0, 0]
    file.close()


def test_a_file_can_be_read_several_times() -> None:
    file = filled(3)
    for _ in range(3):
        assert len(file.receive(0, max_messages=100)) == 4
        file.rewind()
    file.close()


def test_those_of_a_long_recording_are_on_disk_unchanged_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_file, "MAX_IN_MEMORY", 1500)
    file = filled(7)
    for _ in range(2):
        back = [message for _ in range(3) for message in file.receive(0, max_messages=3)]
        indices = [message.index for message in back if isinstance(message, Keypoints2D)]
        assert (indices, len(back)) == ([0, 1, 2, 3, 4, 5, 6], 8)
        assert all(
            np.array_equal(message.xy, keypoints(message.index, people=message.index % 3).xy)
            for message in back
            if isinstance(message, Keypoints2D)
        )
        assert len(list(file.keypoints())) == 7
        file.rewind()
    file.close()


def test_the_end_does_not_block() -> None:
    file = MessageFile()
    file.rewind()
    assert file.receive(3_600_000) == []
    file.close()
