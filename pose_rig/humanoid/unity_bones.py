"""Every bone that Unity's humanoid can have, which are those of VMC and VRM too, and what it hangs on."""

from pose_rig.humanoid.bones import PARENT

SIDES = ("Left", "Right")
FINGERS = ("Thumb", "Index", "Middle", "Ring", "Little")
PHALANGES = ("Proximal", "Intermediate", "Distal")


def _parents() -> dict[str, str]:
    parents = {**PARENT, "UpperChest": "Chest", "Jaw": "Head"}
    parents |= dict.fromkeys(("Neck", "LeftShoulder", "RightShoulder"), "UpperChest")
    for side in SIDES:
        parents[f"{side}Eye"] = "Head"
        for finger in FINGERS:
            above = f"{side}Hand"
            for phalanx in PHALANGES:
                parents[f"{side}{finger}{phalanx}"] = above
                above = f"{side}{finger}{phalanx}"
    return parents


PARENTS: dict[str, str] = _parents()  # bone → the bone that it hangs on where there are all 55; empty for the hips
