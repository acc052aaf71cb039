"""Bundle adjustment against finite differences and exact scenes."""

from dataclasses import replace

import numpy as np
import pytest

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.body_scale import EARS_TO_ANKLES
from pose_rig.fusion.calibration.bundle import adjustment
from pose_rig.fusion.calibration.bundle.adjustment import adjust, linearise, robust_cost
from pose_rig.fusion.calibration.bundle.covariance import camera_covariance
from pose_rig.fusion.calibration.bundle.direction_bias import B
from pose_rig.fusion.calibration.bundle.priors import Priors, prior_cost
from pose_rig.fusion.calibration.bundle.reprojection import FRAMES_PER_INDEPENDENT, Tracks, residuals
from pose_rig.fusion.calibration.bundle.segments import (
    LENGTH_INDEX,
    LENGTH_PER_HEIGHT,
    POINTS,
    SEGMENTS,
    STANDING,
    L,
)
from pose_rig.fusion.calibration.bundle.state import BundleState, C
from pose_rig.fusion.calibration.initialise import with_points
from pose_rig.geometry import angle_deg, rotation_from_vector
from pose_rig.simulation.bodies import rebuild
from pose_rig.skeleton import INDEX
from tests.fusion.simulated import (
    HEIGHT_M,
    LENGTH_M,
    acrobat,
    aligned,
    blurred,
    calibration,
    points_of,
    relative_deg,
    truth,
    usual_bones,
)

P = len(POINTS)
STEP = 1e-5


def step_of(state: BundleState, values: Floats) -> BundleState:
    """The state after a step (V·C + H·L + N·P·3,)."""
    first = len(state.log_focal_scale) * C
    cameras, length, points = np.split(values, [first, first + state.length.size])
    length = length.reshape(state.length.shape)
    return state.updated(cameras.reshape(-1, C), length, points.reshape(state.points.shape))


def gradient_of(state: BundleState, tracks: Tracks, priors: Priors) -> Floats:
    """Gradient of the cost from `linearise`, in the order of `step_of`."""
    system = linearise(state, tracks, priors)
    return -np.concatenate([system.gradient_global, system.gradient_points.ravel()])


def disturbed(state: BundleState, rng: np.random.Generator, size: float = 1.0) -> BundleState:
    """A state some degrees, centimetres and per cent off."""
    views = len(state.log_focal_scale)
    cameras = rng.normal(0, 1, (views, C)) * [0.05, 0.05, 0.05, 0.15, 0.15, 0.15, 0.08, 0.0] * size
    return state.updated(cameras, rng.normal(0, 0.02, L) * size, rng.normal(0, 0.06, state.points.shape) * size)


def test_segments_have_the_lengths_of_their_bones() -> None:
    points = points_of(acrobat(4))
    span = np.linalg.norm(SEGMENTS @ points, axis=-1)
    assert span == pytest.approx(np.tile(LENGTH_M[LENGTH_INDEX], (4, 1)), abs=2e-4)


def test_residuals_are_in_standard_deviations_and_zero_at_the_truth() -> None:
    state, tracks, _ = truth(acrobat(3), calibration(3, k1=0.07))
    *_, square = residuals(state, tracks)
    assert square.shape == (3, 3, P)
    assert square == pytest.approx(np.zeros_like(square), abs=1e-6)  # the lens of the images is OpenCV's
    off = Tracks(tracks.xy + tracks.sd[..., None] * [3.0, 4.0], tracks.sd, tracks.weight)
    *_, square = residuals(state, off)
    assert square == pytest.approx(np.full_like(square, 25.0), rel=1e-4)


