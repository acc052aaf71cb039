"""A training run of a few steps: alone, or under `torchrun` with others."""

import json
import sys
from pathlib import Path

import torch

from pose_rig.training.distributed import process_group
from pose_rig.training.footage.dataset import PoseDataset
from pose_rig.training.job import TrainingJob
from pose_rig.training.run_folder import RunFolder
from pose_rig.training.train import train
from tests.training.fakes.footage import walking

JOB = TrainingJob(method="ours", width=16, steps=6, rigs=4, per_rig=3, rate=3e-3, warm_up=2, check=3)


def run(folder: Path) -> None:
    """Trains with all joints visible, so that means over processes are those of the batch."""
    torch.set_num_threads(1)
    told: list[float] = []
    dataset = PoseDataset([walking(seed=seed, start_deg=40.0 * seed, views=3, noise=0.01) for seed in range(3)], "ray")
    with process_group(JOB.device) as own:
        made = RunFolder(folder, JOB) if own.is_main else None
        own.barrier(JOB.device)
        with made or RunFolder(folder, JOB) as mine:
            outcome = train(JOB, dataset, dataset, mine, group=own, on_step=lambda now: told.append(now.loss))
        said = {"losses": told, "weights": outcome.lifter.stem.weight.flatten().tolist(), "world": own.world_size}
        (folder / f"rank{own.rank}.json").write_text(json.dumps(said))


if __name__ == "__main__":
    run(Path(sys.argv[1]))
