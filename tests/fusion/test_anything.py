"""Whatever points come, however they lie, a step of the fusion returns numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.rig_solution import RigSolution
from pose_rig.fusion.estimator import Estimator
from pose_rig.fusion.pose.sync import Sample
from pose_rig.fusion.rig.background import BackgroundCompute
from pose_rig.graph import Engine
from pose_rig.skeleton import J, landmarks
from tests.fusion.fakes import config, finite, unsolved
from tests.fusion.simulated import LENGTH_M, calibration, images, stroll

VIEWS = 3
CAMERAS = calibration(VIEWS)
SEEN = images(stroll(4.0, 15.0), CAMERAS)
SETS = {name: landmarks(name) for name in ("rig17", "mediapipe33")}
SHAPES = ("spot", "line", "upright line", "corner", "noise", "far", "person", "person", "another person")
STEPS_NS = (0, 1, 66_000_000, 66_000_000, 66_000_000, 3_000_000_000, -100_000_000, 20_000_000_000)


def points(rng: np.random.Generator, shape: str, person: Floats) -> Floats:
    """(K,2) px."""
    count = len(person)
    along = rng.uniform(0, 1, (count, 1))
    return {
        "spot": np.tile(rng.uniform(0, 1000, 2), (count, 1)),
        "line": along * [700, 300] + [100, 100],
        "upright line": along * [0, 500] + [640, 100],
        "corner": np.zeros((count, 2)),
        "noise": rng.uniform(0, 1000, (count, 2)),
        "far": rng.normal(0, 1e6, (count, 2)),
        "another person": person + rng.normal(0, 60, (count, 2)),
    }.get(shape, person)


def sample(rng: np.random.Generator, t_ns: int, shape: str, person: Floats, sure: bool) -> Sample | None:
    """Up to three people of a shape, scored 0.9 or anyhow; sometimes no frame at all."""
    people, count = int(rng.choice([0, 1, 1, 2, 3])), len(person)
    xy = np.stack([points(rng, shape, person) for _ in range(people)] or [np.zeros((0, 2))])[:people]
    score = np.full((people, count), 0.9) if sure else rng.choice([0.0, 0.5, 1.0], (people, count))
    xy = np.where(score[..., None] > 0, xy.reshape(people, count, 2), 0.0)
    return None if rng.random() < 0.1 else Sample(t_ns, xy, score)


def made(engine: Engine, known: bool, schema: str) -> Estimator:
    fixed = RigSolution(CAMERAS, LENGTH_M, np.zeros((0, J, 3)), 1.0, 1.0, np.inf) if known else None
    out = Estimator(config(VIEWS), engine, BackgroundCompute(solve=unsolved), fixed)
    for view in range(VIEWS):
        out.set_camera(view, (1280, 720), schema)
    return out


@pytest.mark.parametrize("known", [False, True])
@given(
    seed=st.integers(0, 2**32 - 1),
    schema=st.sampled_from(sorted(SETS)),
    steps=st.lists(
        st.tuples(st.sampled_from(SHAPES), st.booleans(), st.booleans(), st.sampled_from(STEPS_NS)),
        min_size=8,
        max_size=24,
    ),
)
def test_whatever_comes_every_step_gives_numbers(
    engine: Engine, known: bool, seed: int, schema: str, steps: list[tuple[str, bool, bool, int]]
) -> None:
    rng, rig, t_ns = np.random.default_rng(seed), made(engine, known, schema), 0
    owner = np.argmax(SETS[schema].weights, axis=0)
    for index, (shape, sure, alike, step_ns) in enumerate(steps):
        t_ns = max(0, t_ns + step_ns)
        samples = [sample(rng, t_ns, shape, SEEN[index, view, owner], sure) for view in range(VIEWS)]
        if alike:
            samples = [samples[0]] * VIEWS
        out = rig.step(t_ns, samples)
        assert finite(out)
        if out.tracking and out.mode == "solved":
            assert (np.linalg.eigvalsh(out.covariance) > -1e-9).all()
        assert all(isinstance(state.note, str) for state in rig.rig_state().cameras)
