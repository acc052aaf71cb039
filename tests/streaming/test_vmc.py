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


def told(datagrams: list[memoryview]) -> tuple[list[int], float]:
    """Returns what OK and T say."""
    ok, t = OscBundle(bytes(datagrams[-1]))
    return ok.params, t.params[0]


def test_a_frame_says_where_bones_are_in_the_space_of_unity() -> None:
    somebody = person(4, seconds=0.2)
    said = read(VmcEncoder().encode(live(somebody, 3), S))
    np.testing.assert_array_equal(said["root"], [0, 0, 0, 0, 0, 0, 1])
    np.testing.assert_allclose(said["Hips"][:3], UNITY.points(somebody.root[3]), atol=1e-6)
    for i, name in enumerate(BONES):
        np.testing.assert_allclose(said[name][3:], UNITY.rotations(somebody.rotation[3, i]), atol=1e-6)
        if i:
            np.testing.assert_allclose(said[name][:3], UNITY.points(somebody.rest.offset[i]), atol=1e-6)
    assert said["LeftLowerArm"][0] < 0 < said["RightLowerArm"][0]


def test_the_root_may_carry_the_way_through_the_room() -> None:
    somebody = person(4, seconds=0.2)
    hips = read(VmcEncoder().encode(live(somebody), S))
    root = read(VmcEncoder(root="root").encode(live(somebody), S))
    np.testing.assert_array_equal(root["root"][[1, 3, 4, 5, 6]], [0, 0, 0, 0, 1])
    np.testing.assert_allclose(root["Hips"][[0, 2]], 0, atol=1e-12)
    np.testing.assert_allclose(root["root"][:3] + root["Hips"][:3], hips["Hips"][:3], atol=1e-6)
    np.testing.assert_array_equal(root["Hips"][3:], hips["Hips"][3:])


def test_an_avatar_of_half_the_size_walks_half_as_far_if_it_is_to_fit() -> None:
    somebody = person(4, seconds=0.2)
    own = person_avatar(somebody.rest)
    small = replace(own, translation=own.translation / 2, hips_height_m=own.hips_height_m / 2)
    fits = read(VmcEncoder(small, fit=True).encode(live(somebody, 3), S))
    true = read(VmcEncoder(small).encode(live(somebody, 3), S))
    np.testing.assert_allclose(fits["Hips"][:3], UNITY.points(somebody.root[3]) / 2, atol=1e-6)
    np.testing.assert_allclose(true["Hips"][:3], UNITY.points(somebody.root[3]), atol=1e-6)
    foot = somebody.rest.offset[INDEX["LeftFoot"]]
    np.testing.assert_allclose(fits["LeftFoot"][:3], UNITY.points(foot) / 2, atol=1e-6)


def test_rotations_keep_their_sign_when_the_pose_changes_its() -> None:
    somebody = person(4, seconds=0.2)
    encoder = VmcEncoder()
    before = read(encoder.encode(live(somebody), S))
    after = read(encoder.encode(live(somebody, rotation=-somebody.rotation[0]), 2 * S))
    for name in BONES:
        np.testing.assert_array_equal(before[name], after[name])


def test_bones_that_become_better_known_are_sent_so() -> None:
    somebody, other = person(4, seconds=0.2), person(5, seconds=0.2)
    encoder = VmcEncoder(all_bones=True)
    encoder.encode(live(somebody), S)
    said = read(encoder.encode(live(somebody, rest=other.rest), 2 * S))
    np.testing.assert_allclose(said["LeftFoot"][:3], UNITY.points(other.rest.offset[INDEX["LeftFoot"]]), atol=1e-6)


def test_an_avatar_of_ones_own_stays_as_it_is() -> None:
    somebody, other = person(4, seconds=0.2), person(5, seconds=0.2)
    avatar: Avatar = person_avatar(other.rest)
    encoder = VmcEncoder(avatar)
    encoder.encode(live(somebody), S)
    said = read(encoder.encode(live(somebody, rest=somebody.rest), 2 * S))
    np.testing.assert_allclose(said["LeftFoot"][:3], UNITY.points(other.rest.offset[INDEX["LeftFoot"]]), atol=1e-6)


def test_time_begins_with_the_first_frame_and_tracking_is_told() -> None:
    somebody = person(4, seconds=0.2)
    encoder = VmcEncoder()
    assert told(encoder.encode(live(somebody), 5 * S)) == ([1, 3, 0, 1], 0.0)
    assert told(encoder.encode(live(somebody, tracking=0), 7 * S)) == ([1, 3, 0, 0], 2.0)
