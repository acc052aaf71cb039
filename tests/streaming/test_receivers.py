"""Requirements of each VMC receiver, from its source or its users, checked on datagrams of the real process.

Decoded twice, by python-osc and by osc4py3 as used by vmcp; neither encodes the numbers.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from osc4py3 import oscbuildparse
from pythonosc.osc_bundle import OscBundle
from vmcp.events import BoneTransformEvent, RelativeTimeEvent, RootTransformEvent, StateEvent
from vmcp.typing import Bone, CalibrationState, ModelState, TrackingState

from pose_rig.arrays import Floats
from pose_rig.humanoid.bones import BONES, INDEX, PARENT, forward_kinematics
from pose_rig.streaming.axes import UNITY
from pose_rig.streaming.vmc import PROFILES
from tests.streaming.captured.datagrams import ReceivedDatagram, captured
from tests.streaming.people import Person, person

COUNT = 90
MTU_BYTES = 1500
JOINTS_OF = {"Hips": 0, "LeftLowerArm": 12, "LeftHand": 13, "RightHand": 16, "LeftFoot": 6, "RightFoot": 3}
EVENTS = {
    kind.ADDRESS_PATTERN: kind for kind in (RootTransformEvent, BoneTransformEvent, StateEvent, RelativeTimeEvent)
}


@dataclass(frozen=True, slots=True)
class Message:
    """One received OSC message."""

    address: str
    tags: str
    values: tuple[object, ...]
    datagram: int


@dataclass(frozen=True, slots=True)
class Take:
    """All datagrams of one receiver."""

    profile: str
    subject: Person
    datagrams: list[ReceivedDatagram]
    frames: list[list[Message]]  # split after every T

    def bones(self, frame: list[Message]) -> dict[str, Floats]:
        """Returns position and rotation (7) of every bone of a frame, in order of arrival."""
        return {str(m.values[0]): np.array(m.values[1:], float) for m in frame if m.address == "/VMC/Ext/Bone/Pos"}


def read(datagrams: list[ReceivedDatagram]) -> list[Message]:
    messages = []
    for number, one in enumerate(datagrams):
        bundle = oscbuildparse.decode_packet(one.data)
        messages += [Message(m.addrpattern, m.typetags, tuple(m.arguments), number) for m in bundle.elements]
    return messages


@pytest.fixture(scope="module")
def subject() -> Person:
    return person(8, seconds=3.0)


@pytest.fixture(scope="module")
def all_datagrams(subject: Person) -> dict[str, list[ReceivedDatagram]]:
    return captured(sorted(PROFILES), subject, COUNT)


@pytest.fixture(scope="module", params=sorted(PROFILES))
def take(request: pytest.FixtureRequest, subject: Person, all_datagrams: dict[str, list[ReceivedDatagram]]) -> Take:
    datagrams = all_datagrams[request.param]
    frames: list[list[Message]] = [[]]
    for message in read(datagrams):
        frames[-1].append(message)
        if message.address == "/VMC/Ext/T":
            frames.append([])
    return Take(request.param, subject, datagrams, frames[:-1])


def test_both_decoders_read_the_same(take: Take) -> None:
    for one in take.datagrams[:200]:
        decoded = [(message.address, tuple(message.params)) for message in OscBundle(one.data)]
        assert decoded == [(m.addrpattern, tuple(m.arguments)) for m in oscbuildparse.decode_packet(one.data).elements]


def test_vmcp_takes_every_message(take: Take) -> None:
    """It raises on unknown bones and missing arguments."""
    for message in (message for frame in take.frames for message in frame):
        event = EVENTS[message.address].from_message_data("", message.address, message.values)
        if isinstance(event, StateEvent):
            assert event.model_state is ModelState.LOADED
            assert event.calibration_state is CalibrationState.CALIBRATED
        if isinstance(event, BoneTransformEvent):
            assert event.joint in Bone


def test_evmc4u_gets_floats_and_no_message_without_arguments(take: Take) -> None:
    """EVMC4U ignores arguments of other types, stops on an OK or T without arguments, and hides the avatar unless 3."""
    tags = {
        "/VMC/Ext/Root/Pos": ",sfffffff",
        "/VMC/Ext/Bone/Pos": ",sfffffff",
        "/VMC/Ext/OK": ",iiii",
        "/VMC/Ext/T": ",f",
    }
    for message in (message for frame in take.frames for message in frame):
        assert message.tags == tags[message.address]
        if message.address == "/VMC/Ext/OK":
            assert message.values[:3] == (1, 3, 0)
        if message.address == "/VMC/Ext/Root/Pos":
            assert message.values[0] == "root"


def test_evmc4u_gets_no_bone_at_zero(take: Take) -> None:
    """It applies bone positions by default: zero positions would collapse the avatar."""
    for frame in take.frames:
        for name, transform in take.bones(frame).items():
            assert np.linalg.norm(transform[:3]) > 0.005, name


def test_vrm4u_gets_ok_and_t_last_and_each_bone_once(take: Take) -> None:
    """It updates on OK or T, and applies a bone only if its name occurs once."""
    for frame in take.frames:
        addresses = [message.address for message in frame]
        assert addresses[-2:] == ["/VMC/Ext/OK", "/VMC/Ext/T"]
        assert addresses.count("/VMC/Ext/OK") == addresses.count("/VMC/Ext/T") == 1
        assert addresses[0] == "/VMC/Ext/Root/Pos"
        names = [message.values[0] for message in frame if message.address == "/VMC/Ext/Bone/Pos"]
        assert len(names) == len(set(names))
        assert frame[-1].datagram > frame[-3].datagram  # in a separate datagram


def test_godot_gets_parents_first_and_positions_that_accumulate(take: Take) -> None:
    """Its tracker reads datagram by datagram, ignores the root, and accumulates local positions from the hips."""
    for i in (len(take.frames) // 2, len(take.frames) - 1):
        bones = take.bones(take.frames[i])
        arrived: set[str] = set()
        for name in bones:
            assert PARENT.get(name, "") in {"", *arrived}, name
            arrived.add(name)
        pose = np.stack([bones[name] for name in BONES])
        rest = type(take.subject.rest)(pose[:, :3], np.zeros_like(pose[:, :3]))
        start, _ = forward_kinematics(rest, pose[0, :3], pose[:, 3:])
        expected = UNITY.points(take.subject.xyz[:COUNT, list(JOINTS_OF.values())].astype(float))
        off_m = np.linalg.norm(expected - start[[INDEX[bone] for bone in JOINTS_OF]], axis=-1).max(-1)
        assert off_m.min() < 0.15  # in the first second bones are those of an average person


def test_vseeface_gets_every_bone_in_every_frame_from_one_socket(take: Take) -> None:
    """Missing or late bones, or another socket, make it snap to its own rest pose."""
    assert len({one.source for one in take.datagrams}) == 1
    names = {tuple(take.bones(frame)) for frame in take.frames}
    assert len(names) == 1
    all_bones = {bone.value for bone in Bone} - {"UpperChest"}
    assert set(names.pop()) == (all_bones if PROFILES[take.profile] else set(BONES))


def test_frames_are_evenly_spaced(take: Take) -> None:
    last = [take.datagrams[frame[-1].datagram].at_s for frame in take.frames]
    gaps = np.diff(last)
    assert 30 < 1 / gaps.mean() < 66
    assert np.percentile(gaps, 75) < 0.05


def test_datagrams_fit_the_network(take: Take) -> None:
    assert max(len(one.data) for one in take.datagrams) <= MTU_BYTES - 100


def test_rotations_are_unit_quaternions_that_never_change_sign(take: Take) -> None:
    poses = np.stack([np.stack(list(take.bones(frame).values())) for frame in take.frames])
    assert np.isfinite(poses).all()
    np.testing.assert_allclose(np.linalg.norm(poses[..., 3:], axis=-1), 1.0, atol=1e-5)
    assert ((poses[1:, :, 3:] * poses[:-1, :, 3:]).sum(-1) > 0).all()


def test_time_increases_and_tracking_is_set(take: Take) -> None:
    times = [message.values[0] for frame in take.frames for message in frame if message.address == "/VMC/Ext/T"]
    assert times[0] == 0.0
    assert all(b > a for a, b in pairwise(times))  # type: ignore[operator]
    tracked = [
        StateEvent.from_message_data("", m.address, m.values).tracking_state for f in take.frames for m in f[-2:-1]
    ]
    assert tracked[0] is TrackingState.BAD
    assert tracked[-5] is TrackingState.OK
