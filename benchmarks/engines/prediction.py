"""What looking ahead brings and what it costs: captured motion, seen with noise, shown late.

    python -m benchmarks.engines.prediction --motion clips.npz --json lead.json

Joints are off by noise as detectors make it, filtered as they are live, and shown after so many milliseconds: as they
were, and led by as much. *Off* is how far a joint is shown from where it is now; *shake* how much more or less it moves
from one frame to the next than it truly does.
"""

from pathlib import Path

import numpy as np

from benchmarks.contract import Report, parser
from benchmarks.engines.feet import RATE_HZ, Take, takes
from pose_rig.arrays import Floats
from pose_rig.config import FusionConfig
from pose_rig.fusion.pose.smooth import OneEuro
from pose_rig.humanoid.predict import PosePredictor
from pose_rig.skeleton import J

LATE_MS = (33.0, 67.0, 100.0)
NOISE_M = 0.01


def shown(xyz: Floats, rate_hz: float, lead_s: float) -> Floats:
    """Returns (T,J,3) m what is made of poses (T,J,3) m at each instant."""
    settings = FusionConfig()
    smooth, predictor, out = OneEuro(settings.min_cutoff_hz, settings.beta), PosePredictor(), np.empty_like(xyz)
    for i, joints in enumerate(xyz):
        t_ns = round((i + 1) * 1e9 / rate_hz)
        predictor.add(t_ns, smooth(t_ns, joints), restart=False)
        out[i] = predictor.predict(lead_s)
    return out


def off_and_shake_mm(take: Take, rng: np.random.Generator, late_ms: float, *, leads: bool) -> tuple[Floats, Floats]:
    """Returns for every instant and joint how far off it is shown, and how much it shakes, mm."""
    late = round(late_ms * 1e-3 * take.rate_hz)
    clean = take.xyz[:, :J]
    made = shown(take.noisy(NOISE_M, rng)[:, :J], take.rate_hz, late / take.rate_hz if leads else 0.0)
    off = 1e3 * (made[:-late] - clean[late:])
    return np.linalg.norm(off, axis=-1), np.linalg.norm(np.diff(off, axis=0), axis=-1)


def main() -> None:
    """Measures."""
    arguments = parser(__doc__)
    arguments.add_argument("--motion", type=Path, required=True, metavar="F", help="motion file, npz")
    arguments.add_argument("--every", type=int, default=1, metavar="N", help="every so many-th clip")
    arguments.add_argument("--seconds", type=float, default=20.0, metavar="S", help="of each clip at most")
    args = arguments.parse_args()
    report = Report.begin(args)
    some = [
        Take(take.joints, take.rate_hz, take.xyz[: int(args.seconds * RATE_HZ)])
        for take in list(takes(args.motion, None, args.every))[: 2 if args.quick else None]
    ]
    for late_ms in LATE_MS:
        for leads in (False, True):
            rng = np.random.default_rng(1)
            pairs = [off_and_shake_mm(take, rng, late_ms, leads=leads) for take in some]
            name = f"{late_ms:.0f} ms late, {'led' if leads else 'as it was'}"
            off, shake = (np.concatenate([pair[i].ravel() for pair in pairs]) for i in (0, 1))
            report.add(f"{name}: off", "mm", off.tolist())
            report.add(f"{name}: off, 95th percentile", "mm", [float(np.percentile(off, 95))])
            report.add(f"{name}: shake", "mm/frame", shake.tolist())
    report.finish(args.json)


if __name__ == "__main__":
    main()
