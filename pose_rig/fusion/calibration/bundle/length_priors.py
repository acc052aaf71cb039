"""Prior knowledge of people's segment lengths: body heights and proportions.

Known body heights set the scale: the mean size of those people is held, and each may differ from it by as much as
people of equal height do. The size of a person of unknown height follows from the images; only proportions count.

Axes: H people, L lengths.
"""

from collections.abc import Iterator, Sequence
from itertools import zip_longest

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.config import ASSUMED_HEIGHT_M
from pose_rig.fusion.calibration.bundle.normal_equations import NormalEquations
from pose_rig.fusion.calibration.bundle.segments import LENGTH_PER_HEIGHT, RELATIVE_LENGTH_SD, STANDING, L

# Of the person's size: a person who stands straight is as tall as the body height says. Images do not determine it, and
# segments vary by centimetres, which are fewer in a smaller rig: noise would shrink what is not held: everything to
# 0.6–0.8 without this prior, by 0.3 % with the standard deviation between people of equal height, 0.015.
SIZE_SD = 0.003
BETWEEN_PEOPLE_SD = 0.015
# Of an unknown body height, as a share of the assumed one: so wide that a child does not make the rig larger.
UNKNOWN_HEIGHT_SD = 0.3
_UNKNOWN = LENGTH_PER_HEIGHT * ASSUMED_HEIGHT_M
_UNKNOWN_INFORMATION = np.linalg.inv(
    np.diag((RELATIVE_LENGTH_SD * _UNKNOWN) ** 2) + UNKNOWN_HEIGHT_SD**2 * np.outer(_UNKNOWN, _UNKNOWN)
)


def length_cost(length: Floats, heights_m: Sequence[float | None]) -> float:
    """Returns the sum of squared differences of lengths (H,L) from the priors, in standard deviations.

    Args:
        length: (H,L) m.
        heights_m: (H) body heights, at least one; None where it is unknown, as behind the last.
    """
    cost, sizes = 0.0, []
    for own, height_m in zip_longest(length, heights_m):
        if height_m is None:
            cost += float((own - _UNKNOWN) @ _UNKNOWN_INFORMATION @ (own - _UNKNOWN))
            continue
        mean = LENGTH_PER_HEIGHT * height_m
        cost += (((own - mean) / (RELATIVE_LENGTH_SD * mean)) ** 2).sum()
        sizes.append(STANDING @ own / (STANDING @ mean) - 1)
    size = np.array(sizes)
    cost += (size.mean() / SIZE_SD) ** 2
    return float(cost + (((size - size.mean()) / BETWEEN_PEOPLE_SD) ** 2).sum())


def add_length_priors(system: NormalEquations, length: Floats, heights_m: Sequence[float | None], first: int) -> None:
    """Adds the priors of the lengths, which are the globals from ``first`` on; arguments as of `length_cost`."""
    hessian, gradient = system.hessian_global, system.gradient_global
    for person, (own, height_m) in enumerate(zip_longest(length, heights_m)):
        at = np.arange(L) + first + person * L
        if height_m is None:
            hessian[np.ix_(at, at)] += _UNKNOWN_INFORMATION
            gradient[at] += _UNKNOWN_INFORMATION @ (_UNKNOWN - own)
        else:
            mean = LENGTH_PER_HEIGHT * height_m
            hessian[at, at] += (RELATIVE_LENGTH_SD * mean) ** -2
            gradient[at] += (mean - own) / (RELATIVE_LENGTH_SD * mean) ** 2
    at = np.arange(length.size) + first
    for row, target in _size_rows(len(length), heights_m):
        hessian[np.ix_(at, at)] += row[:, None] * row
        gradient[at] += row * (target - row @ length.ravel())


def _size_rows(people: int, heights_m: Sequence[float | None]) -> Iterator[tuple[Floats, float]]:
    """Yields rows (H·L,) whose products with all lengths are numbers of standard deviations 1, and those numbers.

    The first is the mean size; the others, if there are several of known height, are what each differs from the mean.
    """
    known = {person: height_m for person, height_m in enumerate(heights_m) if height_m is not None}

    def row(shares: dict[int, float]) -> Floats:
        out = np.zeros((people, L))
        for person, sd in shares.items():
            out[person] = STANDING / (STANDING @ (LENGTH_PER_HEIGHT * known[person]) * sd)
        return out.ravel()

    count = len(known)
    yield row(dict.fromkeys(known, count * SIZE_SD)), 1 / SIZE_SD
    for person in known if count > 1 else ():
        own = row({person: BETWEEN_PEOPLE_SD})
        yield own - row(dict.fromkeys(known, count * BETWEEN_PEOPLE_SD)), 0.0
