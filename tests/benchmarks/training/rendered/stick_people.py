"""Meshes that are nothing but the joints of a person, and their bones."""

import numpy as np

from benchmarks.training.rendered.bodies import Bodies
from pose_rig.arrays import Floats
from pose_rig.simulation.bodies import define_centres
from pose_rig.skeleton import INDEX, J

# bone → where it begins, its parent, and the joints that are fixed to it
BONES = {
    "root": ("pelvis", None, ("pelvis", "r_hip", "l_hip")), "spine01": ("pelvis", "root", ("l_shoulder", "r_shoulder")),
    "head": ("thorax", "spine01", ("head", "nose")),
    **{
        f"{bone}01.{letter}": (f"{side}_{start}", parent.format(letter), (f"{side}_{end}",))
        for side, letter in (("l", "L"), ("r", "R"))
        for bone, start, parent, end in (
            ("upperleg", "hip", "root", "knee"), ("lowerleg", "knee", "upperleg01.{}", "ankle"),
            ("upperarm", "shoulder", "spine01", "elbow"), ("lowerarm", "elbow", "upperarm01.{}", "wrist"),
        )
    },
}  # fmt: skip
REST = {
    "l_hip": (0.1, 0, 0), "l_knee": (0.1, -0.4, 0.01), "l_ankle": (0.1, -0.78, 0), "l_shoulder": (0.17, 0.5, 0),
    "l_elbow": (0.4, 0.4, 0), "l_wrist": (0.62, 0.3, 0.03), "head": (0, 0.7, 0.02), "nose": (0, 0.7, 0.13),
}  # fmt: skip


def standing() -> Floats:
    """Returns (17,3) m the joints at rest."""
    joints = np.zeros((J, 3))
    for name, place in REST.items():
        joints[INDEX[name]] = place
        if name.startswith("l_"):
            joints[INDEX["r" + name[1:]]] = np.array(place) * (-1, 1, 1)
    return np.asarray(define_centres(joints[None])[0])


def stick_people() -> Bodies:
    """Returns one person."""
    rest, names = standing(), tuple(BONES)
    bone_of = {joint: i for i, (_, _, joints) in enumerate(BONES.values()) for joint in joints}
    bones = np.array([[bone_of.get(joint, 0)] for joint in INDEX])
    regressor = np.eye(J)
    for centre, left in (("thorax", "shoulder"), ("pelvis", "hip")):
        regressor[INDEX[centre]] = 0.5 * (np.eye(J)[INDEX[f"l_{left}"]] + np.eye(J)[INDEX[f"r_{left}"]])
    regressor[INDEX["spine"]] = 0.5 * (regressor[INDEX["thorax"]] + regressor[INDEX["pelvis"]])
    return Bodies(
        vertices=rest[None],
        heads=np.stack([rest[INDEX[start]] for start, _, _ in BONES.values()])[None],
        triangles=np.array([[1, 2, 3]]),
        bones=bones,
        weights=np.ones((J, 1)),
        names=names,
        parents=tuple(-1 if parent is None else names.index(parent) for _, parent, _ in BONES.values()),
        regressor=regressor,
        face=np.eye(J)[[INDEX["nose"]] * 3],
    )
