import numpy as np
import pytest
from pythonosc.osc_bundle import OscBundle

from pose_rig.arrays import Floats
from pose_rig.humanoid.bones import INDEX, forward_kinematics, multiply
from pose_rig.streaming.axes import UNITY
from pose_rig.streaming.vrchat import TRACKER_BONES, TrackerEncoder, euler_deg
from tests.streaming.live import live
from tests.streaming.people import about, person


def read(parts: tuple[str, ...], i: int = 5) -> dict[str, list[float]]:
    subject = person(6, seconds=0.5)
    (datagram,) = TrackerEncoder(parts).encode(live(subject, i), 0)
    return {message.address: message.params for message in OscBundle(bytes(datagram))}


def test_head_and_chosen_trackers_are_sent() -> None:
    said = read(("hip", "feet"))
    wanted = [f"/tracking/trackers/{name}/{kind}" for name in ("head", 1, 2, 3) for kind in ("position", "rotation")]
    assert list(said) == wanted
    assert all(len(numbers) == 3 and all(type(n) is float for n in numbers) for numbers in said.values())


def test_there_are_at_most_eight_trackers() -> None:
    numbers = {address.split("/")[3] for address in read(tuple(TRACKER_BONES))}
    assert numbers == {"head", *map(str, range(1, 9))}


def test_trackers_are_at_the_bones() -> None:
    subject = person(6, seconds=0.5)
    place, turned = forward_kinematics(subject.rest, subject.root[5], subject.rotation[5])
    said = read(("knees",))
    for number, bone in ((1, "LeftLowerLeg"), (2, "RightLowerLeg")):
        at, angles = (said[f"/tracking/trackers/{number}/{kind}"] for kind in ("position", "rotation"))
        np.testing.assert_allclose(at, UNITY.points(place[INDEX[bone]]), atol=1e-5)
        wanted = UNITY.rotations(turned[INDEX[bone]])
        assert abs(float(of_euler(np.array(angles)) @ wanted)) == pytest.approx(1.0, abs=1e-6)


def test_the_head_is_the_root_of_the_head_bone() -> None:
    """VRChat aligns the rooms by it; it is not the position of the eyes."""
    subject = person(6, seconds=0.5)
    place, _ = forward_kinematics(subject.rest, subject.root[5], subject.rotation[5])
    head = read(())["/tracking/trackers/head/position"]
    np.testing.assert_allclose(head, UNITY.points(place[INDEX["Head"]]), atol=1e-5)


def of_euler(angles_deg: Floats) -> Floats:
    """Returns the quaternion that Unity makes of Euler angles: about z, then x, then y."""
    x, y, z = (about(np.eye(3)[i] * angles_deg[i]) for i in range(3))
    return multiply(y, multiply(x, z))


def test_euler_angles_are_those_of_unity() -> None:
    turns = np.random.default_rng(1).normal(size=(300, 4))
    for q in turns / np.linalg.norm(turns, axis=-1, keepdims=True):
        assert abs(float(of_euler(np.array(euler_deg(*q.tolist()))) @ q)) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("pitch_deg", [90.0, -90.0])
@pytest.mark.parametrize("yaw_deg", [-170.0, -20.0, 0.0, 100.0])
def test_euler_angles_are_right_in_gimbal_lock(pitch_deg: float, yaw_deg: float) -> None:
    wanted = of_euler(np.array([pitch_deg, yaw_deg, 35.0]))
    angles = np.array(euler_deg(*wanted.tolist()))
    assert np.isfinite(angles).all()
    assert abs(float(of_euler(angles) @ wanted)) == pytest.approx(1.0, abs=1e-6)
