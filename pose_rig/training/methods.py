"""Ways of training by name: what the lifter sees, what its 2D is refined by, and which terms weigh how much when.

The self-supervised ones are steps on one path: CanonPose (Wandt et al., CVPR 2021), Cross-View Self-Fusion with its
first step and with both (Kim et al., ACCV 2022), and ours.
"""

from dataclasses import dataclass, fields, replace
from typing import Literal

from pose_rig.errors import UsageError
from pose_rig.training.footage.footage import Frame

RotationForm = Literal["6d", "axis_angle"]


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights of the terms in `pose_rig.training.terms`; 0 = not computed.

    Attributes:
        rep: Reprojection of a view's own pose, and
        view: of the other views' poses.
        cam: Cameras of a static rig stay where they are.
        ref: Detected against refined 2D; constant, a figure to watch.
        frep: As ``rep``, against refined 2D, and
        fview: as ``view``.
        rep2: As ``rep``, Step 2: lifted from refined 2D, against it, and
        view2: as ``view``.
        consistent: Step 2: all views lift the same canonical pose.
        lifts: Detected and refined 2D lift to the same pose.
        sp: All pairs against the fused pose, by precision.
        spread: Likelihood of the lifter's own doubt about its depths.
        bend: Noses lie before ears, knees bend forward, elbows backward.
        supervised: Against the true pose.
    """

    rep: float = 0.0
    view: float = 0.0
    cam: float = 0.0
    ref: float = 0.0
    frep: float = 0.0
    fview: float = 0.0
    rep2: float = 0.0
    view2: float = 0.0
    consistent: float = 0.0
    lifts: float = 0.0
    sp: float = 0.0
    spread: float = 0.0
    bend: float = 0.0
    supervised: float = 0.0


TERMS = tuple(field.name for field in fields(Weights))
IDLE = ("ref", "spread")  # these teach no pose


@dataclass(frozen=True, slots=True)
class Method:
    """One way of training.

    Attributes:
        name: ``canonpose``.
        source: Whose it is.
        early: Weights of the first stage, and
        late: of the second, which begins
        switch: at this share of the training; 1 = never.
        frame: What the lifter sees (`pose_rig.lifting.model.LifterConfig`).
        rotation: How its rotation leaves it.
        perspective: Whether reprojection knows that near limbs look larger.
        refinement: What makes refined 2D: the paper's votes as released or corrected, or the views' agreement.
        released: Take terms as the released code computes them.
    """

    name: str
    source: str
    early: Weights
    late: Weights
    switch: float = 1.0
    frame: Frame = "image"
    rotation: RotationForm = "axis_angle"
    perspective: bool = False
    refinement: Literal["", "released", "corrected", "agreement"] = ""
    released: bool = False

    def weights(self, done: float) -> Weights:
        """Returns the weights when so much of the training (0–1) is done."""
        return self.late if done >= self.switch else self.early

    def without(self, terms: tuple[str, ...]) -> "Method":
        """Returns the method with some terms switched off.

        Raises:
            UsageError: There is no such term, or a stage would have nothing to learn from.
        """
        if unknown := [term for term in terms if term not in TERMS]:
            raise UsageError(f"{unknown[0]!r} is no term of the loss.", f"Terms are {', '.join(TERMS)}.")
        off = dict.fromkeys(terms, 0.0)
        left = replace(self, early=replace(self.early, **off), late=replace(self.late, **off))
        for stage in (left.early, left.late):
            if not any(getattr(stage, name) for name in TERMS if name not in IDLE):
                raise UsageError(
                    f"{self.name} without {', '.join(terms)} has nothing to learn from.", "Keep one of them at least."
                )
        return left

    def bent(self, weight: float) -> "Method":
        """Returns the method with another weight of the bend term in both stages."""
        return replace(self, early=replace(self.early, bend=weight), late=replace(self.late, bend=weight))

    def seeing(self, frame: Frame, rotation: RotationForm, *, perspective: bool) -> "Method":
        """Returns the method for a lifter that sees and turns otherwise, with perspective or without."""
        return replace(self, frame=frame, rotation=rotation, perspective=perspective)


_CANONPOSE = Weights(rep=1, view=1, cam=0.1)
_S1 = replace(_CANONPOSE, ref=1, frep=0.01, fview=0.01)
_S1_LATE = replace(_CANONPOSE, rep=0.1, view=0.1, ref=0.01, frep=1, fview=1)
_STEP2 = {"rep2": 0.1, "view2": 0.1}
_KIM = "Kim et al., ACCV 2022"
_OURS = Weights(rep=1, view=1, cam=0.1, bend=1)
_TAUGHT = Weights(rep=0.1, view=0.1, bend=1, spread=0.01, supervised=1)

METHODS = {
    method.name: method
    for method in (
        Method("supervised", "after Martinez et al., ICCV 2017", Weights(supervised=1), Weights(supervised=1)),
        Method("canonpose", "Wandt et al., CVPR 2021", _CANONPOSE, _CANONPOSE),
        Method("csm-s1", f"{_KIM}, Step 1", _S1, _S1_LATE, 0.7, refinement="corrected"),
        Method(
            "csm-s1s2",
            f"{_KIM}, Steps 1 and 2",
            replace(_S1, consistent=0.001, lifts=0.1, **_STEP2),
            replace(_S1_LATE, consistent=0.01, lifts=0.001, **_STEP2),
            0.7,
            refinement="corrected",
        ),
        Method("released", f"{_KIM}, Step 1 as released", _S1, _S1_LATE, refinement="released", released=True),
        Method(
            "released-s1s2",
            f"{_KIM}, Steps 1 and 2 as the released script would, if it ran",
            replace(_S1, consistent=0.001, lifts=0.1),
            replace(_S1_LATE, consistent=0.01, lifts=0.001),
            refinement="released",
            released=True,
        ),
        Method(
            "ours",
            "pose-rig",
            _OURS,
            _OURS,
            frame="ray",
            rotation="6d",
            perspective=True,
        ),
        Method(
            "ours-sp",
            "pose-rig, second stage towards the views' agreement",
            _OURS,
            replace(_OURS, sp=1, spread=0.01),
            0.5,
            frame="ray",
            rotation="6d",
            perspective=True,
            refinement="agreement",
        ),
        Method(
            "taught",
            "pose-rig, fine-tuning: towards what the whole rig made of each instant",
            _TAUGHT,
            _TAUGHT,
            frame="ray",
            rotation="6d",
            perspective=True,
        ),
    )
}


def method(name: str) -> Method:
    """Returns a method by its name.

    Raises:
        UsageError: There is none of that name.
    """
    if name not in METHODS:
        raise UsageError(f"{name!r} is no method of training.", f"Methods are {', '.join(METHODS)}.")
    return METHODS[name]
