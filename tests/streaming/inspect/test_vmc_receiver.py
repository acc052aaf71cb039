import tracemalloc
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.osc_message import OscMessage

from pose_rig.humanoid.bones import UNITY_PARENT
from pose_rig.humanoid.rest_pose import RestPoseEstimator
from pose_rig.streaming.inspect.vmc_receiver import (
    MAX_BLENDS,
    MAX_OTHERS,
    MAX_SENDERS,
    Ok,
    Transform,
    VmcReceiver,
    printable,
)
from pose_rig.streaming.vmc import PROFILES, VmcEncoder
from tests.streaming.live import live
from tests.streaming.people import person
from tests.streaming.vmc_messages import FRAME_NS, NAMES, bone, bones, bundle, frame, message, ok, root, time

RNG = np.random.default_rng(0)

Frame = Sequence[bytes]


def received(frames: Sequence[Frame], apart_ns: int = 100_000) -> VmcReceiver:
    """Returns a receiver of frames at 60 Hz, with that time between the datagrams of a frame."""
    receiver = VmcReceiver()
    for i, datagrams in enumerate(frames):
        for k, datagram in enumerate(datagrams):
            receiver.add(datagram, i * FRAME_NS + k * apart_ns, "127.0.0.1:50000")
    return receiver


def faults(receiver: VmcReceiver) -> dict[str, int]:
    return {fault.name: fault.count for fault in receiver.faults()}


def test_a_correct_sender_has_no_faults() -> None:
    receiver = received([frame(i) for i in range(150)])
    assert faults(receiver) == {}
    assert receiver.frames == 150
    assert receiver.rate_hz(150 * FRAME_NS) == pytest.approx(60, abs=0.1)
    assert receiver.rate_hz(150 * FRAME_NS + 3_000_000_000) == 0
    assert tuple(receiver.bones) == NAMES
    assert receiver.bones["Hips"] == Transform((0, 1, 0), (0, 0, 0, 1))
    assert receiver.root == Transform((0, 0, 0), (0, 0, 0, 1))
    assert receiver.ok == Ok(1, 3, 0, 1)
    assert receiver.t_s == pytest.approx(149 * FRAME_NS * 1e-9, abs=1e-5)
    assert list(receiver.senders) == ["127.0.0.1:50000"]
    assert receiver.datagrams == 300
    assert receiver.largest == len(frame(0)[0])


def test_messages_without_a_bundle_and_nested_bundles_are_decoded() -> None:
    loose = [part.dgram for part in (root(), *(bone(name) for name in NAMES), ok(), time(1.0))]
    nested = [bundle(bundle(root(), bundle(*(bone(name) for name in NAMES))), ok(), time(1.0)).dgram]
    for datagrams in (loose, nested):
        receiver = received([datagrams] * 10)
        assert faults(receiver) == {}
        assert (receiver.frames, tuple(receiver.bones)) == (10, NAMES)


def test_other_messages_are_listed() -> None:
    more = [
        message("/VMC/Ext/VRM", "C:\\avatars\\me.vrm", "Me"),
        message("/VMC/Ext/Blend/Val", "Joy", 0.5),
        message("/VMC/Ext/Blend/Val", "A", 0.1),
        message("/VMC/Ext/Blend/Apply"),
        message("/VMC/Ext/Hmd/Pos", "hmd", 0.0, 1.7, 0.0, 0.0, 0.0, 0.0, 1.0),
        message("/VMC/Ext/Hmd/Pos", "hmd", 0.0, 1.7, 0.0, 0.0, 0.0, 0.0, 1.0),
    ]
    receiver = received([[*(part.dgram for part in more), *frame(0)]])
    assert receiver.vrm == "C:\\avatars\\me.vrm"
    assert receiver.blends == 2
    assert receiver.others == {"/VMC/Ext/Hmd/Pos": 2}
    assert faults(receiver) == {}


def one(said: OscMessage) -> Callable[[int], Frame]:
    """Returns frames in which a message comes before OK and T."""
    return lambda i: [bundle(root(), bone("Hips"), said).dgram, frame(i)[1]]


def whole(*parts: OscMessage) -> Callable[[int], Frame]:
    """Returns frames of one bundle."""
    return lambda i: [bundle(*parts).dgram]


