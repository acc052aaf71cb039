"""What a training run was asked for; kept in its folder and in everything that comes out of it."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Literal

from pose_rig.errors import UsageError
from pose_rig.training.footage.footage import Frame
from pose_rig.training.methods import Method, RotationForm, method


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """A training run.

    Attributes:
        method: Name of the method (`pose_rig.training.methods`).
        without: Terms of the loss that are switched off.
        bend: Weight of the bend term, in all stages; negative = the method's own.
        frame: What the lifter sees, and
        rotation: how its rotation leaves it; empty = the method's own.
        perspective: Reproject with perspective, whether the method does or not.
        width: Units per layer of a new network.
        steps: Optimiser steps.
        rigs: Rigs in a batch, and
        per_rig: instants of each; all ranks together.
        rate: Peak learning rate: it rises over the first `warm_up` steps and falls along a cosine.
        warm_up: Steps.
        decay: Weight decay (AdamW).
        rehearsal: Simulated views per step, of which everything is known, so that what was learned before is not
            forgotten; 0 = none.
        average: Decay of the running mean of the weights, which is what is kept; 0 = keep the last ones.
        check: Steps between two looks at held-back instants.
        patience: Looks without improvement after which it ends; 0 = never before the last step.
        seed: Of all chance.
        device: ``cpu``, ``cuda``.
        mixed: Networks compute in bfloat16, where the device is quicker at it.
        compile: Have torch compile the network; pays on long runs.
    """

    method: str = "ours"
    without: tuple[str, ...] = ()
    bend: float = -1.0
    frame: Frame | Literal[""] = ""
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
    mixed: bool = False
    compile: bool = False

    def __post_init__(self) -> None:
        """Checks the values.

        Raises:
            UsageError: One is out of range, or a name is unknown.
        """
        least = {
            "width": 8,
            "steps": 1,
            "rigs": 1,
            "per_rig": 1,
            "warm_up": 1,
            "check": 1,
            "rehearsal": 0,
            "patience": 0,
        }
        for name, lowest in least.items():
            if getattr(self, name) < lowest:
                raise UsageError(f"{name} = {getattr(self, name)} makes no training.", f"Use {lowest} at least.")
        if not 0 < self.rate < 1:
            raise UsageError(f"A learning rate of {self.rate:g} makes no training.", "Use something like 0.001.")
        if not 0 <= self.average < 1:
            raise UsageError(
                f"A running mean with a decay of {self.average:g} learns nothing.", "Use something like 0.99, or 0."
            )
        self.recipe()

    def recipe(self) -> Method:
        """Returns the method with the terms that were switched off or weighed otherwise."""
        recipe = method(self.method).without(self.without)
        recipe = recipe.seeing(
            self.frame or recipe.frame,
            self.rotation or recipe.rotation,
            perspective=self.perspective or recipe.perspective,
        )
        return recipe if self.bend < 0 else recipe.bent(self.bend)

    def to_json(self) -> str:
        """Returns the job as text."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> "TrainingJob":
        """Returns the job of a text.

        Raises:
            UsageError: It is not the text of a job.
        """
        try:
            values = json.loads(text)
            known = {field.name for field in fields(cls)}
            if unknown := set(values) - known:
                raise UsageError(
                    f"The job has unknown settings: {', '.join(sorted(unknown))}.", "Is it of a newer version?"
                )
            return cls(**{**values, "without": tuple(values.get("without", ()))})
        except (ValueError, TypeError) as error:
            raise UsageError(f"The job cannot be read: {error}.", "Name the folder of a training run.") from error
