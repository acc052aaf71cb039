"""What the user changes while the rig runs: the body height, the origin, or everything that is known of the cameras."""

from collections.abc import Callable, Sequence

from pose_rig.config import HEIGHT_RANGE_M
from pose_rig.fusion.calibration.floor import origin_below
from pose_rig.fusion.estimator import Estimator
from pose_rig.wire.messages import Command

NO_FLOOR = "The floor was not set: that needs solved cameras, and a person they detect."
NO_HEIGHT = "The body height was not set: {!r} is not a number from {:g} to {:g} m."
NO_PERSON = "The body height was not set: there is no person {}."
MAX_SHOWN = 20  # characters of a value that is refused


def apply(command: Command, estimator: Estimator) -> str:
    """Does what a command asks of the estimator, before a time step; returns why not, empty if it was done."""
    if command.name == "re-solve":
        estimator.restart_with(None)
    elif command.name == "height":
        return _set_height(command.value, command.person, estimator)
    elif command.name == "floor":
        return _set_floor(estimator)
    return ""


def apply_all(commands: Sequence[Command], estimator: Estimator, reject: Callable[[str], None]) -> None:
    """Does what commands ask, in order; those that were not done are rejected with the reason."""
    for command in commands:
        if reason := apply(command, estimator):
            reject(reason)


def _set_height(text: str, person: int, estimator: Estimator) -> str:
    try:
        height_m = float(text)
    except ValueError:
        height_m = float("nan")
    if not HEIGHT_RANGE_M[0] <= height_m <= HEIGHT_RANGE_M[1]:
        return NO_HEIGHT.format(text[:MAX_SHOWN], *HEIGHT_RANGE_M)
    if person >= estimator.most_people:
        return NO_PERSON.format(person + 1)
    estimator.set_height(height_m, person)
    return ""


def _set_floor(estimator: Estimator) -> str:
    pose = estimator.evidence[0].pose if estimator.evidence else None
    if estimator.solution is None or pose is None:
        return NO_FLOOR
    estimator.move_origin(origin_below(pose.joints, estimator.heights.first_m))
    return ""