HIPS, SPINE = bone("Hips"), bone("Spine")
BROKEN: dict[str, tuple[Callable[[int], Frame], str, str, int]] = {
    "integers": (
        one(bone("Spine", (0, 1, 0), (0, 0, 0, 1))), "wrong types",
        "Numbers of the wrong type (Bone/Pos has 'iiiiiii' for 'fffffff'): EVMC4U ignores the whole message.", 30,
    ),
    "doubles": (
        one(bone("Spine", types="sdfffffd")), "wrong types", "Bone/Pos has 'dfffffd' for 'fffffff'", 30,
    ),
    "OK in floats": (
        whole(HIPS, message("/VMC/Ext/OK", 1.0, 3.0), time(1.0)), "wrong types", "OK has 'ff' for 'ii'", 30,
    ),
    "T as an integer": (whole(HIPS, ok(), message("/VMC/Ext/T", 4)), "wrong types", "T has 'i' for 'f'", 30),
    "OK alone": (whole(HIPS, message("/VMC/Ext/OK"), time(1.0)), "no arguments", "/VMC/Ext/OK without arguments", 30),
    "T alone": (whole(HIPS, ok(), message("/VMC/Ext/T")), "no arguments", "/VMC/Ext/T without arguments", 30),
    "no turn": (
        one(message("/VMC/Ext/Bone/Pos", "Spine", 0.0, 0.1, 0.0)), "short messages",
        "/VMC/Ext/Bone/Pos with too few arguments", 30,
    ),
    "no name": (one(message("/VMC/Ext/Bone/Pos", *[0.0] * 8)), "short messages", "without a bone name", 30),
    "nothing": (one(message("/VMC/Ext/Bone/Pos")), "short messages", "/VMC/Ext/Bone/Pos", 30),
    "nan": (one(bone("Spine", (0.0, float("nan"), 0.0))), "not finite", "NaN or infinite (Bone/Pos)", 30),
    "unknown": (one(bone("spine_01")), "unknown bones", "Bones that Unity's humanoid does not have (spine_01)", 30),
    "zero": (
        one(bone("Spine", (0.0, 0.0, 0.0))), "zero positions",
        "Bones at 0, 0, 0 of their parents (Spine): EVMC4U applies positions, and the avatar collapses.", 30,
    ),
    "long": (one(bone("Spine", rotation=(0.0, 0.0, 0.0, 1.1))), "not normalised", "not of length 1 (Spine)", 30),
    "child first": (whole(SPINE, HIPS, ok(), time(1.0)), "children first", "(Spine before Hips)", 30),
    "grandchild first": (whole(bone("Chest"), HIPS, ok(), time(1.0)), "children first", "(Chest before Hips)", 30),
    "OK first": (whole(ok(), time(1.0), HIPS, SPINE), "bones after OK", "Bones after the OK and T of their frame", 29),
    "T between": (whole(HIPS, time(1.0), SPINE, ok(), time(1.0)), "T too often", "More than one T per frame", 59),
    "T twice": (whole(HIPS, SPINE, ok(), time(1.0), time(1.0)), "T too often", "More than one T per frame", 30),
    "loading": (whole(HIPS, ok(0, 3, 0, 1), time(1.0)), "not loaded", "no model loaded", 30),
    "calibrating": (whole(HIPS, ok(1, 2, 0, 1), time(1.0)), "not calibrated", "state 2 instead of 3", 30),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_faults_are_described(name: str) -> None:
    said, fault, text, count = BROKEN[name]
    receiver = received([said(i) for i in range(30)])
    (found,) = (found for found in receiver.faults() if found.name == fault)
    assert text in found.sentence
    assert found.count == count
    assert set(faults(receiver)) <= {fault, "bones after OK"}  # a T in the middle is one before bones too


def test_numbers_of_the_wrong_type_are_decoded() -> None:
    receiver = received([[bone("Spine", (0, 1, 0), (0, 0, 0, 1)).dgram]])
    assert receiver.bones["Spine"].position == (0, 1, 0)


def test_large_datagrams_are_a_fault() -> None:
    receiver = received([[bundle(*(bone(name) for name in UNITY_PARENT), ok(), time(0.0)).dgram]])
    fault = receiver.faults()[0]
    assert fault.sentence.startswith(f"Datagrams of up to {receiver.largest} bytes: networks fragment")
    assert receiver.largest > 4000


def test_ok_and_t_in_a_datagram_before_the_bones_are_a_fault() -> None:
    assert faults(received([frame(i)[::-1] for i in range(30)])) == {"bones after OK": 27}  # from the third in a row


def test_a_delayed_listener_reports_no_fault() -> None:
    receiver = VmcReceiver()
    for i in range(60):
        for k, datagram in enumerate(frame(i)):
            at_ns = i * FRAME_NS + k * 100_000
            receiver.add(datagram, max(at_ns, (at_ns // 300_000_000) * 300_000_000 + 200_000_000), "a:1")
    assert faults(receiver) == {}


def test_a_sign_flip_is_a_fault_and_a_rotation_is_not() -> None:
    still, y90 = (0.0, 0.0, 0.0, 1.0), (0.0, 0.70710678, 0.0, 0.70710678)
    for rotations, flips in (((still, y90, still), 0), ((still, (0.0, 0.0, 0.0, -1.0), still), 2)):
        receiver = received(
            [[bundle(bone("Head", rotation=rotation), ok(), time(0.0)).dgram] for rotation in rotations]
        )
        assert faults(receiver) == ({"sign flips": flips} if flips else {})


def test_missing_bones_are_a_fault() -> None:
    receiver = received([frame(i, NAMES if i % 10 else NAMES[:4]) for i in range(31)])
    assert faults(receiver) == {"missing bones": 3}
    assert "(Head)" in receiver.faults()[0].sentence


def test_missing_ok_and_t_are_faults() -> None:
    receiver = received([[bones().dgram] for _ in range(151)])
    assert receiver.frames == 150
    assert faults(receiver) == {"no OK": 50, "no T": 50}
    assert receiver.rate_hz(150 * FRAME_NS) == pytest.approx(60, abs=0.1)


def test_two_senders_are_a_fault_and_a_restarted_one_is_not() -> None:
    again, two, many = VmcReceiver(), VmcReceiver(), VmcReceiver()
    for i in range(200):
        for datagram in frame(i):
            again.add(datagram, i * FRAME_NS, "h:1" if i < 100 else "h:2")
            two.add(datagram, i * FRAME_NS, f"h:{i % 2}")
            many.add(datagram, i * FRAME_NS, f"h:{i}")
    assert faults(again) == {}
    assert faults(two) == {"several senders": 198}
    assert two.faults()[0].sentence == "h:0 and h:1 send alternately: receivers mix them, or follow the newest."
    assert faults(many) == {"several senders": 198}
    assert len(many.senders) == MAX_SENDERS


def test_noise_is_counted_and_never_raised() -> None:
    receiver = received([[b"hello"], frame(0), [b""]])
    assert (receiver.bad, receiver.datagrams, receiver.frames) == (2, 4, 1)
    (fault,) = receiver.faults()
    assert fault.name == "not OSC"
    assert fault.sentence.startswith("A datagram of 0 bytes that starts with '' is not OSC")


HOSTILE = {
    "a part that goes backwards": b"#bundle\0" + bytes(8) + (-4).to_bytes(4, "big", signed=True) + b"/a\0\0",
    "a part of no size": b"#bundle\0" + bytes(12),
    "a part that is too long": b"#bundle\0" + bytes(8) + (99).to_bytes(4, "big") + b"/a\0\0",
    "too many parts": b"#bundle\0" + bytes(8) + ((4).to_bytes(4, "big") + b"/a\0\0") * 5000,
    "a blob that goes backwards": b"/a\0\0,bb\0" + (-8).to_bytes(4, "big", signed=True),
    "text that is none": b"/\xff\xfe\0,s\0\0\xff\0\0\0",
    "arguments of unknown types": b"/a\0\0,[[[",
    "no end": b"/abc",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_datagrams_are_counted(name: str) -> None:
    receiver = VmcReceiver()
    receiver.add(HOSTILE[name], 0)
    assert receiver.bad == 1


def test_deeply_nested_bundles_are_decoded() -> None:
    data = b""
    for _ in range(1500):
        data = b"#bundle\0" + bytes(8) + (len(data).to_bytes(4, "big") + data if data else b"")
    receiver = VmcReceiver()
    receiver.add(data, 0)
    assert receiver.bad == 0


@given(st.lists(st.one_of(st.binary(max_size=64), st.binary(max_size=48).map(b"/VMC/Ext/OK\0,".__add__)), max_size=8))
def test_any_datagrams_are_accepted(datagrams: list[bytes]) -> None:
    receiver = received([datagrams])
    assert receiver.datagrams == len(datagrams)
    assert all(fault.sentence for fault in receiver.faults())


def test_memory_is_bounded() -> None:
    def flood(begin: int) -> None:
        for i in range(begin, begin + 1000):
            said = (bone(f"Bone{i}"), message(f"/x/{i}", "y"), message("/VMC/Ext/Blend/Val", f"b{i}", 0.0))
            receiver.add(bundle(*said).dgram, i * 1000, f"h:{i}")
            receiver.add(RNG.bytes(100), i * 1000, f"h:{i}")
            receiver.add(bone("Hips").dgram, i * 1000, f"h:{i}")

    receiver = VmcReceiver()
    flood(0)
    flood(1000)
    assert len(receiver.others) == MAX_OTHERS
    assert receiver.blends == MAX_BLENDS
    assert len(receiver.senders) == MAX_SENDERS
    tracemalloc.start()
    try:
        flood(2000)
        before = tracemalloc.get_traced_memory()[0]
        flood(3000)
        assert tracemalloc.get_traced_memory()[0] - before < 20_000
    finally:
        tracemalloc.stop()


def test_received_text_is_safe_to_print() -> None:
    assert printable("\x1b[2Jgone\nnext") == "·[2Jgone·next"
    assert printable("x" * 200) == "x" * 80 + "…"
    receiver = received([[bone("\x1b[31mHips").dgram, message("/\x07").dgram]])
    assert "\x1b" not in receiver.faults()[0].sentence
    assert receiver.others == {"/·": 1}


@pytest.mark.parametrize("profile", PROFILES)
def test_our_own_stream_has_no_faults(profile: str) -> None:
    subject, rest = person(1, seconds=3.0), RestPoseEstimator(1.75).rest
    encoder = VmcEncoder(all_bones=PROFILES[profile])
    frames = []
    for i in range(len(subject.t_ns)):
        datagrams = encoder.encode(live(subject, i, rest=rest), int(subject.t_ns[i]) + 1)
        frames.append([bytes(datagram) for datagram in datagrams])
    receiver = received(frames)
    assert receiver.faults() == []
    assert receiver.frames == len(frames)
    assert len(receiver.bones) == (21 if not PROFILES[profile] else 54)
    assert receiver.ok == Ok(1, 3, 0, 1)
    assert receiver.largest <= 1400
