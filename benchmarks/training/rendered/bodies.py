"""Bodies of random people as meshes, and their poses.

The bodies are those of Anny (Apache-2.0), made from MakeHuman's: `pip install anny`. Their legs are 15 % longer, next
to the trunk, than those of people as detectors see them, so limbs are stretched to the bones of the pose.

Axes: P people, V vertices, B bones of the mesh, J = 17 joints. Lengths in m; y up, the person at rest faces +z.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module

import numpy as np
from numpy.typing import NDArray

from pose_rig.arrays import Floats
from pose_rig.geometry import rotation_from_vector
from pose_rig.skeleton import INDEX, landmarks

OURS_FROM_ANNY = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # x left, y back, z up → x left, y up, z front
SHAPES = {  # range of each of Anny's parameters: adults
    "gender": (0.0, 1.0), "age": (0.6, 0.95), "muscle": (0.3, 0.8), "weight": (0.25, 0.75), "height": (0.2, 0.8),
    "proportions": (0.3, 0.8),
}  # fmt: skip
SPINE = ("spine05", "spine04", "spine03", "spine02", "spine01")
NECK = ("neck01", "neck02", "neck03", "head")
FEWER = {"arm": 0.95, "leg": 0.93}  # stretch: detectors see the limbs' joints farther out than Anny's keypoints are
STRETCH = (0.7, 1.25)
HAND_SD_RAD, WRIST_SD_RAD = 0.25, 0.5


@dataclass(frozen=True, slots=True)
class Bodies:
    """People at rest.

    Attributes:
        vertices: (P,V,3).
        heads: (P,B,3) where bones begin.
        triangles: (F,3).
        bones: (V,K) of each vertex, and weights: (V,K).
        names: (B,) of the bones; parents: (B,), −1 = none.
        regressor: (J,V) joints from vertices.
        face: (3,V) nose and eyes from vertices.
    """

    vertices: Floats
    heads: Floats
    triangles: NDArray[np.int64]
    bones: NDArray[np.int64]
    weights: Floats
    names: tuple[str, ...]
    parents: tuple[int, ...]
    regressor: Floats
    face: Floats

    @classmethod
    def random(cls, count: int, rng: np.random.Generator) -> "Bodies":
        """Returns random adults."""
        torch, anny = import_module("torch"), import_module("anny")
        model = anny.Anny().to(dtype=torch.float32)
        shape = {name: torch.tensor(rng.uniform(*span, count), dtype=torch.float32) for name, span in SHAPES.items()}
        upright = torch.eye(4)[None, None].repeat(count, model.bone_count, 1, 1)
        with torch.no_grad():
            rest = model(pose_parameters=upright, phenotype_kwargs=shape)
        regressor = import_module("anny.keypoints").KeypointsRegressor.coco(model)
        coco = dict(zip(regressor.labels, regressor.regression_weights.numpy().astype(float), strict=True))
        return cls(
            vertices=rest["rest_vertices"].numpy().astype(float) @ OURS_FROM_ANNY.T,
            heads=rest["rest_bone_heads"].numpy().astype(float) @ OURS_FROM_ANNY.T,
            triangles=np.asarray(model.faces, np.int64),
            bones=model.vertex_bone_indices.numpy().astype(np.int64),
            weights=model.vertex_bone_weights.numpy().astype(float),
            names=tuple(model.bone_labels),
            parents=tuple(model.bone_parents),
            regressor=landmarks("coco17").weights @ np.stack([coco[name] for name in landmarks("coco17").names]),
            face=np.stack([coco[name] for name in ("nose", "left_eye", "right_eye")]),
        )

    def joints(self, vertices: Floats) -> Floats:
        """Returns (J,3) the joints of vertices (V,3)."""
        return np.asarray(self.regressor @ vertices)

    def posed(self, person: int, pose: Floats, rng: np.random.Generator) -> Floats:
        """Returns (V,3) the vertices of a person whose bones have the directions of a pose (J,3), near its pelvis."""
        rest = self.joints(self.vertices[person])
        turns = dict.fromkeys(self.names, np.eye(3)) | dict(self._turns(rest, pose, rng))
        turn = np.stack([turns[name] for name in self.names])
        heads, start = self.heads[person], np.zeros_like(self.heads[person])
        for bone, parent in enumerate(self.parents):
            if parent >= 0:
                start[bone] = start[parent] + turn[parent] @ (heads[bone] - heads[parent])
        shift = start - np.einsum("bij,bj->bi", turn, heads)
        rows = np.concatenate([turn, shift[..., None]], -1)[self.bones]  # (V,K,3,4)
        blended = np.einsum("vk,vkij->vij", self.weights, rows)
        return np.asarray(np.einsum("vij,vj->vi", blended[..., :3], self.vertices[person]) + blended[..., 3])

    def _turns(self, rest: Floats, pose: Floats, rng: np.random.Generator) -> Iterator[tuple[str, Floats]]:
        """Yields the rotation of each bone from rest, and its stretch."""
        pelvis, chest, head = (
            after @ before.T for before, after in zip(_trunk_axes(rest), _trunk_axes(pose), strict=True)
        )
        for name in self.names:
            yield name, pelvis
        for bones, first, last in ((SPINE, pelvis, chest), (NECK, chest, head)):
            for k, name in enumerate(bones):
                yield name, between(first, last, (k + 1) / len(bones))
        for side, letter in (("l", "L"), ("r", "R")):
            yield f"eye.{letter}", head
            yield f"clavicle.{letter}", chest
            yield f"shoulder01.{letter}", chest
            arm = _Limb.of(rest, pose, [f"{side}_{part}" for part in ("shoulder", "elbow", "wrist")], FEWER["arm"])
            upper, lower = arm.turns(chest, np.array([-1.0, 0, 0]))
            forearm = arm.after[1] / np.linalg.norm(arm.after[1])
            turned = rotation_from_vector(rng.normal(0, WRIST_SD_RAD) * forearm) @ lower
            hand = rotation_from_vector(rng.normal(0, HAND_SD_RAD, 3)) @ turned
            yield from self._like((f"upperarm01.{letter}", f"upperarm02.{letter}"), upper @ arm.stretch(0))
            yield f"lowerarm01.{letter}", lower @ arm.stretch(1)
            yield f"lowerarm02.{letter}", between(lower, turned, 0.5) @ arm.stretch(1)
            yield from self._like(self._named(("wrist", "finger", "metacarpal"), letter), hand)
            leg = _Limb.of(rest, pose, [f"{side}_{part}" for part in ("hip", "knee", "ankle")], FEWER["leg"])
            upper, lower = leg.turns(pelvis, np.array([1.0, 0, 0]))
            yield from self._like(self._named(("upperleg",), letter), upper @ leg.stretch(0))
            yield from self._like(self._named(("lowerleg",), letter), lower @ leg.stretch(1))
            yield from self._like(self._named(("foot", "toe"), letter), lower)

    def _named(self, starts: tuple[str, ...], letter: str) -> list[str]:
        return [name for name in self.names if name.startswith(starts) and name.endswith(f".{letter}")]

    @staticmethod
    def _like(names: list[str] | tuple[str, ...], turn: Floats) -> Iterator[tuple[str, Floats]]:
        for name in names:
            yield name, turn


@dataclass(frozen=True, slots=True)
class _Limb:
    """Both bones of a limb at rest and in the pose (2,3), and by how much they are stretched (2,)."""

    before: Floats
    after: Floats
    factor: Floats

    @classmethod
    def of(cls, rest: Floats, pose: Floats, names: list[str], fewer: float) -> "_Limb":
        """Returns the limb of three joints; lengths are compared next to the trunk's."""
        index = [INDEX[name] for name in names]
        before, after = (np.diff(joints[index], axis=0) for joints in (rest, pose))
        lengths = [
            np.linalg.norm(bones, axis=1) / np.linalg.norm(joints[INDEX["thorax"]] - joints[0])
            for bones, joints in ((before, rest), (after, pose))
        ]
        return cls(before, after, np.clip(fewer * lengths[1] / lengths[0], *STRETCH))

    def stretch(self, bone: int) -> Floats:
        """Returns (3,3) the stretch of a bone along itself."""
        along = self.before[bone] / np.linalg.norm(self.before[bone])
        return np.asarray(np.eye(3) + (self.factor[bone] - 1) * np.outer(along, along))

    def turns(self, trunk: Floats, hinge: Floats) -> tuple[Floats, Floats]:
        """Returns the rotations (3,3) of both bones; the first is twisted so that the hinge bends as the limb does."""
        upper = shortest(trunk @ self.before[0], self.after[0]) @ trunk
        along = self.after[0] / np.linalg.norm(self.after[0])
        axis = np.cross(along, self.after[1] / np.linalg.norm(self.after[1]))
        bend = float(np.linalg.norm(axis))
        if bend > 1e-3:
            own = upper @ hinge
            own = own - along * (along @ own)
            twist = np.arctan2(along @ np.cross(own, axis), own @ axis)
            upper = rotation_from_vector(np.clip(twist, -1.6, 1.6) * np.clip((bend - 0.1) / 0.3, 0, 1) * along) @ upper
        return upper, shortest(upper @ self.before[1], self.after[1]) @ upper


