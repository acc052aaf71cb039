"""Which cameras of a solved rig seem to have a clock that is off, by the movement of the person.

A camera whose time stamps are late shows the person where the others saw them before: its residuals lie along the
velocity of the joints in its image and grow with it. The poses follow all cameras, so a lag is measured relative to the
median of the other cameras, and it is underestimated: what is left over is what the cameras disagree about.

A camera that is left out fits no pose, but it does fit the poses of another time: its pose is estimated from those of
one lag after the other.

Axes: V views, N samples, P points (`segments.POINTS`).
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.fusion.calibration.cameras import Calibration
from pose_rig.fusion.calibration.keyframes import KEYFRAME_INTERVAL_NS
from pose_rig.fusion.calibration.resection import inlier_share
from pose_rig.fusion.calibration.triangulate import to_camera_frames
from pose_rig.fusion.pose.solved_pose import SolvedPose
from pose_rig.geometry import MIN_DEPTH_M

MAX_GAP_NS = 200_000_000  # between two samples; after a longer one they start over
WINDOW = 75  # samples, five seconds
BLOCK = 15  # samples of one estimate
MAX_BLOCKS, MIN_BLOCKS = 30, 6
OUTLIER_SD = 6.0
MIN_LAG_S = 0.010  # simulated rigs with right clocks stay below 5 ms; 33 ms too much reach 13 to 18
MIN_LAG_SDS = 2.5
MIN_SHARE_OF_LARGEST = 0.7  # of the largest lag: smaller ones are its effect on the poses
MIN_CORRELATION = 0.3  # of measured and predicted velocities; a person who stands is below 0.22
MAX_STEPS = 24  # of lags that are tried, one sample each: 1.6 s
STRIDE = 5  # samples
MIN_INLIER_SHARE = 0.5
MAX_OTHER_SHARE = 0.75  # of the best, without a lag, and 0.4 s or more away from it
NEAR_STEPS = 6


@dataclass(frozen=True, slots=True)
class _Sample:
    t_ns: int
    points: Floats  # (P,3) m
    detected: Floats  # (V,P,2) ideal coordinates
    expected: Floats  # (V,P,2)
    sd: Floats  # (V,)
    visible: NDArray[np.bool_]  # (V,P)


class ClockLags:
    """Estimates by how much the time stamps of each camera are late."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._samples: deque[_Sample] = deque(maxlen=WINDOW)
        self._blocks: deque[Floats] = deque(maxlen=MAX_BLOCKS)  # (4,V) sums of residual · velocity and so on
        self._count = 0
        self._shares = np.full((len(names), 2 * MAX_STEPS + 1), np.nan)  # of inliers, for each lag

    def add(self, t_ns: int, pose: SolvedPose, cameras: Calibration, left_out: NDArray[np.bool_]) -> None:
        """Adds a time step, at most 15 times a second.

        Args:
            t_ns: Its time.
            pose: The pose, and what was detected.
            cameras: Those that are known; of others, only the detections are used.
            left_out: (V,) cameras without a pose that fits.
        """
        elapsed_ns = t_ns - self._samples[-1].t_ns if self._samples else KEYFRAME_INTERVAL_NS
        if 0 <= elapsed_ns < KEYFRAME_INTERVAL_NS:
            return
        if not 0 <= elapsed_ns <= MAX_GAP_NS:
            self._samples.clear()
        local = to_camera_frames(cameras, pose.points).swapaxes(0, 1)
        expected = local[..., :2] / np.maximum(local[..., 2:], MIN_DEPTH_M)
        self._samples.append(_Sample(t_ns, pose.points, pose.ideal_xy, expected, pose.sd, pose.visible > 0))
        self._count += 1
        if self._count % BLOCK == 0 and len(self._samples) >= BLOCK + 2:
            self._blocks.append(self._block(cameras.known & ~left_out))
        views = np.flatnonzero(left_out).tolist()
        if len(self._samples) == WINDOW and views:  # one camera and one lag at a time: it takes some milliseconds
            view, step = views[self._count % len(views)], self._count // len(views) % self._shares.shape[1]
            self._shares[view, step] = self._inlier_share(view, step - MAX_STEPS)

    def clear(self) -> None:
        """Starts over, for other clocks are used from now on."""
        self._samples.clear()
        self._blocks.clear()
        self._shares[:] = np.nan

    def lag_s(self) -> Floats:
        """Returns (V,) by how much the time stamps of each camera are late, 0 where nothing shows that they are."""
        by_velocity, by_poses = self._by_velocity(), self._by_poses()
        return np.where(by_poses != 0, by_poses, by_velocity)

    def note(self, view: int) -> str:
        """Returns what is wrong with a camera's clock, for display; empty if nothing is."""
        lag_s = float(self.lag_s()[view])
        if not lag_s:
            return ""
        return (
            f"its clock seems to be {1000 * abs(lag_s):.0f} ms or more {'ahead of' if lag_s > 0 else 'behind'} the "
            "others: record files with --passes 2, or set offset_ms"
        )

    def _block(self, used: NDArray[np.bool_]) -> Floats:
        """Returns (4,V) sums: residual · velocity, velocity², measured · predicted velocity, measured velocity²."""
        samples = list(self._samples)[-BLOCK - 2 :]
        t_s = 1e-9 * np.array([sample.t_ns for sample in samples])
        detected, expected, sd, visible = (
            np.stack([getattr(sample, name) for sample in samples])
            for name in ("detected", "expected", "sd", "visible")
        )
        elapsed_s = (t_s[2:] - t_s[:-2])[:, None, None, None]
        predicted, measured = ((xy[2:] - xy[:-2]) / elapsed_s for xy in (expected, detected))
        residual, scale = (detected - expected)[1:-1], np.maximum(sd[1:-1], 1e-6)[..., None]
        seen = visible[1:-1] & visible[2:] & visible[:-2] & used[:, None]
        weight = seen / (scale**2 + (residual**2).sum(-1) / OUTLIER_SD**2)
        pairs = ((residual, predicted), (predicted, predicted), (measured, predicted), (measured, measured))
        return np.stack([(weight * (a * b).sum(-1)).sum((0, 2)) for a, b in pairs])

    def _by_velocity(self) -> Floats:
        out = np.zeros(len(self._names))
        if len(self._blocks) < MIN_BLOCKS:
            return out
        blocks = np.stack(self._blocks)
        seen = blocks[:, 1] > 0
        enough = seen.sum(0) >= MIN_BLOCKS
        total, count = blocks.sum(0), np.maximum(seen.sum(0), 1)
        lag_s = -total[0] / np.maximum(total[1], 1e-12)
        each = np.where(seen, -blocks[:, 0] / np.maximum(blocks[:, 1], 1e-12) - lag_s, 0.0)
        sd_s = np.sqrt((each**2).sum(0)) / count
        moving = enough & (total[2] > MIN_CORRELATION * total[3])
        if moving.sum() < 2:
            return out
        for view in np.flatnonzero(moving).tolist():
            others = moving & (np.arange(len(out)) != view)
            out[view] = lag_s[view] - np.median(lag_s[others])
        significant = (np.abs(out) > MIN_LAG_SDS * sd_s) & (np.abs(out) > MIN_LAG_S)
        return np.where(significant & (np.abs(out) >= MIN_SHARE_OF_LARGEST * np.abs(out).max()), out, 0.0)

    def _inlier_share(self, view: int, steps: int) -> float:
        """Returns the share of a camera's detections that fit one camera pose, compared with earlier poses."""
        samples = list(self._samples)
        late = samples[max(steps, 0) : len(samples) + min(steps, 0) : STRIDE]
        early = samples[max(-steps, 0) : len(samples) - max(steps, 0) : STRIDE]
        visible = [sample.visible[view] for sample in late]
        points = np.concatenate([sample.points[seen] for sample, seen in zip(early, visible, strict=True)])
        ideal_xy = np.concatenate([sample.detected[view][seen] for sample, seen in zip(late, visible, strict=True)])
        return inlier_share(points, ideal_xy, float(np.median([sample.sd[view] for sample in late])))

    def _by_poses(self) -> Floats:
        out = np.zeros(len(self._names))
        steps = np.arange(-MAX_STEPS, MAX_STEPS + 1)
        for view in np.flatnonzero(np.isfinite(self._shares).all(1)).tolist():
            share = self._shares[view]
            best = int(np.argmax(share))
            others = np.append(share[np.abs(steps - steps[best]) > NEAR_STEPS], share[MAX_STEPS])
            if share[best] >= MIN_INLIER_SHARE and others.max() <= MAX_OTHER_SHARE * share[best]:
                out[view] = steps[best] * KEYFRAME_INTERVAL_NS * 1e-9
        return out