@pytest.mark.parametrize("heights_m", [(HEIGHT_M,), (HEIGHT_M, None), (HEIGHT_M, 1.6, None), (None, 1.6, 1.9)])
def test_the_gradient_equals_finite_differences_of_the_cost(heights_m: tuple[float | None, ...]) -> None:
    """All parameters: cameras, lengths, points; with outliers, tied focal lengths and different weights."""
    rng = np.random.default_rng(0)
    state, tracks, priors = truth(acrobat(4), calibration(3, focal_px=(800.0, 1000.0, 1200.0), k1=0.05))
    tracks = blurred(tracks, rng, outliers=0.2)
    tracks = replace(tracks, weight=rng.uniform(0, 1, tracks.weight.shape))
    same = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]], bool)
    priors = replace(
        priors,
        log_focal_scale=priors.log_focal_scale + 0.1,
        log_focal_scale_sd=np.array([0.35, 0.02, 0.1]),
        same_model=same,
    )
    priors = replace(priors, heights_m=heights_m)
    if len(heights_m) > 1:
        tracks = replace(tracks, person=np.array([1, 0, 1, len(heights_m) - 1]))
        state = replace(state, length=np.stack([LENGTH_M * share for share in (1.0, 0.8, 1.1)][: len(heights_m)]))
    state = disturbed(state, rng)
    slope = gradient_of(state, tracks, priors)
    for k, stated in enumerate(slope):
        step = np.zeros(len(slope))
        step[k] = STEP
        rise = robust_cost(step_of(state, step), tracks, priors) - robust_cost(step_of(state, -step), tracks, priors)
        assert rise / (2 * STEP) == pytest.approx(stated, rel=1e-4, abs=1e-3 * np.abs(slope).max() * STEP + 1e-2), k


def test_the_gradient_by_the_bias_equals_finite_differences() -> None:
    """The derivatives by cameras and points leave out that these change the direction of view."""
    rng = np.random.default_rng(1)
    state, tracks, priors = truth(acrobat(4), calibration(3, k1=0.05))
    state = replace(state, bias=rng.normal(0, 1, B))
    tracks = replace(blurred(tracks, rng), weight=rng.uniform(0, 1, tracks.weight.shape))
    slope = -linearise(state, tracks, priors).gradient_global[-B:]
    for k, stated in enumerate(slope):
        step = STEP * (np.arange(B) == k)
        costs = [robust_cost(replace(state, bias=state.bias + sign * step), tracks, priors) for sign in (1, -1)]
        assert (costs[0] - costs[1]) / (2 * STEP) == pytest.approx(stated, rel=1e-4, abs=1e-4), k


def test_the_hessian_equals_the_curvature_at_the_truth() -> None:
    """At zero error Gauss–Newton is exact: the matrix is the derivative of the gradient."""
    state, tracks, priors = truth(acrobat(2), calibration(3, focal_px=(800.0, 1000.0, 1200.0), k1=0.05))
    span = np.linalg.norm(SEGMENTS @ state.points, axis=-1)
    state = replace(state, length=np.array([[span[:, i == LENGTH_INDEX].mean() for i in range(L)]]))
    same = ~np.eye(3, dtype=bool)
    priors = replace(priors, same_model=same)
    system = linearise(state, tracks, priors)
    whole, globals_count = np.zeros((len(gradient_of(state, tracks, priors)),) * 2), len(system.hessian_global)
    whole[:globals_count, :globals_count] = system.hessian_global
    for n, (e, b) in enumerate(zip(system.hessian_cross, system.hessian_points, strict=True)):
        at = slice(globals_count + n * 3 * P, globals_count + (n + 1) * 3 * P)
        whole[at, at], whole[at, :globals_count], whole[:globals_count, at] = b, e, e.T
    rng = np.random.default_rng(1)
    for _ in range(20):
        direction = rng.normal(0, 1, len(whole))
        ahead, behind = (gradient_of(step_of(state, sign * 1e-6 * direction), tracks, priors) for sign in (1, -1))
        curved = (ahead - behind) / 2e-6
        assert curved == pytest.approx(whole @ direction, rel=1e-3, abs=2e-3 * np.abs(curved).max())


