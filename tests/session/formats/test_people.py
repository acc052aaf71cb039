"""Several people as one table, and at common times."""

from dataclasses import replace

import numpy as np
import pytest

from pose_rig.errors import SessionError, UsageError
from pose_rig.session.formats.people import at_common_times, chosen, in_rows, of_each, rate_of
from pose_rig.session.formats.poses import ROWS
from tests.session.posed import made
from tests.session.two_people import ASIDE_M, poses_of_two


def test_rows_are_in_order_of_time_then_of_identity_and_are_split_again() -> None:
    people = poses_of_two()
    rows, person, order = in_rows(people)
    assert len(rows) == len(person) == 42
    assert (np.diff(rows.t_ns) >= 0).all()
    assert person[:4].tolist() == [0, 1, 0, 1]
    assert person[10:28].tolist() == [0] * 18
    np.testing.assert_array_equal(np.concatenate([one.xyz for one in people])[order], rows.xyz)
    for one, wanted in zip(of_each(rows, person), people, strict=True):
        assert one.person == wanted.person
        for name in ROWS:
            np.testing.assert_array_equal(getattr(one, name), getattr(wanted, name))


def test_one_person_is_left_as_they_are() -> None:
    rows, person, _ = in_rows([made()])
    assert person.tolist() == [0] * 5
    for name in ROWS:
        np.testing.assert_array_equal(getattr(rows, name), getattr(made(), name))
    assert [one.person for one in of_each(rows, person)] == [0]
    assert [one.person for one in of_each(rows, person + 3)] == [3]
    assert len(of_each(made(0), person[:0])) == 1


def test_the_lowest_identity_is_chosen_unless_another_is_named() -> None:
    people = poses_of_two()
    assert chosen(people, None) is people[0]
    assert chosen(people, 1) is people[1]
    assert chosen(people, 2) is None
    assert chosen([], None) is None


def test_times_are_common_and_those_away_are_nan() -> None:
    first, second = at_common_times(poses_of_two(), 60.0)
    np.testing.assert_array_equal(first.t_ns, second.t_ns)
    assert len(first) == 30
    assert first.tracked.all()
    away = np.zeros(30, bool)
    away[5:23] = True
    np.testing.assert_array_equal(~second.tracked, away)
    assert (second.score[away] == 0).all()
    np.testing.assert_allclose(second.xyz[~away], first.xyz[~away] + ASIDE_M, atol=1e-6)


def test_someone_who_was_there_for_a_part_is_nan_elsewhere() -> None:
    first, second = poses_of_two()
    late = replace(second, **{name: getattr(second, name)[-4:] for name in ROWS})
    _, found = at_common_times([first, late])
    assert found.tracked.tolist() == [False] * 26 + [True] * 4
    once = replace(second, **{name: getattr(second, name)[:1] for name in ROWS})
    assert at_common_times([first, once])[1].tracked.tolist() == [True] + [False] * 29


def test_the_rate_is_that_of_all_time_steps() -> None:
    first, second = poses_of_two()
    every_other = {name: getattr(first, name)[::2] for name in ROWS}
    others = {name: getattr(second, name)[1::2] for name in ROWS}
    assert rate_of([first]) == rate_of([first, second]) == 60.0
    assert rate_of([replace(first, **every_other), replace(second, **others)]) == 60.0


def test_different_joints_are_no_table() -> None:
    first, second = poses_of_two()
    with pytest.raises(UsageError, match="People with different joints are no table"):
        in_rows([first, replace(second, joints=tuple(f"j{j}" for j in range(len(second.joints))))])


def test_many_who_come_and_go_are_split_fast_and_make_no_huge_table() -> None:
    rows = made(2000)
    one_each = of_each(rows, np.arange(2000)[::-1])
    assert [one.person for one in one_each[:2]] == [0, 1]
    assert one_each[0].t_ns.tolist() == rows.t_ns[-1:].tolist()
    with pytest.raises(SessionError, match=r"2000 people come and go: of 4\.0e\+06 poses at common times hardly any"):
        at_common_times(one_each)
    assert len(at_common_times(one_each[:100])) == 100
