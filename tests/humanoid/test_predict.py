import numpy as np
import pytest

from pose_rig.humanoid.predict import FASTEST_M_S, MOST_MS, SHORTEST_S, Lead

S = 1e9
HZ = 60.0


def told(places: np.ndarray, hz: float = HZ) -> Lead:
    lead = Lead()
    for i, place in enumerate(places):
        lead.take(round(i / hz * S), np.asarray(place, float), anew=False)
    return lead


def test_what_moves_evenly_is_found_where_it_will_be() -> None:
    speed = np.array([[1.0, -2.0, 0.5], [0.0, 0.0, 3.0]])
    lead = told(np.arange(20)[:, None, None] / HZ * speed)
    for ahead_s in (0.02, 0.06, 0.15):
        np.testing.assert_allclose(lead.ahead(ahead_s), (19 / HZ + ahead_s) * speed, atol=1e-6)


def test_nothing_ahead_is_where_it_is() -> None:
    places = np.random.default_rng(1).normal(size=(10, 17, 3))
    np.testing.assert_array_equal(told(places).ahead(0.0), places[-1])


@pytest.mark.parametrize("count", [1, 2])
def test_too_little_is_no_reason_to_look_ahead(count: int) -> None:
    places = np.random.default_rng(1).normal(size=(count, 17, 3))
    np.testing.assert_array_equal(told(places).ahead(0.1), places[-1])


@pytest.mark.parametrize("ahead_ms", [20.0, 50.0, 100.0, MOST_MS])
def test_noise_does_not_grow_with_the_way_ahead(ahead_ms: float) -> None:
    noise = np.random.default_rng(1).normal(0, 1e-2, (3000, 30, 3))
    grown = [told(noise[i : i + 20]).ahead(ahead_ms * 1e-3).std() for i in range(0, 2900, 100)]
    assert 1.0 < np.median(grown) / 1e-2 < 2.2


def test_a_new_frame_of_the_rig_is_no_movement() -> None:
    lead = told(np.zeros((20, 5, 3)))
    lead.take(round(20 / HZ * S), np.full((5, 3), 2.0), anew=True)
    np.testing.assert_array_equal(lead.ahead(0.1), 2.0)


def test_time_that_goes_back_is_a_new_beginning() -> None:
    lead = told(np.zeros((20, 5, 3)))
    lead.take(0, np.full((5, 3), 2.0), anew=False)
    np.testing.assert_array_equal(lead.ahead(0.1), 2.0)


def test_other_joints_are_a_new_beginning() -> None:
    lead = told(np.zeros((20, 5, 3)))
    lead.take(round(S), np.ones((6, 3)), anew=False)
    assert lead.ahead(0.1).shape == (6, 3)


def test_nothing_goes_faster_than_people_do() -> None:
    places = np.zeros((10, 1, 3))
    places[-1, 0, 0] = 5.0
    assert told(places).ahead(0.1)[0, 0] <= 5.0 + 0.1 * FASTEST_M_S + 1e-9


def test_it_remembers_no_more_than_it_needs() -> None:
    lead = told(np.zeros((5000, 2, 3)))
    assert len(lead._past) <= max(SHORTEST_S, MOST_MS * 1e-3) * HZ + 2
