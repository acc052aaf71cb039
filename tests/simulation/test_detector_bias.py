import numpy as np

from pose_rig.arrays import Floats
from pose_rig.simulation.bodies import mirror
from pose_rig.simulation.cameras import Cameras, look_at
from pose_rig.simulation.detector_bias import HARMONICS, PARTS, SIN_1, SIN_2, DetectorBias
from pose_rig.skeleton import INDEX, MIRROR
from tests.fusion.fakes import standing

AZIMUTHS = np.radians([0.0, 30.0, 90.0, 135.0, 250.0])


def around(azimuth: Floats, height: float = 0.0) -> Cameras:
    """Cameras around a person at the origin who faces +z, with a roll that must not matter."""
    position = 4.0 * np.stack([np.sin(azimuth), 0 * azimuth + height / 4, np.cos(azimuth)], -1)
    count = len(azimuth)
    return Cameras(
        look_at(position, np.zeros(3)), position, np.full(count, 1000.0), np.tile([1280.0, 720.0], (count, 1))
    )


def zero() -> DetectorBias:
    return DetectorBias(*(np.zeros((len(PARTS), 2, HARMONICS)) for _ in range(3)))


def shares(bias: DetectorBias, cameras: Cameras, person: Floats) -> Floats:
    """(V,J,2) in shares of the person's size in the image."""
    xy, _ = cameras.project(person[None])
    return np.asarray(bias.shift_px(person[None], cameras)[:, 0] / np.ptp(xy, axis=-2).max(-1)[:, None, None])


def test_hips_shift_sideways_and_near_and_far_knees_differ_in_height() -> None:
    bias = zero()
    bias.azimuth[PARTS.index("hip"), 0, SIN_2] = 0.01
    bias.azimuth[PARTS.index("knee"), 1, SIN_1] = 0.008
    out = shares(bias, around(AZIMUTHS), standing())
    for side, sign in (("l", 1.0), ("r", -1.0)):
        np.testing.assert_allclose(out[:, INDEX[f"{side}_hip"], 0], 0.01 * np.sin(2 * AZIMUTHS), atol=2e-4)
        np.testing.assert_allclose(-out[:, INDEX[f"{side}_knee"], 1], sign * 0.008 * np.sin(AZIMUTHS), atol=2e-4)
    others = [i for name, i in INDEX.items() if name.split("_")[-1] not in ("hip", "knee")]
    assert not out[:, others].any()


def test_a_mirrored_person_in_a_mirrored_camera_has_the_mirrored_bias() -> None:
    bias, person = DetectorBias.random(np.random.default_rng(3)), standing()
    out = shares(bias, around(AZIMUTHS, 1.5), person)
    other = shares(bias, around(-AZIMUTHS, 1.5), mirror(person[None])[0])
    np.testing.assert_allclose(other[:, MIRROR] * [-1, 1], out, atol=1e-9)


def test_the_shift_follows_the_person_in_a_rolled_camera() -> None:
    bias, person, cameras = DetectorBias.random(np.random.default_rng(3)), standing(), around(AZIMUTHS)
    quarter = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    rolled = Cameras(quarter @ cameras.rotation, *cameras.arrays[1:])
    plain, turned = (bias.shift_px(person[None], each) for each in (cameras, rolled))
    np.testing.assert_allclose(turned, plain @ quarter[:2, :2].T, atol=1e-9)


def test_random_detectors_differ_and_have_the_measured_size() -> None:
    cameras, person = around(np.linspace(0, 2 * np.pi, 40)), standing()
    out = np.stack([shares(DetectorBias.random(np.random.default_rng(i)), cameras, person) for i in range(60)])
    rms = 100 * np.sqrt((out**2).mean((0, 1)))
    assert 0.8 < rms[INDEX["l_hip"], 0] < 1.4
    assert 0.4 < rms[INDEX["r_wrist"], 0] < 0.9
    assert out[:, :, INDEX["l_hip"]].std(0).min() > 0.003
    assert rms[INDEX["nose"]].max() < 0.7


def test_bent_limbs_have_another_bias() -> None:
    bias, person = zero(), standing()
    bias.flexion[PARTS.index("knee"), 1, 0] = 0.01
    bent = person.copy()
    bent[INDEX["l_ankle"]] = bent[INDEX["l_hip"]] + [0.0, 0.0, 0.1]
    out = shares(bias, around(AZIMUTHS), bent)
    assert out[:, INDEX["l_knee"], 1].max() < -0.005
    assert np.abs(out[:, INDEX["r_knee"], 1]).max() < 0.001
