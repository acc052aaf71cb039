"""Poses of several people: as the rows of one table, in order of time, then of identity, and at common times.

Axes: N rows, T time steps of one person.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_rig.errors import SessionError, UsageError
from pose_rig.session.formats.poses import ROWS, Poses, resampled_count
from pose_rig.session.formats.poses import rate_hz as rate_of_times

MAX_PADDING = 64  # poses at common times for each that is known
MAX_UNCHECKED = 1 << 18  # fewer poses may have any padding
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
    return (
        people[0].rate_hz
        if len(people) == 1
        else rate_of_times(np.unique(np.concatenate([one.t_ns for one in people])))
    )


def at_common_times(people: Sequence[Poses], rate_hz: float | None = None) -> list[Poses]:
    """Returns the poses of all people at the same times, at a constant rate, as `Poses.resampled`.

    Args:
        people: The poses of each.
        rate_hz: Poses of a person per second; None = `rate_of` them.

    Raises:
        SessionError: So many people come and go that hardly any of these poses would be known.
    """
    if len(people) == 1:
        return [people[0].resampled(rate_hz)]
    span_ns = min(int(one.t_ns[0]) for one in people), max(int(one.t_ns[-1]) for one in people)
    rate_hz = rate_hz or rate_of(people)
    size = len(people) * resampled_count((span_ns[1] - span_ns[0]) * 1e-9, rate_hz)
    if size > MAX_UNCHECKED and size > MAX_PADDING * sum(map(len, people)):
        raise SessionError(
            f"{len(people)} people come and go: of {size:.1e} poses at common times hardly any would be known.",
            "Choose a person (--person) or a part (--start, --end).",
        )
    return [one.resampled(rate_hz, span_ns) for one in people]


def in_rows(people: Sequence[Poses]) -> tuple[Poses, NDArray[np.int64], NDArray[np.int64] | slice]:
    """Returns the rows of all people, the identity (N,) of each, and (N,) where it is in the joined ``people``.

    Of one person they are the poses themselves: nothing is copied.

    Raises:
        UsageError: The people have different joints.
    """
    first = people[0]
    if any(one.joints != first.joints for one in people):
        raise UsageError("People with different joints are no table.", "Write a file for each of them.")
    person = np.repeat(np.array([one.person for one in people], np.int64), [len(one) for one in people])
    if len(people) == 1:
        return first, person, slice(None)
    order = np.lexsort((person, np.concatenate([one.t_ns for one in people])))
    rows: dict[str, Any] = {name: np.concatenate([getattr(one, name) for one in people])[order] for name in ROWS}
    return replace(first, **rows), person[order], order


def of_each(rows: Poses, person: NDArray[np.integer]) -> list[Poses]:
    """Returns the poses of each person in rows with these identities (N,), in ascending order; one without rows."""
    found, counts = np.unique(person, return_counts=True)
    if len(found) < 2:
        return [replace(rows, person=int(found[0]) if len(found) else rows.person)]
    order, ends = np.argsort(person, kind="stable"), np.cumsum(counts)[:-1]
    out = []
    for one, mine in zip(found.tolist(), np.split(order, ends), strict=True):
        values: dict[str, Any] = {name: getattr(rows, name)[mine] for name in ROWS}
        out.append(replace(rows, person=one, **values))
    return out
