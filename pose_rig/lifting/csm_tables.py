"""Constant matrices of the Cross-view Self-fusion Module (`pose_rig.lifting.csm`), on any device.

Bilinear forms are one product with a constant matrix each. 3×3 matrices are stored row-major as nine numbers, 2×2 ones
as four.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

Entries = Mapping[int, Mapping[int, float]]  # [column][row]


@dataclass(frozen=True, slots=True)
class Tables:
    """The matrices (rows, columns) and the indices.

    Attributes:
        eye3: (9,) identity.
        minor_a, minor_b: (18,) entries of a 3×3 matrix whose products are the halves of its minors.
        minors: (18,9) differences of these products: the cofactors.
        expansion: (9,1) the determinant, three times, expanded along each row.
        spread3: (3,9) v → v, v, v.
        sum3: (9,3) row sums.
        rotation_gradient: (27,3) and rotation_hessian: (27,9) of the moments Σ p (f, a p, b p)ᵀ, three rows of nine:
            (f) → Σ p × f, (a p, b p) → Σ [p]ₓᵀ diag(a, a, b) [p]ₓ.
        quaternion: (16,9) products of quaternion entries → entries of |q|² times the rotation matrix.
        quaternion_norm: (16,1) the same products → |q|².
        half_angle: (3,4) a rotation vector → its quaternion without the real part.
        identity_quaternion: (4,).
        plane_a, plane_b: (36,) entries of a rotation: with (a, b) = 00, 01, 10, 11 the nine products a_i b_j of its
            rows, those in the image plane.
        ray_a, ray_b: (9,) the same for (a, b) = 22, along the ray.
        four_times: (9,36) a matrix, four times.
        sum9: (36,4) sums of nine.
        twice4: (4,8) a covariance 2×2, twice.
        on_diagonal: (2,8) two variances, each on the diagonal of one of two covariances.
        adjugate, reversed: (8,) entries of two matrices 2×2.
        adjugate_rows: (8,4) signed sums of products: adjugates times vectors.
        determinant: (8,2) products of opposite entries → determinants.
        e_by_column: (2,8) and e_twice: (2,4) a vector, repeated.
        each_twice: (2,4) x, y → x, x, y, y.
        first_over_second: (2,1) half the difference.
        trace: (4,1) half the trace.
    """

    eye3: Tensor
    minor_a: Tensor
    minor_b: Tensor
    minors: Tensor
    expansion: Tensor
    spread3: Tensor
    sum3: Tensor
    rotation_gradient: Tensor
    rotation_hessian: Tensor
    quaternion: Tensor
    quaternion_norm: Tensor
    half_angle: Tensor
    identity_quaternion: Tensor
    plane_a: Tensor
    plane_b: Tensor
    ray_a: Tensor
    ray_b: Tensor
    four_times: Tensor
    sum9: Tensor
    twice4: Tensor
    on_diagonal: Tensor
    adjugate: Tensor
    reversed: Tensor
    adjugate_rows: Tensor
    determinant: Tensor
    e_by_column: Tensor
    e_twice: Tensor
    each_twice: Tensor
    first_over_second: Tensor
    trace: Tensor


def tables(like: Tensor) -> Tables:
    """Returns the matrices on the device and in the precision of a tensor."""
    return _tables(like.device, like.dtype)


@cache
def _tables(device: torch.device, dtype: torch.dtype) -> Tables:
    rotation_hessian: Entries = {
        0: {23: 1, 16: 1}, 4: {23: 1, 6: 1}, 8: {3: 1, 13: 1},
        1: {7: -1}, 3: {7: -1}, 2: {5: -1}, 6: {5: -1}, 5: {14: -1}, 7: {14: -1},
    }  # fmt: skip
    values: dict[str, Tensor] = {
        "eye3": torch.eye(3).flatten(),
        "minors": torch.cat([torch.eye(9), -torch.eye(9)]),
        "expansion": torch.full((9, 1), 1 / 3, dtype=dtype),
        "spread3": _linear(3, 9, {i * 3 + j: {j: 1} for i in range(3) for j in range(3)}),
        "sum3": _linear(9, 3, {i: {3 * i: 1, 3 * i + 1: 1, 3 * i + 2: 1} for i in range(3)}),
        "rotation_gradient": _linear(27, 3, {0: {11: 1, 19: -1}, 1: {18: 1, 2: -1}, 2: {1: 1, 9: -1}}),
        "rotation_hessian": _linear(27, 9, rotation_hessian),
        "quaternion": _linear(16, 9, _quaternion_products()),
        "quaternion_norm": _linear(16, 1, {0: {0: 1, 5: 1, 10: 1, 15: 1}}),
        "half_angle": _linear(3, 4, {1: {0: 0.5}, 2: {1: 0.5}, 3: {2: 0.5}}),
        "identity_quaternion": torch.tensor([1.0, 0.0, 0.0, 0.0]),
        "four_times": torch.eye(9).repeat(1, 4),
        "sum9": _linear(36, 4, {k: {9 * k + i: 1 for i in range(9)} for k in range(4)}),
        "twice4": torch.eye(4).repeat(1, 2),
        "on_diagonal": _linear(2, 8, {0: {0: 1}, 3: {0: 1}, 4: {1: 1}, 7: {1: 1}}),
        "adjugate_rows": _linear(8, 4, {0: {0: 1, 1: -1}, 1: {2: -1, 3: 1}, 2: {4: 1, 5: -1}, 3: {6: -1, 7: 1}}),
        "determinant": _linear(8, 2, {0: {0: 0.5, 1: -0.5, 2: -0.5, 3: 0.5}, 1: {4: 0.5, 5: -0.5, 6: -0.5, 7: 0.5}}),
        "e_by_column": torch.eye(2).repeat(1, 4),
        "e_twice": torch.eye(2).repeat(1, 2),
        "each_twice": _linear(2, 4, {0: {0: 1}, 1: {0: 1}, 2: {1: 1}, 3: {1: 1}}),
        "first_over_second": torch.tensor([[-0.5], [0.5]]),
        "trace": torch.tensor([0.5, 0.0, 0.0, 0.5])[:, None],
    }
    indices = {
        "minor_a": _cyclic(1, 1) + _cyclic(1, 2),
        "minor_b": _cyclic(2, 2) + _cyclic(2, 1),
        "plane_a": [3 * a + i for a in (0, 0, 1, 1) for i in range(3) for _ in range(3)],
        "plane_b": [3 * b + j for b in (0, 1, 0, 1) for _ in range(3) for j in range(3)],
        "ray_a": [6, 6, 6, 7, 7, 7, 8, 8, 8],
        "ray_b": [6, 7, 8, 6, 7, 8, 6, 7, 8],
        "adjugate": [3, 1, 2, 0, 7, 5, 6, 4],
        "reversed": [3, 2, 1, 0, 7, 6, 5, 4],
    }
    with torch.inference_mode(False):
        return Tables(
            **{name: value.to(device, dtype) for name, value in values.items()},
            **{name: torch.tensor(index, device=device) for name, index in indices.items()},
        )


def _linear(rows: int, columns: int, table: Entries) -> Tensor:
    """Returns the (rows,columns) matrix with the entries ``table[column][row]``."""
    out = torch.zeros(rows, columns)
    for column, entries in table.items():
        for row, value in entries.items():
            out[row, column] = value
    return out


def _quaternion_products() -> Entries:
    """Returns the entries of `Tables.quaternion`."""
    w, x, y, z = range(4)

    def at(a: int, b: int) -> int:
        return 4 * a + b

    def diagonal(axis: int) -> dict[int, float]:
        return {at(i, i): 1.0 if i in (w, axis) else -1.0 for i in range(4)}

    return {
        0: diagonal(x), 4: diagonal(y), 8: diagonal(z),
        1: {at(x, y): 2, at(w, z): -2}, 2: {at(x, z): 2, at(w, y): 2},
        3: {at(x, y): 2, at(w, z): 2}, 5: {at(y, z): 2, at(w, x): -2},
        6: {at(x, z): 2, at(w, y): -2}, 7: {at(y, z): 2, at(w, x): 2},
    }  # fmt: skip


def _cyclic(row: int, column: int) -> list[int]:
    """Returns the row-major indices of a 3×3 matrix with rows and columns shifted cyclically."""
    return [(i + row) % 3 * 3 + (j + column) % 3 for i in range(3) for j in range(3)]


_tables(torch.device("cpu"), torch.float32)  # now: while `csm` is traced, how they are made would become part of it
