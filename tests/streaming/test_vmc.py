from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pythonosc.osc_bundle import OscBundle

from pose_rig.humanoid.avatar import Avatar, person_avatar
from pose_rig.humanoid.bones import BONES, INDEX
from pose_rig.streaming.axes import UNITY
from pose_rig.streaming.vmc import VmcEncoder
from tests.streaming.live import live
from tests.streaming.people import person

S = 1_000_000_000


def read(datagrams: list[memoryview]) -> dict[str, NDArray[np.float64]]:
    """Returns root and bones by name, position and rotation (7)."""
    messages = [message for datagram in datagrams for message in OscBundle(bytes(datagram))]
    return {m.params[0]: np.array(m.params[1:]) for m in messages if m.address.endswith("/Pos")}


def ok_and_t(datagrams: list[memoryview]) -> tuple[list[int], float]:
    """Returns the arguments of OK and T."""
    ok, t = OscBundle(bytes(datagrams[-1]))
    return ok.params, t.params[0]


def test_bones_are_in_the_axes_of_unity() -> None:
    subject = person(4, seconds=0.2)
    sent = read(VmcEncoder().encode(live(subject, 3), S))
    np.testing.assert_array_equal(sent["root"], [0, 0, 0, 0, 0, 0, 1])
    np.testing.assert_allclose(sent["Hips"][:3], UNITY.points(subject.root[3]), atol=1e-6)
    for i, name in enumerate(BONES):
        np.testing.assert_allclose(sent[name][3:], UNITY.rotations(subject.rotation[3, i]), atol=1e-6)
        if i:
            np.testing.assert_allclose(sent[name][:3], UNITY.points(subject.rest.offset[i]), atol=1e-6)
    assert sent["LeftLowerArm"][0] < 0 < sent["RightLowerArm"][0]


def test_the_root_can_carry_the_translation() -> None:
    subject = person(4, seconds=0.2)
    hips = read(VmcEncoder().encode(live(subject), S))
    root = read(VmcEncoder(root="root").encode(live(subject), S))
    np.testing.assert_array_equal(root["root"][[1, 3, 4, 5, 6]], [0, 0, 0, 0, 1])
    np.testing.assert_allclose(root["Hips"][[0, 2]], 0, atol=1e-12)
    np.testing.assert_allclose(root["root"][:3] + root["Hips"][:3], hips["Hips"][:3], atol=1e-6)
    np.testing.assert_array_equal(root["Hips"][3:], hips["Hips"][3:])


def test_the_translation_is_scaled_to_the_legs_of_the_avatar() -> None:
    subject = person(4, seconds=0.2)
    own = person_avatar(subject.rest)
    small = replace(own, translation=own.translation / 2, hips_height_m=own.hips_height_m / 2)
    fits = read(VmcEncoder(small, fit=True).encode(live(subject, 3), S))
    true = read(VmcEncoder(small).encode(live(subject, 3), S))
    np.testing.assert_allclose(fits["Hips"][:3], UNITY.points(subject.root[3]) / 2, atol=1e-6)
    np.testing.assert_allclose(true["Hips"][:3], UNITY.points(subject.root[3]), atol=1e-6)
    foot = subject.rest.offset[INDEX["LeftFoot"]]
    np.testing.assert_allclose(fits["LeftFoot"][:3], UNITY.points(foot) / 2, atol=1e-6)


def test_rotations_keep_their_sign_when_the_pose_changes_sign() -> None:
    subject = person(4, seconds=0.2)
    encoder = VmcEncoder()
    before = read(encoder.encode(live(subject), S))
    after = read(encoder.encode(live(subject, rotation=-subject.rotation[0]), 2 * S))
    for name in BONES:
        np.testing.assert_array_equal(before[name], after[name])


def test_updated_bone_lengths_are_sent() -> None:
    subject, other = person(4, seconds=0.2), person(5, seconds=0.2)
    encoder = VmcEncoder(all_bones=True)
    encoder.encode(live(subject), S)
    sent = read(encoder.encode(live(subject, rest=other.rest), 2 * S))
    np.testing.assert_allclose(sent["LeftFoot"][:3], UNITY.points(other.rest.offset[INDEX["LeftFoot"]]), atol=1e-6)


def test_bone_lengths_of_a_user_avatar_do_not_change() -> None:
    subject, other = person(4, seconds=0.2), person(5, seconds=0.2)
    avatar: Avatar = person_avatar(other.rest)
    encoder = VmcEncoder(avatar)
    encoder.encode(live(subject), S)
    sent = read(encoder.encode(live(subject, rest=subject.rest), 2 * S))
    np.testing.assert_allclose(sent["LeftFoot"][:3], UNITY.points(other.rest.offset[INDEX["LeftFoot"]]), atol=1e-6)


def test_time_starts_with_the_first_frame_and_tracking_is_sent() -> None:
    subject = person(4, seconds=0.2)
    encoder = VmcEncoder()
    assert ok_and_t(encoder.encode(live(subject), 5 * S)) == ([1, 3, 0, 1], 0.0)
    assert ok_and_t(encoder.encode(live(subject, tracking=0), 7 * S)) == ([1, 3, 0, 0], 2.0)
