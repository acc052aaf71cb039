"""Vectors and quaternions of one bone as tuples of floats.

Retargeting goes from bone to bone, and for three or four numbers at a time numpy is ten times slower than floats.
Quaternions are x, y, z, w.
"""

import math

Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]

IDENTITY: Quaternion = (0.0, 0.0, 0.0, 1.0)
X: Vector = (1.0, 0.0, 0.0)
Y: Vector = (0.0, 1.0, 0.0)
Z: Vector = (0.0, 0.0, 1.0)
MIN_NORM = 1e-9
OPPOSITE_TOLERANCE = 1e-7  # 1 + cosine of two directions without a unique shortest arc


def add(a: Vector, b: Vector) -> Vector:
    """Returns a + b."""
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


def subtract(a: Vector, b: Vector) -> Vector:
    """Returns a − b, the vector from b to a."""
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


def scale(a: Vector, factor: float) -> Vector:
    """Returns a × factor."""
    return a[0] * factor, a[1] * factor, a[2] * factor


def dot(a: Vector, b: Vector) -> float:
    """Returns a · b."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def cross(a: Vector, b: Vector) -> Vector:
    """Returns a × b."""
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def norm(a: Vector) -> float:
    """Returns |a|."""
    return math.sqrt(a[0] * a[0] + a[1] * a[1] + a[2] * a[2])


def normalize(a: Vector, fallback: Vector) -> Vector:
    """Returns the direction of a vector; ``fallback`` for a zero vector."""
    size = norm(a)
    return scale(a, 1 / size) if size > MIN_NORM else fallback


def multiply(a: Quaternion, b: Quaternion) -> Quaternion:
    """Returns the normalized product: the rotation by ``b`` followed by that by ``a``."""
    ax, ay, az, aw = a
    bx, by, bz, bw = b
    x = aw * bx + ax * bw + ay * bz - az * by
    y = aw * by - ax * bz + ay * bw + az * bx
    z = aw * bz + ax * by - ay * bx + az * bw
    w = aw * bw - ax * bx - ay * by - az * bz
    size = math.sqrt(x * x + y * y + z * z + w * w)
    return x / size, y / size, z / size, w / size


def inverse(q: Quaternion) -> Quaternion:
    """Returns the inverse of a unit quaternion."""
    return -q[0], -q[1], -q[2], q[3]


def rotate(q: Quaternion, a: Vector) -> Vector:
    """Returns a vector rotated by a unit quaternion."""
    x, y, z, w = q
    tx = 2 * (y * a[2] - z * a[1])
    ty = 2 * (z * a[0] - x * a[2])
    tz = 2 * (x * a[1] - y * a[0])
    return a[0] + w * tx + y * tz - z * ty, a[1] + w * ty + z * tx - x * tz, a[2] + w * tz + x * ty - y * tx


def from_axis_angle(axis: Vector, angle: float) -> Quaternion:
    """Returns the rotation about a unit axis by an angle, rad."""
    s = math.sin(0.5 * angle)
    return axis[0] * s, axis[1] * s, axis[2] * s, math.cos(0.5 * angle)


def shortest_arc(a: Vector, b: Vector) -> Quaternion:
    """Returns the smallest rotation from unit vector ``a`` to ``b``; some half turn if they are opposite."""
    w = 1.0 + dot(a, b)
    if w < OPPOSITE_TOLERANCE:
        axis = cross(a, X if abs(a[0]) < 0.7 else Y)
        return (*normalize(axis, Z), 0.0)
    x, y, z = cross(a, b)
    size = math.sqrt(x * x + y * y + z * z + w * w)
    return x / size, y / size, z / size, w / size


def rotation_vector(q: Quaternion) -> Vector:
    """Returns axis × angle, rad, with an angle of at most π."""
    x, y, z, w = q if q[3] >= 0 else (-q[0], -q[1], -q[2], -q[3])
    s = math.sqrt(x * x + y * y + z * z)
    return scale((x, y, z), 2 * math.atan2(s, w) / s if s > MIN_NORM else 2.0)


def from_rotation_vector(a: Vector) -> Quaternion:
    """Returns the rotation about ``a`` by its norm, rad."""
    angle = norm(a)
    return from_axis_angle(scale(a, 1 / angle), angle) if angle > MIN_NORM else IDENTITY


def fraction(q: Quaternion, share: float) -> Quaternion:
    """Returns the rotation about the same axis by a share of the angle."""
    return from_rotation_vector(scale(rotation_vector(q), share))


def rotate_towards(current: Quaternion, target: Quaternion, max_rad: float) -> Quaternion:
    """Returns ``target``, or ``current`` rotated towards it by ``max_rad`` if it is further away (slerp).

    Args:
        current: A unit quaternion.
        target: A unit quaternion with the sign nearer to ``current`` (`same_sign`).
        max_rad: Below π.
    """
    cosine = current[0] * target[0] + current[1] * target[1] + current[2] * target[2] + current[3] * target[3]
    if cosine >= math.cos(max_rad / 2):
        return target
    half = math.acos(cosine)
    size = math.sin(half)
    a, b = math.sin(half - max_rad / 2) / size, math.sin(max_rad / 2) / size
    return (
        a * current[0] + b * target[0],
        a * current[1] + b * target[1],
        a * current[2] + b * target[2],
        a * current[3] + b * target[3],
    )


def same_sign(q: Quaternion, other: Quaternion) -> Quaternion:
    """Returns q or −q, whichever is nearer to ``other``; both are the same rotation."""
    near = q[0] * other[0] + q[1] * other[1] + q[2] * other[2] + q[3] * other[3] >= 0
    return q if near else (-q[0], -q[1], -q[2], -q[3])
