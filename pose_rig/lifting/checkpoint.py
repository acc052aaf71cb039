"""Weights on disk: a checkpoint knows the network it belongs to."""

import json
import pickle  # for the name of its error alone: torch refuses pickled code, and says so with it
from dataclasses import asdict
from pathlib import Path

import torch

from pose_rig.errors import AssetError
from pose_rig.lifting.model import Lifter, LifterConfig


def save(path: Path, model: torch.nn.Module, settings: dict[str, str]) -> None:
    """Writes weights, network configuration and the settings of the run."""
    assert isinstance(model, Lifter)  # noqa: S101 - narrows an averaged model's type
    path.parent.mkdir(parents=True, exist_ok=True)
    meta = json.dumps({"config": asdict(model.config), "settings": settings})
    torch.save({"meta": meta, "state": model.state_dict()}, path)


def load(path: Path) -> tuple[Lifter, dict[str, str]]:
    """Returns the network of a checkpoint with its weights, and the settings of the run that made it.

    Raises:
        AssetError: The file is not a checkpoint of ours.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)  # never unpickles code
        meta = json.loads(content["meta"])
        model = Lifter(LifterConfig(**meta["config"]))
        model.load_state_dict(content["state"])
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise AssetError(f"{path} is not a lifter checkpoint: {reason}.", "Train one, or name another.") from error
    return model.eval(), meta["settings"]
