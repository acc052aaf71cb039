"""Trains the lifter on simulated rigs.

    python -m pose_rig.training.train --out runs/lifter MOTION.npz [MOTION.npz ...]

A checkpoint holds the weights, the network's configuration and the settings of the run; `pose_rig.training.export`
turns it into the graph that the rig runs. Ctrl-C keeps the averaged weights last saved.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from pose_rig.lifting.checkpoint import load, save
from pose_rig.lifting.model import Lifter, LifterConfig
from pose_rig.training.losses import Terms, lifting_loss
from pose_rig.training.metrics import n_mpjpe, pmpjpe
from pose_rig.training.motion import load_clips, split
from pose_rig.training.samples import Batch, Sampler

REUSE = 3  # simulating costs a third of training: each sample is seen this often, in other company
CHUNK = 16  # batches shuffled together


def arguments() -> argparse.Namespace:
    """Returns the parsed command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("motion", nargs="+", type=Path, help="motion files (pose_rig/training/motion.py)")
    parser.add_argument("--out", type=Path, required=True, help="run folder")
    parser.add_argument("--steps", type=int, default=20000, help="optimiser steps")
    parser.add_argument("--minutes", type=float, default=math.inf, help="end the schedule after this time instead")
    parser.add_argument("--batch", type=int, default=2048)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--rate", type=float, default=1e-3, help="peak learning rate")
    parser.add_argument("--start", type=Path, help="checkpoint to go on from")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args()


def tensors(batch: Batch, device: str) -> dict[str, Tensor]:
    """Returns the arrays of a batch on the device."""
    return {name: torch.from_numpy(getattr(batch, name)).to(device) for name in batch.__dataclass_fields__}


def batches(sampler: Sampler, size: int, device: str) -> Iterator[dict[str, Tensor]]:
    """Yields training batches without end: fresh samples, each `REUSE` times."""
    generator = torch.Generator().manual_seed(0)
    while True:
        chunk = tensors(sampler.draw(size * CHUNK), device)
        for _ in range(REUSE):
            order = torch.randperm(size * CHUNK, generator=generator)
            for part in torch.split(order, size):
                yield {name: value[part] for name, value in chunk.items()}


def main() -> None:
    """Trains."""
    args = arguments()
    torch.manual_seed(args.seed)
    training, held = split(load_clips(args.motion))
    validation = tensors(Sampler(held, seed=12345, vary=False).draw(4096), args.device)
    model = load(args.start)[0] if args.start else Lifter(LifterConfig(width=args.width))
    model = model.to(args.device).train()
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.999))  # type: ignore[no-untyped-call]
    optimiser = torch.optim.AdamW(model.parameters(), args.rate, weight_decay=1e-4, fused=True)
    args.out.mkdir(parents=True, exist_ok=True)
    told = {key: str(value) for key, value in vars(args).items() if key not in ("motion", "out", "start", "device")}
    settings = {**told, "motion": " ".join(path.name for path in args.motion)}  # provenance, without anybody's folders
    log = (args.out / "log.jsonl").open("w")
    start = time.monotonic()
    step = 0
    best = math.inf
    try:
        for batch in batches(Sampler(training, args.seed), args.batch, args.device):
            done = max(step / args.steps, (time.monotonic() - start) / (60 * args.minutes))
            rate = args.rate * min(1.0, (step + 1) / 300) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
            for group in optimiser.param_groups:
                group["lr"] = rate
            with torch.autocast(args.device.split(":")[0], torch.bfloat16):
                outputs = model(batch["flat"], batch["confidence"])
            terms = lifting_loss(outputs, batch)
            optimiser.zero_grad()
            torch.autograd.backward(terms.total)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            average.update_parameters(model)
            step += 1
            if step % 500 == 0 or done >= 1:
                best = min(best, report(average.module, validation, terms, step, done, start, log))
                save(args.out / "lifter.pt", average.module, {**settings, "step": str(step), "best_pa": f"{best:.4f}"})
            if done >= 1:
                break
    except KeyboardInterrupt:
        sys.stderr.write(f"stopped at step {step}; {args.out / 'lifter.pt'} holds the last saved weights\n")


@torch.no_grad()
def report(
    model: torch.nn.Module, held: dict[str, Tensor], terms: Terms, step: int, done: float, start: float, log: TextIO
) -> float:
    """Writes a line of progress; returns the validation PA-MPJPE in units of ``flat``."""
    model.eval()
    canonical, rotation, _ = model(held["flat"], held["confidence"])
    shape = (rotation @ canonical.transpose(1, 2)).transpose(1, 2)
    cosine = ((rotation * held["rotation"]).sum((1, 2)) - 1) / 2
    angle = np.degrees(np.arccos(cosine.clamp(-1, 1).cpu().numpy()))
    scores = {
        "pmpjpe": float(pmpjpe(shape.double().cpu().numpy(), held["shape"].double().cpu().numpy()).mean()),
        "n_mpjpe": float(n_mpjpe(shape.double().cpu().numpy(), held["shape"].double().cpu().numpy()).mean()),
        "angle_deg_median": float(np.median(angle)),
    }
    line = {"step": step, "done": round(done, 4), "seconds": round(time.monotonic() - start), **scores}
    line |= {name: float(getattr(terms, name)) for name in terms.__dataclass_fields__}
    log.write(json.dumps(line) + "\n")
    log.flush()
    sys.stderr.write(" ".join(f"{k}={v:.4g}" for k, v in line.items()) + "\n")
    return scores["pmpjpe"]


if __name__ == "__main__":
    main()