def test_a_point_behind_a_camera_has_no_gradient() -> None:
    state, tracks, priors = truth(acrobat(2), calibration(2))
    behind = state.points.copy()
    behind[0, 3] = -state.rotation[1].T @ (state.translation[1] + [0.0, 0.0, 2.0])
    system = linearise(replace(state, points=behind), tracks, priors)
    only_first = replace(tracks, weight=tracks.weight * (np.arange(2) == 0)[:, None])
    expected = linearise(replace(state, points=behind), only_first, priors)
    assert system.hessian_cross[0, 3 * 3 : 3 * 4, C : 2 * C] == pytest.approx(np.zeros((3, C)))
    assert system.gradient_points[0, 3 * 3 : 3 * 4] == pytest.approx(expected.gradient_points[0, 3 * 3 : 3 * 4])


@pytest.mark.parametrize("views", [2, 3, 4])
def test_exact_keypoints_give_the_exact_rig(views: int) -> None:
    cameras = calibration(views, focal_px=(850.0, 1000.0, 1150.0))
    state, tracks, priors = truth(acrobat(24), cameras)
    start = disturbed(state, np.random.default_rng(0), 0.6)
    assert relative_deg(start.rotation, state.rotation).max() > 1
    found, cost = adjust(start, tracks, priors, 60)
    assert cost < 0.01
    assert relative_deg(found.rotation, state.rotation).max() < 0.02
    assert found.log_focal_scale == pytest.approx(state.log_focal_scale, abs=1e-3)
    assert found.k1 == pytest.approx(np.zeros(views), abs=1e-3)
    assert found.length[0] == pytest.approx(LENGTH_M, rel=2e-3)
    points, true = found.points.reshape(-1, 3), state.points.reshape(-1, 3)
    assert np.linalg.norm(aligned(points, true) - true, axis=-1).max() < 2e-3


def test_the_scale_follows_the_segments() -> None:
    state, tracks, priors = truth(acrobat(24), calibration(3))
    taller = replace(priors, heights_m=(2 * HEIGHT_M,))
    start = BundleState.from_cameras(
        state.rotation, 2 * state.translation, state.log_focal_scale, state.k1, 2 * HEIGHT_M
    )
    found, _ = adjust(replace(start, points=2 * state.points), tracks, taller)
    assert found.length[0] == pytest.approx(2 * LENGTH_M, rel=2e-3)
    centre = [-np.einsum("vji,vj->vi", s.rotation, s.translation) for s in (state, found)]
    apart = [np.linalg.norm(c[1] - c[0]) for c in centre]
    assert apart[1] == pytest.approx(2 * apart[0], rel=2e-3)


@pytest.mark.parametrize("noise", [False, True])
def test_a_standing_person_is_as_tall_as_stated_whatever_the_other_proportions(noise: bool) -> None:
    """Wide hips and shoulders, long arms and a long nose; with noise, a smaller person would cost less."""
    bones, rng = usual_bones(), np.random.default_rng(3)
    for part, factor in {"hip": 1.25, "shoulder": 1.15, "elbow": 1.1, "wrist": 1.1, "nose": 1.4}.items():
        bones[[i for joint, i in INDEX.items() if joint.split("_")[-1] == part]] *= factor
    people = acrobat(60)
    people = rebuild(people - people[:, :1], np.tile(bones, (len(people), 1))) + people[:, :1]
    state, tracks, priors = truth(people, calibration(4))
    tracks = blurred(tracks, rng) if noise else tracks
    found, _ = adjust(with_points(state, tracks), tracks, priors, 60)
    assert STANDING @ found.length[0] == pytest.approx(EARS_TO_ANKLES * HEIGHT_M, rel=1e-3)
    size, true_size = (np.linalg.norm(points - points.mean(1, keepdims=True), axis=(1, 2)) for points in
                       (found.points, state.points))  # fmt: skip
    assert np.median(size / true_size) == pytest.approx(1.0, abs=0.015)


def test_the_gauge_view_is_fixed() -> None:
    state, tracks, priors = truth(acrobat(12), calibration(3))
    start = disturbed(state, np.random.default_rng(3))
    found, _ = adjust(start, tracks, replace(priors, gauge_view=1))
    assert angle_deg(found.rotation[1], start.rotation[1]) < 0.01
    assert found.translation[1] == pytest.approx(start.translation[1], abs=1e-4)
    assert np.linalg.norm(found.translation[0] - start.translation[0]) > 0.05


