"""Training methods by name: input frame of the lifter, refinement of the 2D, and the weights of the loss terms.

The self-supervised ones build on each other: CanonPose (Wandt et al., CVPR 2021), Cross-View Self-Fusion with Step 1
and with both steps (Kim et al., ACCV 2022), and ours.
"""

from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from pose_rig.errors import UsageError
from pose_rig.training.footage.footage import InputFrame

RotationForm = Literal["6d", "axis_angle"]


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights of the loss terms (`pose_rig.training.losses`); a term of weight 0 is not computed.

    Attributes:
        rep: Reprojection of a view's own pose.
        view: Reprojection of the other views' poses.
        cam: Camera consistency of static rigs, a sum over the rigs of a batch.
        ref: Detected against refined 2D; has no gradient, for the log only.
        frep: ``rep`` against refined 2D.
        fview: ``view`` against refined 2D.
        rep2: ``rep`` of Step 2: poses lifted from refined 2D, against it.
        view2: ``view`` of Step 2.
        consistent: Step 2: the canonical poses of all views are equal.
        lifts: The lifts of detected and refined 2D are equal.
        sp: All pairs of views against the fused pose, weighted by its precision.
        spread: Negative log-likelihood of the lifted depths under the predicted spread.
        bend: The nose is in front of the ears, knees bend forward, elbows backward.
        supervised: Distance to the true pose.
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
TERMS_WITHOUT_POSE_GRADIENT = ("ref", "spread")


@dataclass(frozen=True, slots=True)
class Method:
    """A training method.

    Attributes:
        name: ``canonpose``.
        source: Its publication.
        early: Weights of the first stage.
        late: Weights of the second stage.
        switch: Share of the steps after which the second stage begins; 1 = never.
        frame: Coordinate frame of the lifter's input (`pose_rig.lifting.model.LifterConfig`).
        rotation: Representation of the predicted rotation.
        perspective: Whether the reprojection is perspective.
        refinement: How 2D is refined: the paper's heatmap voting as released or corrected, or the views' fused pose.
        released: Compute the terms as the released code does.
        depth: Whether the lifter takes a detector's depths, where there are any; the published methods have 2D alone.
    """

    name: str
    source: str
    early: Weights
    late: Weights
    switch: float = 1.0
    frame: InputFrame = "image"
    rotation: RotationForm = "axis_angle"
    perspective: bool = False
    refinement: Literal["", "released", "corrected", "agreement"] = ""
    released: bool = False
    depth: bool = False

    def weights(self, progress: float) -> Weights:
        """Returns the weights at a progress of 0–1."""
        return self.late if progress >= self.switch else self.early

    def without(self, terms: tuple[str, ...]) -> "Method":
        """Returns the method with the weights of some terms set to 0 (an ablation).

        Raises:
            UsageError: A term is unknown, or no term is left that trains the pose.
        """
        if unknown := [term for term in terms if term not in TERMS]:
            raise UsageError(f"Unknown loss term {unknown[0]!r}.", f"Use one of {', '.join(TERMS)}.")
        off = dict.fromkeys(terms, 0.0)
        left = replace(self, early=replace(self.early, **off), late=replace(self.late, **off))
        for stage in (left.early, left.late):
            if not any(getattr(stage, name) for name in TERMS if name not in TERMS_WITHOUT_POSE_GRADIENT):
                raise UsageError(
                    f"{self.name} without {', '.join(terms)} has no loss term left.", "Keep at least one of them."
                )
        return left

    def with_bend(self, weight: float) -> "Method":
        """Returns the method with another weight of the bend term in both stages."""
        return replace(self, early=replace(self.early, bend=weight), late=replace(self.late, bend=weight))


_CANONPOSE = Weights(rep=1, view=1, cam=0.1)
_S1 = replace(_CANONPOSE, ref=1, frep=0.01, fview=0.01)
_S1_LATE = replace(_CANONPOSE, rep=0.1, view=0.1, ref=0.01, frep=1, fview=1)
_STEP2 = {"rep2": 0.1, "view2": 0.1}
_KIM = "Kim et al., ACCV 2022"
_OURS = replace(_CANONPOSE, bend=1)
_TAUGHT = Weights(rep=0.1, view=0.1, bend=1, spread=0.01, supervised=1)
_RAY: dict[str, Any] = {"frame": "ray", "rotation": "6d", "perspective": True}

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
        Method("ours", "pose-rig", _OURS, _OURS, **_RAY),
        Method(
            "ours-sp",
            "pose-rig, second stage against the fused pose of all views",
            _OURS,
            replace(_OURS, sp=1, spread=0.01),
            0.5,
            refinement="agreement",
            **_RAY,
        ),
        Method("taught", "pose-rig, fine-tuning on the poses of the whole rig", _TAUGHT, _TAUGHT, depth=True, **_RAY),
    )
}


def method(name: str) -> Method:
    """Returns a method by its name.

    Raises:
        UsageError: There is no such method.
    """
    if name not in METHODS:
        raise UsageError(f"Unknown training method {name!r}.", f"Use one of {', '.join(METHODS)}.")
    return METHODS[name]
