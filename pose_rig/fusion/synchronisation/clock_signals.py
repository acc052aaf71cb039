"""Signals of people's movement that do not depend on the view, for comparing the clocks of cameras.

Those of several people are summed: a sum needs no identities, and changes little where a person is missed now and then.

Axes: C detections, S samples at `RATE_HZ`, B limb bones, K = 3·B + 2 channels, J = 17 joints.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.synchronisation.camera_track import CameraTrack
from pose_rig.fusion.synchronisation.people_in_view import MAX_GAP_S, main_person, people_in_view
from pose_rig.skeleton import INDEX

RATE_HZ = 50.0
SMOOTHING_S = 0.06  # standard deviation of the Gaussian whose derivative is taken
MAX_SD = 3.0  # of a signal; larger ones are clipped
MIN_SAMPLES = 25  # half a second
_BONES = np.array(
    [
        (INDEX[f"{side}_{start}"], INDEX[f"{side}_{end}"])
        for side in "lr"
        for start, end in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
    ]
)
_ENDS = _BONES[:, 1]
CHANNELS = 3 * len(_BONES) + 2
# Persons who stand turn by less than 1 rad/s, as errors of detectors do, those who walk about by 1 to 2: the signals of
# the former are not amplified. All channels weigh alike: more weight of the turns finds a few more offsets in 6 s of
# simulated movement, and wrong ones in real takes of a person at a desk and on a beam, whose turns lifts show badly.
MIN_TURN_RAD_S = 1.0
_MIN_SD = np.r_[np.full(CHANNELS - 2, 1e-9), MIN_TURN_RAD_S, 0.4 * MIN_TURN_RAD_S**0.5]


@dataclass(frozen=True, slots=True)
class MovementSignals:
    """The signals of one camera.

    Attributes:
        start_s: Time of the first sample, clock of the camera.
        values: (S,K) zero mean over the valid samples; 0 elsewhere.
        valid: (S,) whether the person was detected around the sample.
    """

    start_s: float
    values: Floats
    valid: NDArray[np.bool_]

    @property
    def span_s(self) -> tuple[float, float]:
        """Times of the first and of the last sample."""
        return self.start_s, self.start_s + (len(self.valid) - 1) / RATE_HZ

    def part(self, from_s: float, to_s: float) -> "MovementSignals":
        """Returns the signals between two times; a single sample that is not valid if there are none."""
        first = max(int(np.ceil((from_s - self.start_s) * RATE_HZ)), 0)
        end = int(np.floor((to_s - self.start_s) * RATE_HZ)) + 1
        if end <= first or first >= len(self.valid):
            return MovementSignals(from_s, np.zeros((1, self.values.shape[1])), np.zeros(1, bool))
        return MovementSignals(self.start_s + first / RATE_HZ, self.values[first:end], self.valid[first:end])

    def later(self, by_s: float) -> "MovementSignals":
        """Returns the signals at later times."""
        return replace(self, start_s=self.start_s + by_s)


def movement_signals(track: CameraTrack, *, several: bool = False) -> MovementSignals:
    """Returns the signals of the main person of a camera, or the sum of those of all people it shows.

    Per limb bone: the square root of its angular speed in the axes of the body, its vertical rate, and the square root
    of the speed of its end in the image, relative to the pelvis and in person sizes. Then the rate at which the body
    turns about the vertical, and the square root of its size. Each person counts by how much they move.
    """
    people = people_in_view(track) if several else [main_person(track)]
    return _sum([rates for chosen in people if (rates := _rates(track, chosen)) is not None])


@dataclass(frozen=True, slots=True)
class _Rates:
    """What `movement_signals` are made of, for one person: ``first`` is the number of the first sample from time 0."""

    first: int
    values: Floats
    valid: NDArray[np.bool_]

    @property
    def samples(self) -> slice:
        return slice(self.first, self.first + len(self.valid))


def _rates(track: CameraTrack, chosen: NDArray[np.int64]) -> _Rates | None:
    """Returns those of the detections of one person, None if there are too few."""
    kernel, times = _gaussian_derivative(), track.t_ns[chosen] * 1e-9
    grid = np.zeros(0)
    if len(times):
        grid = np.arange(np.ceil(times[0] * RATE_HZ), np.floor(times[-1] * RATE_HZ) + 1) / RATE_HZ
    if len(grid) < len(kernel):  # too short for a derivative
        return None
    axes = _body_axes(track.lifted[chosen], track.upright[chosen])
    direction = _directions(track.lifted[chosen], axes)
    end = (track.xy_px[chosen][:, _ENDS] - track.xy_px[chosen][:, :1]) / np.median(track.size_px[chosen])
    after = np.clip(np.searchsorted(times, grid), 1, len(times) - 1)
    covered = times[after] - times[after - 1] < MAX_GAP_S
    valid = np.convolve(covered, np.ones(len(kernel)), "same") > len(kernel) - 0.5

    def rate(values: Floats) -> Floats:
        return np.stack(
            [
                np.convolve(np.interp(grid, times, column), kernel, "same")
                for column in values.reshape(len(times), -1).T
            ],
            -1,
        )

    def speed(values: Floats) -> Floats:
        return np.asarray(np.linalg.norm(rate(values).reshape(len(grid), len(_BONES), -1), axis=-1) ** 0.5)

    across, up = (np.stack([np.interp(grid, times, column) for column in axes[:, row].T], -1) for row in (0, 1))
    turn = (np.cross(across, rate(axes[:, 0])) * up).sum(-1, keepdims=True)
    kinds = np.concatenate([speed(direction), rate(direction[..., 1]), speed(end), turn, np.abs(turn) ** 0.5], -1)
    return _Rates(round(grid[0] * RATE_HZ), kinds, valid)


def sides_exchanged(signals: MovementSignals) -> MovementSignals:
    """Returns the signals that the mirrored images of a camera show.

    Those of left and right limbs change places, and the body turns the other way.
    """
    limbs, turn = np.split(signals.values, [CHANNELS - 2], axis=-1)
    exchanged = limbs.reshape(len(limbs), -1, 2, len(_BONES) // 2)[:, :, ::-1].reshape(limbs.shape)
    return replace(signals, values=np.concatenate([exchanged, turn * np.array([-1.0, 1.0])], -1))


def _body_axes(lifted: Floats, upright: Floats) -> Floats:
    """Returns the axes (C,3,3) of the body, as rows: to its left, up, and to the front or back."""
    across = sum(lifted[:, INDEX[f"l_{part}"]] - lifted[:, INDEX[f"r_{part}"]] for part in ("hip", "shoulder"))
    across = across - (across * upright).sum(-1, keepdims=True) * upright
    across = across / np.maximum(np.linalg.norm(across, axis=-1, keepdims=True), 1e-6)
    return np.stack([across, upright, np.cross(across, upright)], -2)


def _directions(lifted: Floats, axes: Floats) -> Floats:
    """Returns the directions (C,B,3) of limb bones in the axes of the body."""
    bones = lifted[:, _BONES[:, 1]] - lifted[:, _BONES[:, 0]]
    bones = bones / np.maximum(np.linalg.norm(bones, axis=-1, keepdims=True), 1e-6)
    return np.asarray(np.einsum("cij,cbj->cbi", axes, bones))


def _gaussian_derivative() -> Floats:
    time = np.arange(-round(3 * SMOOTHING_S * RATE_HZ), round(3 * SMOOTHING_S * RATE_HZ) + 1) / RATE_HZ
    weight = np.exp(-0.5 * (time / SMOOTHING_S) ** 2)
    return np.asarray(-time * weight / (time**2 * weight).sum())


def _sum(people: Sequence[_Rates]) -> MovementSignals:
    """Returns the sum of the signals of people, each without its mean, in standard deviations of all together."""
    if not people:
        return MovementSignals(0.0, np.zeros((1, CHANNELS)), np.zeros(1, bool))
    first, end = min(one.first for one in people), max(one.samples.stop for one in people)
    values, valid = np.zeros((end - first, CHANNELS)), np.zeros(end - first, bool)
    known = [one for one in people if one.valid.sum() >= MIN_SAMPLES]
    squares = sum((np.square(one.values[one.valid] - one.values[one.valid].mean(0)).sum(0) for one in known), 0.0)
    sd = np.maximum(np.sqrt(squares / max(sum(int(one.valid.sum()) for one in known), 1)), _MIN_SD)
    for one in people:
        valid[one.first - first : one.samples.stop - first] |= one.valid
    for one in known:
        clipped = np.clip((one.values - one.values[one.valid].mean(0)) / sd, -MAX_SD, MAX_SD)
        centred = np.where(one.valid[:, None], clipped - clipped[one.valid].mean(0), 0.0)
        values[one.first - first : one.samples.stop - first] += centred
    return MovementSignals(first / RATE_HZ, values, valid)