def test_the_radial_term_is_found() -> None:
    cameras = calibration(3, focal_px=(700.0,), k1=-0.08)
    state, tracks, priors = truth(acrobat(30), cameras)
    sharp = Tracks(tracks.xy, 0.1 * tracks.sd, tracks.weight)
    start = replace(disturbed(state, np.random.default_rng(4), 0.5), k1=np.zeros(3))
    found, _ = adjust(with_points(start, sharp), sharp, priors, 60)
    assert found.k1 == pytest.approx(np.full(3, -0.08), abs=0.02)
    assert relative_deg(found.rotation, state.rotation).max() < 0.05


@pytest.mark.parametrize("seed", [0, 1])
def test_a_fifth_of_outliers_has_little_effect(seed: int) -> None:
    state, tracks, priors = truth(acrobat(40), calibration(3, focal_px=(850.0, 1000.0, 1150.0)))
    rng = np.random.default_rng(seed)
    tracks = blurred(Tracks(tracks.xy, 0.25 * tracks.sd, tracks.weight), rng, outliers=0.2)
    soft = replace(tracks, sd=3 * tracks.sd)  # as `self_solve` does: what is far off pulls at first
    near, _ = adjust(disturbed(state, rng, 0.5), soft, priors)
    found, _ = adjust(near, tracks, priors)
    assert relative_deg(found.rotation, state.rotation).max() < 0.5
    assert found.log_focal_scale == pytest.approx(state.log_focal_scale, abs=0.03)


def test_cameras_of_one_model_share_the_focal_length() -> None:
    rng = np.random.default_rng(5)
    state, tracks, priors = truth(acrobat(16), calibration(3))
    tracks = blurred(tracks, rng)
    apart, _ = adjust(state, tracks, priors)
    tied, _ = adjust(state, tracks, replace(priors, same_model=~np.eye(3, dtype=bool)))
    assert np.ptp(tied.log_focal_scale) < 0.5 * np.ptp(apart.log_focal_scale)
    assert np.ptp(tied.log_focal_scale) < 0.015


def test_what_is_usual_of_a_lens_counts_once_for_all_cameras_of_a_model() -> None:
    _, _, priors = truth(acrobat(4), calibration(4))
    tied = np.zeros((4, 4), bool)
    tied[np.ix_([0, 2, 3], [0, 2, 3])] = True
    model = replace(priors, same_model=tied & ~np.eye(4, dtype=bool)).of_models()
    root = np.sqrt([3.0, 1.0, 3.0, 3.0])
    np.testing.assert_allclose(model.log_focal_scale_sd, root * priors.log_focal_scale_sd)
    np.testing.assert_allclose(model.k1_sd, root * priors.k1_sd)
    state = BundleState.from_cameras(
        np.tile(np.eye(3), (4, 1, 1)), np.zeros((4, 3)), 0.2 + priors.log_focal_scale, priors.k1, HEIGHT_M
    )
    apart, once = (prior_cost(state, one) for one in (priors, model))
    of_lens = (0.2 / priors.log_focal_scale_sd[0]) ** 2
    assert apart - once == pytest.approx((4 - 2) * of_lens)


def two_people(rng: np.random.Generator) -> tuple[BundleState, Tracks, Priors]:
    """A disturbed state of two people, of whom each view misses a fifth, and detections with outliers."""
    joints = acrobat(24)
    state, tracks, priors = truth(joints, calibration(4))
    person = np.arange(24) % 2
    points = state.points + np.where(person == 1, 0.8, 0.0)[:, None, None] * [1.0, 0.0, 0.0]
    state = replace(state, points=points, length=np.tile(state.length, (2, 1)))
    xy = residuals(state, tracks)[1]
    wrong = rng.random(xy.shape[:-1]) < 0.1
    xy = xy + wrong[..., None] * rng.normal(0, 10, xy.shape) * tracks.sd[..., None]
    weight = tracks.weight * (rng.random(tracks.weight.shape[:2]) > 0.2)[..., None]
    tracks = blurred(replace(tracks, xy=xy, weight=weight, person=person), rng)
    cameras = rng.normal(0, 1, (4, C)) * [0.05, 0.05, 0.05, 0.15, 0.15, 0.15, 0.08, 0.0]
    start = state.updated(cameras, np.zeros((2, L)), rng.normal(0, 0.1, points.shape))
    return start, tracks, replace(priors, heights_m=(HEIGHT_M, None))


