"""Speed of training, compared with the published procedures in one run on one machine.

    python -m benchmarks.training.train_speed --json train.json

Refinement of 2D by the other views alone, and whole training steps (losses, gradients, optimiser) with a lifter of the
same width, the same batch and the same views: the published ones in loops (`benchmarks/training/published_loops.py`),
and ours. Drawing batches does not count.
"""

import argparse
import itertools
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from benchmarks.contract import Report, parser, time_ms
from benchmarks.training.published_loops import canonpose_loss, refine, step2_loss
from benchmarks.training.training_batches import RIGS, Lifts, batch_of, for_loops, lifter, lifts
from pose_rig.lifting import csm
from pose_rig.lifting.model import Lifter
from pose_rig.skeleton import LIMBS
from pose_rig.training import heatmap_voting, training_step
from pose_rig.training.footage.dataset import Batch
from pose_rig.training.methods import METHODS
from pose_rig.training.train import MAX_GRADIENT_NORM

LOOPS, CANONPOSE, STEP2 = "published loops", "CanonPose in loops", "published Step 2 in loops"
RELEASED = "votes as released"  # to compare results with, not speed
OURS = ("csm-s1s2", "canonpose", "ours", "ours-sp")
WANTED = {("csm-s1s2", STEP2): "≥ 3", ("csm-s1s2", CANONPOSE): "≥ 1.2"}
VIEWS = (4, 8)
FREEDOM_RAD = 0.35
Actions = dict[str, Callable[[], object]]
Times = dict[str, list[float]]


def interleaved(actions: Actions, device: str, warm_up: int, repeats: int) -> Times:
    """Returns the durations of actions in ms, interleaved, after warm-up rounds."""
    times: Times = {name: [] for name in actions}
    for turn in range(warm_up + repeats):
        for name, action in actions.items():
            took = time_ms(partial(_finished, action, device), 0, 1)
            times[name] += took if turn >= warm_up else []
    return times


def _finished(action: Callable[[], object], device: str) -> None:
    action()
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()


def ratios(slow: Sequence[float], fast: Sequence[float]) -> list[float]:
    """Returns the ratios of two lists of durations."""
    return [a / b for a, b in zip(slow, fast, strict=True)]


def refinements(given: Lifts, *, compiled: bool) -> Actions:
    """Returns the methods of refining 2D."""
    four = (given.pose_2d, given.confidence, given.rotation, given.canonical)
    views, rotation_prior_sd = views_of(given), torch.full_like(given.confidence[..., 0], FREEDOM_RAD)
    ways: Actions = {
        LOOPS: partial(refine, *four),
        RELEASED: partial(heatmap_voting.released, *four),
        "votes corrected": partial(heatmap_voting.corrected, *four),
        "fuse": partial(_constant, csm.fuse, views, rotation_prior_sd),
    }
    if compiled:
        ways["fuse, compiled"] = partial(_constant, torch.compile(csm.fuse), views, rotation_prior_sd)
    return ways


@torch.no_grad()
def _constant(fuse: Callable[[csm.Views, Tensor], csm.Fused], views: csm.Views, rotation_prior_sd: Tensor) -> Tensor:
    return fuse(views, rotation_prior_sd).refined


def views_of(given: Lifts) -> csm.Views:
    """Returns the input of `pose_rig.lifting.csm.fuse`."""
    depth = torch.einsum("bvi,bvji->bvj", given.rotation[:, :, 2], given.canonical)
    there = torch.ones_like(depth[..., 0])
    return csm.Views(
        ray_xy=given.pose_2d, confidence=given.confidence, weight=there, norm=torch.zeros_like(there), depth=depth,
        depth_sd=torch.full_like(depth, 0.06), ray_from_body=given.rotation,
    )  # fmt: skip


def optimiser_step(network: Lifter, optimiser: torch.optim.Optimizer, loss: Callable[[], Tensor]) -> None:
    """Takes one step of the optimiser."""
    optimiser.zero_grad()
    torch.autograd.backward(loss())
    torch.nn.utils.clip_grad_norm_(network.parameters(), MAX_GRADIENT_NORM)
    optimiser.step()


def published_step(network: Lifter, optimiser: torch.optim.Optimizer, loss: Callable[[], Tensor]) -> None:
    """Takes one step of the optimiser, without clipping gradients."""
    optimiser.zero_grad()
    torch.autograd.backward(loss())
    optimiser.step()


def our_loss(network: training_step.Network, batch: Batch, name: str) -> Tensor:
    """Returns the loss of one of our methods in its second stage, with all terms."""
    method = METHODS[name]
    order = training_step.permutation_within_rigs(
        RIGS, batch.per_rig, torch.Generator().manual_seed(0), batch.pose_2d.device
    )
    return training_step.total_loss(training_step.loss_terms(network, batch, method, method.late, order), method.late)


