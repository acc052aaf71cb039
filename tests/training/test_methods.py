"""Ways of training by name."""

from dataclasses import astuple, replace

import pytest

from pose_rig.errors import UsageError
from pose_rig.training.methods import METHODS, TERMS, Weights, method

NAMES = ", ".join(METHODS)


def weighed(weights: Weights) -> set[str]:
    return {name for name, value in zip(TERMS, astuple(weights), strict=True) if value}


def test_every_term_weighs_in_some_method_and_every_method_has_some() -> None:
    used = {name: weighed(each.early) | weighed(each.late) for name, each in METHODS.items()}
    assert set().union(*used.values()) == set(TERMS)
    assert all(used.values())
    assert all(min(astuple(each.early) + astuple(each.late)) >= 0 for each in METHODS.values())


def test_methods_have_their_names() -> None:
    assert all(method(name).name == name for name in METHODS)
    with pytest.raises(UsageError) as error:
        method("magic")
    assert str(error.value) == f"Unknown training method 'magic'. Use one of {NAMES}."


def test_only_the_supervised_ones_read_the_truth() -> None:
    assert {name for name, each in METHODS.items() if each.early.supervised or each.late.supervised} == {
        "supervised",
        "taught",
    }


@pytest.mark.parametrize("name", ["csm-s1", "csm-s1s2", "ours-sp"])
def test_stages_switch_at_their_share_of_the_steps(name: str) -> None:
    one = method(name)
    assert 0 < one.switch < 1
    assert one.early != one.late
    assert one.weights(0.0) == one.weights(one.switch - 1e-6) == one.early
    assert one.weights(one.switch) == one.weights(1.0) == one.late


@pytest.mark.parametrize("name", ["released", "released-s1s2"])
def test_the_released_second_stage_never_comes(name: str) -> None:
    one = method(name)
    assert one.released
    assert one.early != one.late
    assert all(one.weights(step / 1000) == one.early for step in range(1000))


def test_step_two_is_what_the_second_script_adds() -> None:
    first, second = method("csm-s1"), method("csm-s1s2")
    added = {"rep2", "view2", "consistent", "lifts"}
    for one, two in ((first.early, second.early), (first.late, second.late)):
        assert weighed(two) - weighed(one) == added
        assert replace(two, **dict.fromkeys(added, 0.0)) == one


def test_terms_can_be_switched_off_by_name_in_both_stages() -> None:
    whole = method("csm-s1s2")
    some = whole.without(("cam", "lifts"))
    for now, before in ((some.early, whole.early), (some.late, whole.late)):
        assert weighed(now) == weighed(before) - {"cam", "lifts"}
        assert replace(now, cam=before.cam, lifts=before.lifts) == before
    assert whole.without(()) == whole
    with pytest.raises(UsageError) as error:
        whole.without(("cam", "camera"))
    assert str(error.value) == f"Unknown loss term 'camera'. Use one of {', '.join(TERMS)}."


def test_a_loss_term_must_be_left() -> None:
    with pytest.raises(UsageError) as error:
        method("canonpose").without(("rep", "view", "cam"))
    assert str(error.value) == "canonpose without rep, view, cam has no loss term left. Keep at least one of them."
    with pytest.raises(UsageError, match=r"^supervised without supervised has no loss term left\."):
        method("supervised").without(("supervised",))
    assert weighed(method("canonpose").without(("rep", "view")).early) == {"cam"}


def test_what_makes_the_difference_can_be_chosen_one_by_one() -> None:
    paper = method("canonpose")
    bent = paper.with_bend(0.3)
    assert (bent.early.bend, bent.late.bend) == (0.3, 0.3)
    assert bent.with_bend(0.0) == paper
    other = replace(paper, frame="ray", rotation="6d", perspective=True)
    assert (other.frame, other.rotation, other.perspective) == ("ray", "6d", True)
    assert (other.early, other.late) == (paper.early, paper.late)