@pytest.mark.parametrize("seed", [0, 3, 6])
def test_several_people_are_adjusted_to_the_minimum(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    start, tracks, priors = two_people(np.random.default_rng(seed))
    found, cost = adjust(start, tracks, priors, 60)
    assert cost == pytest.approx(robust_cost(found, tracks, priors))
    assert 0 <= cost - adjust(found, tracks, priors, 60)[1] < 1
    monkeypatch.setattr(adjustment, "SEVERAL_PEOPLE", adjustment.ONE_PERSON)
    assert adjust(start, tracks, priors)[1] > cost + 2


def test_a_focal_length_with_a_tight_prior_is_kept() -> None:
    rng = np.random.default_rng(6)
    state, tracks, priors = truth(acrobat(16), calibration(3))
    sure = replace(priors, log_focal_scale_sd=np.array([0.001, 0.35, 0.35]))
    found, _ = adjust(disturbed(state, rng, 0.3), blurred(tracks, rng), sure)
    assert found.log_focal_scale[0] == pytest.approx(state.log_focal_scale[0], abs=0.003)


def test_a_camera_without_detections_has_no_effect_on_the_others() -> None:
    state, tracks, priors = truth(acrobat(16), calibration(4))
    blind = replace(tracks, weight=tracks.weight * (np.arange(4) != 3)[:, None])
    found, _ = adjust(disturbed(state, np.random.default_rng(7), 0.5), blind, priors, 60)
    assert relative_deg(found.rotation[:3], state.rotation[:3]).max() < 0.05
    assert all(np.isfinite(value).all() for value in (found.rotation, found.translation, found.points))


def test_the_cost_never_rises() -> None:
    rng = np.random.default_rng(8)
    state, tracks, priors = truth(acrobat(10), calibration(3))
    tracks, start = blurred(tracks, rng, 0.1), disturbed(state, rng)
    costs = [adjust(start, tracks, priors, rounds)[1] for rounds in (0, 1, 2, 4, 8, 30)]
    assert costs[0] == pytest.approx(robust_cost(start, tracks, priors))
    assert (np.diff(costs) <= 1e-9).all()
    assert costs[-1] < 0.2 * costs[0]


def charted(found: BundleState, state: BundleState) -> Floats:
    """(V·C,) differences of cameras: rotation, centre, log focal scale, k1."""
    out = np.zeros((len(state.log_focal_scale), C))
    for v, (turn, true) in enumerate(zip(found.rotation, state.rotation, strict=True)):
        small = turn @ true.T
        out[v, :3] = 0.5 * np.array([small[2, 1] - small[1, 2], small[0, 2] - small[2, 0], small[1, 0] - small[0, 1]])
        out[v, 3:6] = -turn.T @ found.translation[v] + true.T @ state.translation[v]
    out[:, 6], out[:, 7] = found.log_focal_scale - state.log_focal_scale, found.k1 - state.k1
    return out.ravel()


def gauge(state: BundleState) -> Floats:
    """(V·C,7) change of the cameras under small similarities of the whole rig."""
    columns = []
    for k in range(7):
        change = 1e-6 * np.eye(7)[k]
        turn, scale = rotation_from_vector(change[:3]), 1 + change[6]
        rotation = state.rotation @ turn.T
        centre = scale * (-np.einsum("vji,vj->vi", state.rotation, state.translation) @ turn.T + change[3:6])
        moved = replace(state, rotation=rotation, translation=-np.einsum("vij,vj->vi", rotation, centre))
        columns.append(charted(moved, state) / 1e-6)
    return np.stack(columns, -1)


def test_the_gauge_is_projected_out_of_the_covariance() -> None:
    state, tracks, priors = truth(acrobat(12), calibration(3))
    sure = camera_covariance(state, tracks, priors)
    assert sure == pytest.approx(sure.T, abs=1e-12)
    assert np.linalg.eigvalsh(sure).min() > -1e-12
    directions = gauge(state)
    directions = directions / np.linalg.norm(directions, axis=0)
    usual = np.trace(sure) / len(sure)
    for direction in directions.T:
        assert abs(direction @ sure @ direction) < 1e-6 * usual
    rng = np.random.default_rng(0)
    other = rng.normal(0, 1, len(sure))
    other /= np.linalg.norm(other)
    assert other @ sure @ other > 0.01 * usual


def test_a_principal_point_beside_the_centre_moves_the_cameras_as_the_covariance_states() -> None:
    """Its share of the covariance is the square of what such a principal point does to the solution."""
    state, tracks, priors = truth(acrobat(16), calibration(3))
    state = replace(state, bias=np.zeros(B))
    at_centre, _ = adjust(state, tracks, priors)
    sd, rest = np.array([0.0, 0.01, 0.0]), camera_covariance(at_centre, tracks, priors)
    stated = camera_covariance(at_centre, tracks, replace(priors, principal_point_sd=sd)) - rest
    basis, _ = np.linalg.qr(gauge(at_centre))
    found = np.zeros_like(stated)
    for axis in np.eye(2):
        shifted = replace(tracks, xy=tracks.xy + (sd[:, None] * axis)[:, None])
        moved = charted(adjust(at_centre, shifted, replace(priors, principal_point_sd=sd))[0], at_centre)
        moved = moved - basis @ (basis.T @ moved)
        found += np.outer(moved, moved)
    assert np.sqrt(np.trace(found[C : C + 3, C : C + 3])) > np.radians(0.3)
    assert stated == pytest.approx(found, abs=0.05 * np.abs(found).max())


def test_four_times_the_keyframes_halve_the_standard_deviations() -> None:
    cameras = calibration(3)
    few, many = (camera_covariance(*truth(acrobat(count), cameras)) for count in (12, 48))
    ratio = np.sqrt(np.diag(few) / np.diag(many)).reshape(3, C)[:, :6]
    assert np.median(ratio) == pytest.approx(2.0, abs=0.4)


def test_the_covariance_equals_the_scatter_of_solutions() -> None:
    rng = np.random.default_rng(9)
    state, tracks, priors = truth(acrobat(16), calibration(3, focal_px=(700.0,)))
    stated = camera_covariance(state, tracks, priors)
    basis, _ = np.linalg.qr(gauge(state))
    off = np.stack([charted(adjust(state, blurred(tracks, rng), priors)[0], state) for _ in range(30)])
    off = off - off @ basis @ basis.T
    scatter, sd = (off**2).mean(0).reshape(3, C), np.diag(stated).reshape(3, C)
    for part in (slice(0, 3), slice(3, 6), slice(6, 7)):  # the radial term leans on its prior
        # what is seen here errs independently from instant to instant, which the covariance does not count on
        ratio = np.sqrt(FRAMES_PER_INDEPENDENT * scatter[:, part].sum() / sd[:, part].sum())
        assert 0.7 < ratio < 1.4, (part, ratio)
    size, directions = np.linalg.eigh(stated)
    free = size > 1e-9 * size.max()
    assert free.sum() == 3 * C - 7
    along = np.sqrt(FRAMES_PER_INDEPENDENT * ((off @ directions[:, free]) ** 2).mean(0) / size[free])
    assert along.max() < 2.2


def test_lengths_are_anthropometric() -> None:
    shares = dict(zip(LENGTH_INDEX.tolist(), LENGTH_PER_HEIGHT[LENGTH_INDEX].tolist(), strict=True))
    assert len(shares) == L
    assert pytest.approx(EARS_TO_ANKLES, abs=1e-3) == STANDING @ LENGTH_PER_HEIGHT
    assert INDEX["nose"] in POINTS
    assert INDEX["head"] in POINTS
