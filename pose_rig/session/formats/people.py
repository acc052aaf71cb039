"""Poses of several people: as the rows of one table, in order of time, then of identity, and at common times.

Axes: N rows, T time steps of one person.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_rig.errors import UsageError
from pose_rig.session.formats.poses import ROWS, Poses, rate_hz

People = Poses | Sequence[Poses]


def chosen(people: Sequence[Poses], person: int | None) -> Poses | None:
    """Returns the poses of the person with this identity, None if there is none; of the lowest one by default."""
    if person is None:
        return people[0] if people else None
    return next((one for one in people if one.person == person), None)


def as_people(people: People) -> Sequence[Poses]:
    """Returns the poses of each person."""
    return [people] if isinstance(people, Poses) else people


def rate_of(people: Sequence[Poses]) -> float:
    """Returns the poses of a person per second: that of the times at which there is any."""
    return people[0].rate_hz if len(people) == 1 else rate_hz(np.unique(np.concatenate([one.t_ns for one in people])))


def at_common_times(people: Sequence[Poses], rate_hz: float | None = None) -> list[Poses]:
    """Returns the poses of all people at the same times, at a constant rate, as `Poses.resampled`.

    Args:
        people: The poses of each.
        rate_hz: Poses of a person per second; None = `rate_of` them.
    """
    if len(people) == 1:
        return [people[0].resampled(rate_hz)]
    span_ns = min(int(one.t_ns[0]) for one in people), max(int(one.t_ns[-1]) for one in people)
    return [one.resampled(rate_hz or rate_of(people), span_ns) for one in people]


def in_rows(people: Sequence[Poses]) -> tuple[Poses, NDArray[np.int32], NDArray[np.int64] | slice]:
    """Returns the rows of all people, the identity (N,) of each, and (N,) where it is in the joined ``people``.

    Of one person they are the poses themselves: nothing is copied.

    Raises:
        UsageError: The people have different joints.
    """
    first = people[0]
    if any(one.joints != first.joints for one in people):
        raise UsageError("People with different joints are no table.", "Write a file for each of them.")
    person = np.repeat(np.array([one.person for one in people], np.int32), [len(one) for one in people])
    if len(people) == 1:
        return first, person, slice(None)
    order = np.lexsort((person, np.concatenate([one.t_ns for one in people])))
    rows: dict[str, Any] = {name: np.concatenate([getattr(one, name) for one in people])[order] for name in ROWS}
    return replace(first, **rows), person[order], order


def of_each(rows: Poses, person: NDArray[np.integer]) -> list[Poses]:
    """Returns the poses of each person in rows with these identities (N,), in ascending order; one without rows."""
    found = np.unique(person).tolist()
    if len(found) < 2:
        return [replace(rows, person=found[0] if found else rows.person)]
    kept: list[dict[str, Any]] = [{name: getattr(rows, name)[person == one] for name in ROWS} for one in found]
    return [replace(rows, person=one, **values) for one, values in zip(found, kept, strict=True)]