def in_bfloat16(network: Lifter, pose_2d: Tensor, confidence: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the outputs of the network in bfloat16; losses are in single precision."""
    with torch.autocast(pose_2d.device.type, torch.bfloat16):
        canonical, rotation, spread = network(pose_2d, confidence)
    return canonical, rotation, spread


def steps(batch: Batch, width: int, device: str, *, mixed: bool, loops: bool = True) -> Actions:
    """Returns training steps; ours optionally with the network in bfloat16, the published ones unless not ``loops``."""
    actions: Actions = {}
    for name, loss in ((STEP2, step2_loss), (CANONPOSE, canonpose_loss)) if loops else ():
        network = lifter(width, device)
        adam = torch.optim.Adam(network.parameters(), lr=1e-4, weight_decay=1e-5)
        actions[name] = partial(published_step, network, adam, partial(loss, network, for_loops(batch)))
    for name in OURS:
        network = lifter(width, device)
        called: training_step.Network = partial(in_bfloat16, network) if mixed else network
        adam = torch.optim.AdamW(network.parameters(), lr=1e-4, weight_decay=1e-5, fused=True)
        actions[name] = partial(optimiser_step, network, adam, partial(our_loss, called, batch, name))
    return actions


def main() -> None:
    """Measures."""
    arguments = parser(__doc__)
    arguments.add_argument("--device", default="cpu", help="cpu or cuda")
    arguments.add_argument("--width", type=int, default=1024, help="units per layer of the lifter")
    arguments.add_argument("--batch", type=int, default=64, help="frames, a multiple of 8")
    arguments.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of torch; 1 on a busy machine")
    arguments.add_argument("--mixed", action="store_true", help="our steps with networks in bfloat16")
    arguments.add_argument("--compile", action="store_true", help="measure `fuse` compiled, too; needs a C++ compiler")
    arguments.add_argument("--ours", action="store_true", help="leave out the published loops")
    arguments.add_argument("--part", choices=("refinement", "steps"), help="only this")
    args = arguments.parse_args()
    report = Report.begin(args)
    torch.set_num_threads(args.threads)
    if args.part != "steps":
        measure_refinement(report, args)
    if args.part != "refinement":
        measure_steps(report, args)
    report.finish(args.json)


def measure_refinement(report: Report, args: argparse.Namespace) -> None:
    """Adds the figures of refinement alone."""
    views = VIEWS[0]
    given = lifts(batch_of(args.batch, views, args.device))
    unsure = (given.confidence[..., list(LIMBS)] < heatmap_voting.MIN_CONFIDENCE).float().mean()
    report.add("limb joints that the votes refine", "%", [100 * float(unsure)])
    warm_up, repeats = (1, 2) if args.quick else (3, 20)
    times = interleaved(refinements(given, compiled=args.compile), args.device, warm_up, repeats)
    for name, values in times.items():
        report.add(f"{name}: per frame of {views} views", "ms", [value / args.batch for value in values])
    for name, values in itertools.islice(times.items(), 1, None):
        report.add(f"{LOOPS} / {name}", "×", ratios(times[LOOPS], values), "" if name == RELEASED else "≥ 100")


def measure_steps(report: Report, args: argparse.Namespace) -> None:
    """Adds the figures of whole training steps."""
    actions: Actions = {}
    for views in VIEWS:
        batch = batch_of(args.batch, views, args.device)
        for name, action in steps(batch, args.width, args.device, mixed=args.mixed, loops=not args.ours).items():
            actions[f"{name}, {views} views"] = action
    warm_up, repeats = (1, 2) if args.quick else (2, 10)
    times = interleaved(actions, args.device, warm_up, repeats)
    few, many = VIEWS
    for name, values in times.items():
        report.add(f"step: {name}", "ms", values)
    published = () if args.ours else (STEP2, CANONPOSE)
    for name in OURS:
        for loops in published:
            faster = ratios(times[f"{loops}, {few} views"], times[f"{name}, {few} views"])
            report.add(f"{loops} / {name}", "×", faster, WANTED.get((name, loops), ""))
    for name in (*published, *OURS):
        longer = ratios(times[f"{name}, {many} views"], times[f"{name}, {few} views"])
        grown = [ratio * few / many for ratio in longer]
        report.add(
            f"{name}: cost per view and sample, {many} views / {few}", "×", grown, "< 1.3" if name in OURS else ""
        )


if __name__ == "__main__":
    main()
