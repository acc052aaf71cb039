import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.geometry import rotation_from_vector
from pose_rig.simulation.bodies import (
    BONE_LENGTH_SHARE,
    UPPER,
    define_centres,
    heading,
    mirror,
    mix,
    place_heads,
    random_bones,
    random_people,
    rebuild,
    rotate,
    swing_limbs,
)
from pose_rig.skeleton import INDEX, MIRROR, PARENTS, J
from tests.fusion.fakes import standing, walk

# the bones that a body is rebuilt from; thorax from the pelvis, nose from the head
RIGID = [(PARENTS[INDEX[name]], INDEX[name]) for name in INDEX if name.split("_")[-1] in (*BONE_LENGTH_SHARE, "head")]
RIGID = [(a, b) for a, b in RIGID if b not in (INDEX["thorax"], INDEX["nose"])]
RIGID += [(0, INDEX["thorax"]), (INDEX["head"], INDEX["nose"])]


def poses(count: int = 20) -> Floats:
    """(N,17,3) m, relative to the pelvis, turned all ways about the vertical."""
    joints = walk(6.0)[:: 180 // count][:count]
    turn = rotation_from_vector(np.stack([np.zeros(count), np.linspace(0, 6, count), np.zeros(count)], -1))
    return rotate(turn, joints - joints[:, :1])


def assert_middles_hold(joints: Floats) -> None:
    def mid(part: str) -> Floats:
        return np.asarray((joints[:, INDEX[f"l_{part}"]] + joints[:, INDEX[f"r_{part}"]]) / 2)

    assert np.allclose(joints[:, 0], 0)
    assert np.allclose(mid("hip"), 0)
    assert np.allclose(joints[:, INDEX["thorax"]], mid("shoulder"))
    assert np.allclose(joints[:, INDEX["spine"]], mid("shoulder") / 2)


def test_mirrored_twice_is_the_same_and_once_swaps_the_sides() -> None:
    joints = poses()
    assert np.array_equal(mirror(mirror(joints)), joints)
    once = mirror(joints)
    assert np.array_equal(once[:, INDEX["l_wrist"]], joints[:, INDEX["r_wrist"]] * [-1, 1, 1])
    assert sorted(MIRROR) == list(range(J))


def test_heading_turns_people_to_face_z() -> None:
    joints = poses()
    facing = rotate(heading(joints), joints)
    left = facing[:, INDEX["l_hip"]] - facing[:, INDEX["r_hip"]]
    assert (left[:, 0] > 0.9 * np.linalg.norm(left, axis=-1)).all()
    assert np.allclose(heading(facing), np.eye(3), atol=1e-9)
    assert np.allclose(heading(standing()[None]), np.eye(3))
    assert np.allclose(facing[..., 1], joints[..., 1])


def test_heading_of_a_body_without_width_is_a_rotation() -> None:
    turn = heading(np.zeros((2, J, 3)))
    assert np.isfinite(turn).all()


def test_rebuilt_bodies_have_the_requested_bones() -> None:
    joints, lengths = poses(), random_bones(20, np.random.default_rng(0))
    out = rebuild(joints, lengths)
    assert_middles_hold(out)
    # shoulders hang on a thorax that is then moved between them: what is rigid is each arm, leg and the head
    for parent, child in RIGID:
        if parent in (0, INDEX["thorax"]):
            continue
        got = np.linalg.norm(out[:, child] - out[:, parent], axis=-1)
        assert np.allclose(got, lengths[:, child]), (parent, child)
    for side in "lr":
        shoulder = np.linalg.norm(out[:, INDEX[f"{side}_shoulder"]] - out[:, INDEX["thorax"]], axis=-1)
        assert np.allclose(shoulder, lengths[:, INDEX[f"{side}_shoulder"]], rtol=0.1)


def test_rebuilt_bones_keep_their_directions() -> None:
    joints = poses()
    out = rebuild(joints, random_bones(20, np.random.default_rng(1)))
    for parent, child in ((INDEX["l_knee"], INDEX["l_ankle"]), (INDEX["r_elbow"], INDEX["r_wrist"])):
        before, after = joints[:, child] - joints[:, parent], out[:, child] - out[:, parent]
        cosine = (before * after).sum(-1) / np.linalg.norm(before, axis=-1) / np.linalg.norm(after, axis=-1)
        assert np.allclose(cosine, 1)


def test_define_middles_moves_nothing_but_the_middles() -> None:
    joints = poses() + np.random.default_rng(2).normal(0, 0.02, (20, J, 3))
    out = define_centres(joints)
    assert_middles_hold(out)
    shift = (joints[:, INDEX["l_hip"]] + joints[:, INDEX["r_hip"]]) / 2
    assert np.allclose(out[:, INDEX["l_wrist"]], joints[:, INDEX["l_wrist"]] - shift)


def test_random_bones_are_human() -> None:
    bones = random_bones(4000, np.random.default_rng(3))
    assert bones.shape == (4000, J)
    for part in ("knee", "ankle", "elbow", "wrist"):
        left, right = bones[:, INDEX[f"l_{part}"]], bones[:, INDEX[f"r_{part}"]]
        assert left.mean() == pytest.approx(1.70 * BONE_LENGTH_SHARE[part], rel=0.02)
        assert 0.05 < left.std() / left.mean() < 0.15
        assert np.abs(left / right - 1).mean() < 0.03
    assert (bones[:, [INDEX["pelvis"], INDEX["spine"]]] == 0).all()


def test_mixing_puts_one_persons_trunk_on_anothers_legs() -> None:
    lower, upper = poses(20)[:10], poses(20)[10:]
    out = mix(lower, upper)
    legs = [INDEX[f"{side}_{part}"] for side in "lr" for part in ("hip", "knee", "ankle")]
    assert np.allclose(out[:, legs], rotate(heading(lower), lower)[:, legs])
    assert np.allclose(out[:, UPPER], rotate(heading(upper), upper)[:, UPPER])


def test_swung_limbs_keep_their_lengths_and_their_roots() -> None:
    joints = poses()
    out = swing_limbs(joints, np.random.default_rng(4))
    for side in "lr":
        for root, middle, end in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle")):
            i, j, k = (INDEX[f"{side}_{name}"] for name in (root, middle, end))
            assert np.allclose(out[:, i], joints[:, i])
            for a, b in ((i, j), (j, k)):
                assert np.allclose(
                    np.linalg.norm(out[:, b] - out[:, a], axis=-1), np.linalg.norm(joints[:, b] - joints[:, a], axis=-1)
                )
            assert np.linalg.norm(out[:, k] - joints[:, k], axis=-1).mean() > 0.05


def test_heads_face_roughly_as_the_body() -> None:
    out = place_heads(np.repeat(standing()[None], 500, 0), np.random.default_rng(5))
    nose = out[:, INDEX["nose"]] - out[:, INDEX["head"]]
    assert np.allclose(np.linalg.norm(nose, axis=-1), np.linalg.norm(nose[0]))
    assert (nose[:, 2] > 0).mean() > 0.9
    assert np.allclose(np.delete(out, INDEX["nose"], 1), np.delete(standing(), INDEX["nose"], 0))


@pytest.mark.parametrize("vary", [True, False])
def test_random_people_are_finite_varied_and_repeatable(vary: bool) -> None:
    draws = (poses(20), poses(20)[::-1].copy())
    out = random_people(draws, np.random.default_rng(6), vary=vary)
    assert out.shape == (20, J, 3)
    assert np.isfinite(out).all()
    assert_middles_hold(out)
    assert np.array_equal(out, random_people(draws, np.random.default_rng(6), vary=vary))
    assert not np.allclose(out, random_people(draws, np.random.default_rng(7), vary=vary), atol=0.01)
    assert np.ptp(out, axis=1).max(-1).min() > 0.6
    assert np.ptp(out, axis=1).max(-1).max() < 2.3
