"""Settings of a training run; stored in its folder and in the weights."""

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Literal

from pose_rig.errors import UsageError
from pose_rig.training.footage.footage import InputFrame
from pose_rig.training.methods import Method, RotationForm, method

MIN_VALUES = {
    "width": 8, "steps": 1, "rigs": 0, "per_rig": 1, "warm_up": 1, "check": 1, "rehearsal": 0, "patience": 0,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """A training run.

    Attributes:
        method: Name of the method (`pose_rig.training.methods`).
        without: Loss terms that are switched off.
        bend: Weight of the bend term, in both stages; negative = that of the method.
        frame: Frame of the lifter's input; empty = that of the method.
        rotation: Representation of the predicted rotation; empty = that of the method.
        perspective: Use perspective in the reprojection even if the method does not.
        width: Units per hidden layer of a new network.
        steps: Optimiser steps.
        rigs: Rigs per batch, over all processes; 0 = the rehearsal alone.
        per_rig: Frames of each rig.
        rate: Peak learning rate, after a linear warm-up and before a cosine decay.
        warm_up: Warm-up steps.
        decay: Weight decay (AdamW).
        rehearsal: Simulated views with labels per step, against catastrophic forgetting; 0 = none.
        average: Decay of the exponential moving average of the weights, which is what is kept; 0 = the last weights.
        check: Steps between validations.
        patience: Early stopping after this many validations without improvement; 0 = never.
        seed: Random seed.
        device: ``cpu``, ``cuda``.
        only_depth: Train the lifter's depth branch alone: where no depths are known, it computes exactly what it did.
        mixed: Run the network in bfloat16.
        compile: Compile the network with torch; worth it for long runs.
    """

    method: str = "ours"
    without: tuple[str, ...] = ()
    bend: float = -1.0
    frame: InputFrame | Literal[""] = ""
    rotation: RotationForm | Literal[""] = ""
    perspective: bool = False
    width: int = 512
    steps: int = 3000
    rigs: int = 8
    per_rig: int = 8
    rate: float = 1e-3
    warm_up: int = 200
    decay: float = 1e-5
    rehearsal: int = 0
    average: float = 0.0
    check: int = 250
    patience: int = 0
    seed: int = 0
    device: str = "cpu"
    only_depth: bool = False
    mixed: bool = False
    compile: bool = False

    def __post_init__(self) -> None:
        """Checks the values.

        Raises:
            UsageError: A value is out of range, or a name is unknown.
        """
        for name, minimum in MIN_VALUES.items():
            if (value := getattr(self, name)) < minimum:
                raise UsageError(f"{name} must be at least {minimum}; got {value}.", f"Use {minimum} or more.")
        if not 0 < self.rate < 1:
            raise UsageError(f"The learning rate must be between 0 and 1; got {self.rate:g}.", "Use e.g. 0.001.")
        if not 0 <= self.average < 1:
            raise UsageError(
                f"The decay of the moving average must be at least 0 and below 1; got {self.average:g}.",
                "Use e.g. 0.99, or 0 for none.",
            )
        if not self.rigs and not self.rehearsal:
            raise UsageError("A batch of 0 leaves nothing to train on.", "Add --rehearsal 2048, or use --batch 64.")
        recipe = self.recipe()
        if self.only_depth and not recipe.depth:
            raise UsageError(f"The method {self.method} uses no depths.", "Use --only-depth with the method taught.")

    def recipe(self) -> Method:
        """Returns the method with the changes of this job."""
        changed = method(self.method).without(self.without)
        changed = replace(
            changed,
            frame=self.frame or changed.frame,
            rotation=self.rotation or changed.rotation,
            perspective=self.perspective or changed.perspective,
        )
        return changed if self.bend < 0 else changed.with_bend(self.bend)

    def to_json(self) -> str:
        """Returns the job as JSON."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> "TrainingJob":
        """Returns the job of a JSON text.

        Raises:
            UsageError: It is not JSON of a job.
        """
        try:
            values = json.loads(text)
            if unknown := set(values) - {field.name for field in fields(cls)}:
                raise UsageError(
                    f"The training job has unknown settings: {', '.join(sorted(unknown))}.",
                    "Use the version of pose-rig that wrote it.",
                )
            return cls(**{**values, "without": tuple(values.get("without", ()))})
        except (ValueError, TypeError) as error:
            raise UsageError(
                f"The training job cannot be read: {error}.", "Name the folder of a training run."
            ) from error
