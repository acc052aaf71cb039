"""Checkpoints: weights with the configuration of their network, alone or within an exported graph."""

import json
import pickle  # for UnpicklingError, which torch raises for pickled code
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from google.protobuf.message import DecodeError
from torch import Tensor

from pose_rig.atomic_file import atomic_file
from pose_rig.errors import AssetError
from pose_rig.lifting.model import Lifter, LifterConfig
from pose_rig.lifting.weights_file import weights_format
from pose_rig.npz import check_members

CONFIG = "config"  # metadata of a graph: the network's configuration as JSON
WEIGHTS = "lifter."  # prefix of the names of its weights
HALF = "_half"  # suffix of those in half precision

UNREADABLE = (  # raised by the readers of torch, zipfile and onnx
    OSError, RuntimeError, KeyError, ValueError, TypeError, EOFError, IndexError, DecodeError, pickle.UnpicklingError,
    zipfile.BadZipFile,
)  # fmt: skip

Parts = tuple[LifterConfig, dict[str, Tensor], dict[str, str]]


def save(path: Path, model: torch.nn.Module, settings: dict[str, str]) -> None:
    """Writes weights, network configuration and the settings of the training run."""
    assert isinstance(model, Lifter)  # noqa: S101 - narrows an averaged model's type
    path.parent.mkdir(parents=True, exist_ok=True)
    meta = json.dumps({"config": asdict(model.config), "settings": settings})
    with atomic_file(path) as partial:
        torch.save({"meta": meta, "state": model.state_dict()}, partial)


def load(path: Path) -> tuple[Lifter, dict[str, str]]:
    """Returns a network with its weights, and the settings of the training run.

    Args:
        path: A checkpoint, or a graph exported from one (its weights are rounded to half precision).

    Raises:
        AssetError: The file is neither.
    """
    try:
        config, state, settings = _read(path)
        model = Lifter(config)
        model.load_state_dict(state)
    except UNREADABLE as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if isinstance(error, pickle.UnpicklingError):  # PyTorch's own text explains how to load it unsafely
            reason = "it contains pickled objects, which may run code when loaded"
        raise AssetError(f"{path} is not a lifter checkpoint: {reason}.", "Train one, or name another file.") from error
    return model.eval(), settings


def _read(path: Path) -> Parts:
    kind = weights_format(path)
    if kind == "other":
        raise ValueError("it is neither a checkpoint nor a graph")
    return _read_graph(path) if kind == "graph" else _read_checkpoint(path)


def _read_checkpoint(path: Path) -> Parts:
    with zipfile.ZipFile(path) as archive:
        check_members(path, archive.infolist())
    content = torch.load(path, map_location="cpu", weights_only=True)  # never unpickles code
    meta = json.loads(content["meta"])
    return _config(meta["config"]), content["state"], meta["settings"]


def _read_graph(path: Path) -> Parts:
    import onnx  # only training from a graph needs it

    model = onnx.load_model_from_string(path.read_bytes())
    settings = {entry.key: entry.value for entry in model.metadata_props}
    state = {
        value.name.removeprefix(WEIGHTS).removesuffix(HALF): torch.from_numpy(
            onnx.numpy_helper.to_array(value).astype(np.float32)
        )
        for value in model.graph.initializer
        if value.name.startswith(WEIGHTS)
    }
    if "stem.weight" not in state:
        raise ValueError("this graph has no lifter weights from which training could start")
    config = settings.pop(CONFIG, None)
    return _config_from_shapes(state) if config is None else _config(json.loads(config)), state, settings


def _config(fields: Mapping[str, Any]) -> LifterConfig:
    """Returns a configuration from JSON, in which tuples are lists."""
    given: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
    return LifterConfig(**given)


def _config_from_shapes(state: Mapping[str, Tensor]) -> LifterConfig:
    """Returns the configuration of a graph without metadata."""

    def blocks(branch: str) -> int:
        return len({name.split(".")[1] for name in state if name.startswith(f"{branch}.")})

    return LifterConfig(len(state["stem.bias"]), blocks("pose"), blocks("camera"))