def shortest(a: Floats, b: Floats) -> Floats:
    """Returns (3,3) the smallest rotation of the direction of a into that of b."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    axis, cosine = np.cross(a, b), float(a @ b)
    sine = float(np.linalg.norm(axis))
    if sine < 1e-9:
        axis, sine = np.cross(a, np.eye(3)[np.abs(a).argmin()]), 1.0
        return rotation_from_vector(axis / np.linalg.norm(axis) * (0 if cosine > 0 else np.pi))
    return rotation_from_vector(axis / sine * np.arctan2(sine, cosine))


def between(a: Floats, b: Floats, share: float) -> Floats:
    """Returns (3,3) the rotation at a share of the way from a to b."""
    from scipy.spatial.transform import Rotation

    return np.asarray(a @ Rotation.from_rotvec(share * Rotation.from_matrix(a.T @ b).as_rotvec()).as_matrix())


def _trunk_axes(joints: Floats) -> tuple[Floats, Floats, Floats]:
    """Returns the axes (3,3) of pelvis, chest and head, as columns."""

    def at(name: str) -> Floats:
        return np.asarray(joints[INDEX[name]])

    face, up = at("nose") - at("head"), at("head") - at("thorax")
    return (
        _axes(at("l_hip") - at("r_hip"), at("thorax") - at("pelvis")),
        _axes(at("l_shoulder") - at("r_shoulder"), at("thorax") - at("spine")),
        _axes(np.cross(up, face), up - face * (up @ face) / (face @ face)),
    )


def _axes(left: Floats, up: Floats) -> Floats:
    x = left / np.linalg.norm(left)
    y = up - x * (x @ up)
    y = y / np.linalg.norm(y)
    return np.stack([x, y, np.cross(x, y)], 1)
