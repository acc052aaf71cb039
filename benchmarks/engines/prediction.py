"""Error and jitter with and without prediction: captured motion with noise and latency.

    python -m benchmarks.engines.prediction --motion clips.npz --json lead.json

Joints have noise like that of detectors, are filtered as in a live run, and shown late: as they were, and predicted by
the latency. *Error* is the distance of a shown joint from its true position; *jitter* the error of its change from one
frame to the next.
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

LATENCY_MS = (33.0, 67.0, 100.0)
NOISE_M = 0.01


def displayed(xyz: Floats, rate_hz: float, lead_s: float) -> Floats:
    """Returns (T,J,3) m the filtered and predicted poses."""
    settings = FusionConfig()
    smooth, predictor, out = OneEuro(settings.min_cutoff_hz, settings.beta), PosePredictor(), np.empty_like(xyz)
    for i, joints in enumerate(xyz):
        t_ns = round((i + 1) * 1e9 / rate_hz)
        predictor.add(t_ns, smooth(t_ns, joints), restart=False)
        out[i] = predictor.predict(lead_s)
    return out


def error_and_jitter_mm(
    take: Take, rng: np.random.Generator, latency_ms: float, *, predict: bool
) -> tuple[Floats, Floats]:
    """Returns the error and the jitter of every joint in every frame, mm."""
    late = round(latency_ms * 1e-3 * take.rate_hz)
    clean = take.xyz[:, :J]
    lead_s = late / take.rate_hz if predict else 0.0
    error = 1e3 * (displayed(take.noisy(NOISE_M, rng)[:, :J], take.rate_hz, lead_s)[:-late] - clean[late:])
    return np.linalg.norm(error, axis=-1), np.linalg.norm(np.diff(error, axis=0), axis=-1)


def main() -> None:
    """Measures."""
    arguments = parser(__doc__)
    arguments.add_argument("--motion", type=Path, required=True, metavar="F", help="motion file, npz")
    arguments.add_argument("--every", type=int, default=1, metavar="N", help="every Nth clip")
    arguments.add_argument("--seconds", type=float, default=20.0, metavar="S", help="maximum of each clip")
    args = arguments.parse_args()
    report = Report.begin(args)
    some = [
        Take(take.joints, take.rate_hz, take.xyz[: int(args.seconds * RATE_HZ)])
        for take in list(takes(args.motion, None, args.every))[: 2 if args.quick else None]
    ]
    for latency_ms in LATENCY_MS:
        for predict in (False, True):
            rng = np.random.default_rng(1)
            pairs = [error_and_jitter_mm(take, rng, latency_ms, predict=predict) for take in some]
            name = f"{latency_ms:.0f} ms latency, {'predicted' if predict else 'not predicted'}"
            error, jitter = (np.concatenate([pair[i].ravel() for pair in pairs]) for i in (0, 1))
            report.add(f"{name}: error", "mm", error.tolist())
            report.add(f"{name}: error, 95th percentile", "mm", [float(np.percentile(error, 95))])
            report.add(f"{name}: jitter", "mm/frame", jitter.tolist())
    report.finish(args.json)


if __name__ == "__main__":
    main()
