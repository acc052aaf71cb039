"""Vectors and quaternions of one instant, as plain numbers.

The solver goes from bone to bone, and for three or four numbers at a time numpy is ten times slower than floats.
Quaternions are x, y, z, w, as everywhere.
"""

import math

Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]

NONE: Quaternion = (0.0, 0.0, 0.0, 1.0)  # no turn
X: Vector = (1.0, 0.0, 0.0)
Y: Vector = (0.0, 1.0, 0.0)
Z: Vector = (0.0, 0.0, 1.0)
TINY = 1e-9
OPPOSITE = 1e-7  # 1 + cosine of two directions that have no shortest arc


def plus(a: Vector, b: Vector) -> Vector:
    """Returns a + b."""
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


def minus(a: Vector, b: Vector) -> Vector:
    """Returns a − b, the way from b to a."""
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


def scaled(a: Vector, factor: float) -> Vector:
    """Returns a × factor."""
    return a[0] * factor, a[1] * factor, a[2] * factor


def dot(a: Vector, b: Vector) -> float:
    """Returns a · b."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def cross(a: Vector, b: Vector) -> Vector:
    """Returns a × b."""
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def length(a: Vector) -> float:
    """Returns |a|."""
    return math.sqrt(a[0] * a[0] + a[1] * a[1] + a[2] * a[2])


def unit(a: Vector, otherwise: Vector) -> Vector:
    """Returns the direction of a vector; ``otherwise`` if it has none."""
    size = length(a)
    return scaled(a, 1 / size) if size > TINY else otherwise


def times(a: Quaternion, b: Quaternion) -> Quaternion:
    """Returns the unit quaternion that turns by ``b`` first and then by ``a``."""
    ax, ay, az, aw = a
    bx, by, bz, bw = b
    x = aw * bx + ax * bw + ay * bz - az * by
    y = aw * by - ax * bz + ay * bw + az * bx
    z = aw * bz + ax * by - ay * bx + az * bw
    w = aw * bw - ax * bx - ay * by - az * bz
    size = math.sqrt(x * x + y * y + z * z + w * w)
    return x / size, y / size, z / size, w / size


def back(q: Quaternion) -> Quaternion:
    """Returns the opposite turn."""
    return -q[0], -q[1], -q[2], q[3]


def turn(q: Quaternion, a: Vector) -> Vector:
    """Returns a vector turned by a quaternion."""
    x, y, z, w = q
    tx = 2 * (y * a[2] - z * a[1])
    ty = 2 * (z * a[0] - x * a[2])
    tz = 2 * (x * a[1] - y * a[0])
    return a[0] + w * tx + y * tz - z * ty, a[1] + w * ty + z * tx - x * tz, a[2] + w * tz + x * ty - y * tx


def about(axis: Vector, angle: float) -> Quaternion:
    """Returns the turn about a unit axis by an angle, rad."""
    s = math.sin(0.5 * angle)
    return axis[0] * s, axis[1] * s, axis[2] * s, math.cos(0.5 * angle)


def arc(a: Vector, b: Vector) -> Quaternion:
    """Returns the shortest turn from the direction ``a`` to ``b``, unit vectors; any half turn if they are opposite."""
    w = 1.0 + dot(a, b)
    if w < OPPOSITE:
        axis = cross(a, X if abs(a[0]) < 0.7 else Y)
        return (*unit(axis, Z), 0.0)
    x, y, z = cross(a, b)
    size = math.sqrt(x * x + y * y + z * z + w * w)
    return x / size, y / size, z / size, w / size


def rotation_vector(q: Quaternion) -> Vector:
    """Returns axis × angle, rad, the shorter way round."""
    x, y, z, w = q if q[3] >= 0 else (-q[0], -q[1], -q[2], -q[3])
    s = math.sqrt(x * x + y * y + z * z)
    return scaled((x, y, z), 2 * math.atan2(s, w) / s if s > TINY else 2.0)


def from_rotation_vector(a: Vector) -> Quaternion:
    """Returns the turn about ``a`` by its length, rad."""
    angle = length(a)
    return about(scaled(a, 1 / angle), angle) if angle > TINY else NONE


def part(q: Quaternion, share: float) -> Quaternion:
    """Returns a share of a turn."""
    return from_rotation_vector(scaled(rotation_vector(q), share))


def followed(before: Quaternion, wanted: Quaternion, most_rad: float) -> Quaternion:
    """Returns ``wanted``, or where one comes to from ``before`` that turns towards it by ``most_rad``.

    Args:
        before: A unit quaternion.
        wanted: One on the same side (`alike`).
        most_rad: Below π.
    """
    cosine = before[0] * wanted[0] + before[1] * wanted[1] + before[2] * wanted[2] + before[3] * wanted[3]
    if cosine >= math.cos(most_rad / 2):
        return wanted
    half = math.acos(cosine)
    size = math.sin(half)
    a, b = math.sin(half - most_rad / 2) / size, math.sin(most_rad / 2) / size
    return (
        a * before[0] + b * wanted[0],
        a * before[1] + b * wanted[1],
        a * before[2] + b * wanted[2],
        a * before[3] + b * wanted[3],
    )


def alike(q: Quaternion, other: Quaternion) -> Quaternion:
    """Returns the one of the two quaternions of a turn that is nearer to ``other``."""
    near = q[0] * other[0] + q[1] * other[1] + q[2] * other[2] + q[3] * other[3] >= 0
    return q if near else (-q[0], -q[1], -q[2], -q[3])
