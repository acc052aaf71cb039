"""Time of the graph (lifter and fusion module) alone on every provider, and its difference from the CPU.

    python -m benchmarks.speed.graph_speed --json graph.json

Includes the copies to the GPU and back.
"""

from functools import partial

import numpy as np

from benchmarks.contract import Report, parser, time_ms
from pose_rig.graph import Engine
from pose_rig.lifting.difference import difference
from pose_rig.lifting.engine import DEFAULT_WEIGHTS, OrtEngine
from pose_rig.lifting.example import example
from pose_rig.lifting.providers import PROVIDERS, first_line, gpu_engines
from pose_rig.tools.workers.build_note import engine_folder

SIZES = ((4, 1), (1, 1), (2, 1), (8, 1), (4, 3), (4, 60), (8, 136))  # views, hypotheses
TARGET_MS = {(4, 1): "< 0.25"}


def measure(report: Report, name: str, engine: Engine, cpu: Engine, *, quick: bool) -> None:
    """Adds times and differences of an engine."""
    for views, hypotheses in SIZES:
        given = example(views, hypotheses, np.random.default_rng(views))
        label = f"{name}: {views} views, {hypotheses} hypotheses"
        warm_up, repeats = (1, 3) if quick else (20, 300 if hypotheses < 60 else 50)
        target = "" if engine is cpu else TARGET_MS.get((views, hypotheses), "")
        report.add(label, "ms", time_ms(partial(engine.run, given), warm_up, repeats), target)
        if engine is not cpu:
            apart = difference(cpu.run(given), engine.run(given))
            report.add(f"{label}: rotations", "°", [apart.rotation_deg], "< 0.1")
            report.add(f"{label}: joints", "mm", [apart.body_mm], "< 0.5")
            report.add(f"{label}: Hessians", "%", [100 * apart.hessian_ratio], "< 1")


def main() -> None:
    """Measures."""
    arguments = parser(__doc__)
    arguments.add_argument("--provider", choices=PROVIDERS, help="only this one; default: all")
    args = arguments.parse_args()
    report = Report.begin(args)
    cpu = OrtEngine()
    for name in (args.provider,) if args.provider else PROVIDERS:
        if name == "cpu":
            measure(report, name, cpu, cpu, quick=args.quick)
            continue
        engines, reasons = gpu_engines(DEFAULT_WEIGHTS, (name,), engine_folder(), cpu, print)
        if engines:
            print(f"{name}: {engines[0].reason}")
            measure(report, name, engines[0], cpu, quick=args.quick)
        else:
            print(f"not available: {first_line(RuntimeError('; '.join(reasons)))}")
    report.finish(args.json)


if __name__ == "__main__":
    main()
