"""Poses of one person and of several for the live page."""

import json

from msgspec.structs import replace

from pose_rig.config import CameraConfig, Config, StreamConfig
from pose_rig.web.live_state import LiveState
from pose_rig.web.pose_stream import PoseStream
from pose_rig.wire.messages import CameraState, RigState
from tests.streaming.live import pose3d
from tests.streaming.people import person

SUBJECT = person(2, seconds=0.2)


def test_a_frame_of_one_person_has_no_list() -> None:
    stream = PoseStream(StreamConfig(), {})
    stream.add(pose3d(SUBJECT, 0))
    due = stream.due()
    assert due is not None
    assert all("people" not in json.loads(text) for text in due)


def test_a_frame_of_several_people_has_all_of_them() -> None:
    stream = PoseStream(StreamConfig(), {}, people=3)
    for identity in (0, 2):
        stream.add(pose3d(SUBJECT, 0, person=identity))
    due = stream.due()
    assert due is not None
    schema, frame = map(json.loads, due)
    assert [one["person"] for one in schema["people"]] == [one["person"] for one in frame["people"]] == [0, 2]
    assert frame["person"] == 0


def test_the_height_on_the_page_is_that_of_the_first_person() -> None:
    config = Config(camera=(CameraConfig(source="sim", name="a"),), height_m=1.8, other_heights_m=(1.5,), people=2)
    state = LiveState(config)
    state.add(RigState(t_ns=1, mode="cold", cameras=(CameraState(name="a", focal_px=900.0),)))
    state.add(replace(pose3d(SUBJECT, 0), height_m=1.81))
    state.add(replace(pose3d(SUBJECT, 0, person=1), height_m=1.5))
    assert json.loads(state.rig_text())["height_m"] == 1.81
