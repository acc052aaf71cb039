"""VRM files of known skeletons, of both versions, simple and irregular.

Space of arguments: that of `pose_rig.humanoid.bones`; the space of the file depends on its version.
"""

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pose_rig.arrays import Floats
from pose_rig.humanoid.avatar import person_avatar
from pose_rig.humanoid.bones import RestPose, multiply, rotate
from tests.streaming.people import about

HALF_TURN = np.diag([-1.0, 1.0, -1.0, 1.0])
THUMBS = {"ThumbProximal": "ThumbMetacarpal", "ThumbIntermediate": "ThumbProximal"}  # Unity → VRM 1


@dataclass
class Model:
    """A model under construction, and the positions of its bones in a pose.

    Attributes:
        version: Version of VRM.
        nodes: Nodes of the file.
        bones: Unity's name → number of the node.
    """

    version: int
    nodes: list[dict[str, Any]] = field(default_factory=list)
    bones: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, local: Floats, parent: int | None, *, as_matrix: bool = False) -> int:
        """Appends a node of a (4,4) transformation without shear, and returns its number."""
        node: dict[str, Any] = {"name": name}
        if as_matrix:
            node["matrix"] = local.T.ravel().tolist()
        else:
            scale = np.linalg.norm(local[:3, :3], axis=0)
            node["translation"], node["scale"] = local[:3, 3].tolist(), scale.tolist()
            node["rotation"] = quaternion(local[:3, :3] / scale).tolist()
        self.nodes.append(node)
        if parent is not None:
            self.nodes[parent].setdefault("children", []).append(len(self.nodes) - 1)
        return len(self.nodes) - 1

    def document(self) -> dict[str, Any]:
        """Returns the glTF."""
        held = {child for node in self.nodes for child in node.get("children", ())}
        roots = [i for i in range(len(self.nodes)) if i not in held]
        name = "VRMC_vrm" if self.version == 1 else "VRM"
        return {
            "asset": {"version": "2.0"},
            "scene": 0,
            "scenes": [{"nodes": roots}],
            "nodes": self.nodes,
            "extensionsUsed": [name],
            "extensions": {name: self._vrm1() if self.version == 1 else self._vrm0()},
        }

    def _vrm0(self) -> dict[str, Any]:
        bones = [{"bone": name[0].lower() + name[1:], "node": node} for name, node in self.bones.items()]
        return {"specVersion": "0.0", "meta": {"title": "Somebody"}, "humanoid": {"humanBones": bones}}

    def _vrm1(self) -> dict[str, Any]:
        bones = {}
        for name, node in self.bones.items():
            for unity, vrm in THUMBS.items():
                if name.endswith(unity):
                    name = name.replace(unity, vrm)
                    break
            bones[name[0].lower() + name[1:]] = {"node": node}
        meta = {"name": "Somebody", "authors": ["Nobody"], "licenseUrl": "https://vrm.dev/licenses/1.0/"}
        return {"specVersion": "1.0", "meta": meta, "humanoid": {"humanBones": bones}}

    def positions(self, moved: dict[str, tuple[Floats, Floats]]) -> dict[str, Floats]:
        """Returns where the bones are, (3,) m.

        Args:
            moved: Translation (3,) and rotation (4,) of bones relative to what they hang on, instead of the file's.
        """
        local = [_matrix(node) for node in self.nodes]
        turn = np.eye(4) if self.version == 1 else HALF_TURN
        for name, (translation, rotation) in moved.items():
            node = self.bones[name]
            scale = np.linalg.norm(local[node][:3, :3], axis=0)
            local[node] = turn @ transformation(translation, rotation) @ turn @ np.diag([*scale, 1.0])
        return {name: (turn @ self._world(node, local))[:3, 3] for name, node in self.bones.items()}

    def _world(self, node: int, local: list[Floats]) -> Floats:
        above = [i for i, other in enumerate(self.nodes) if node in other.get("children", ())]
        return self._world(above[0], local) @ local[node] if above else local[node]


def model_of(
    rest: RestPose,
    version: int,
    *,
    seed: int | None = None,
    without: tuple[str, ...] = (),
    renamed: dict[str, str] | None = None,
) -> Model:
    """Returns a model with a person's bones, fingers and all.

    Args:
        rest: Their bones.
        version: Version of VRM.
        seed: None = every node as it should be. Otherwise bones are turned at rest, hang on further nodes, which are
            turned and scaled, and some are matrices.
        without: Bones that it lacks; what would hang on them hangs on the one above.
        renamed: Bones that it has under other names.
    """
    person, model = person_avatar(rest, all_bones=True), Model(version)
    rng = np.random.default_rng(seed)
    world, node_of = [np.eye(4)], [model.add("Model", np.eye(4), None)]
    position = np.zeros((len(person.names), 3))
    holder = np.zeros(len(person.names), int)  # index in world and node_of of the parent node of a bone's children
    for i, (name, parent) in enumerate(zip(person.names, person.parents, strict=True)):
        position[i] = person.translation[i] + (position[parent] if parent >= 0 else 0.0)
        above = holder[parent] if parent >= 0 else 0
        holder[i] = above
        if name in without:
            continue
        for at in ("between", "bone"):
            if at == "between" and (seed is None or (parent >= 0 and rng.uniform() < 0.7)):
                continue
            turned = _random_frame(rng) if seed is not None else np.eye(4)
            turned[:3, 3] = position[i] if at == "bone" else position[i] + rng.normal(0, 0.1, 3)
            if version == 0:
                turned = HALF_TURN @ turned @ HALF_TURN
            local = np.linalg.inv(world[above]) @ turned
            as_matrix = seed is not None and rng.uniform() < 0.3
            node_of.append(model.add(name if at == "bone" else "Between", local, node_of[above], as_matrix=as_matrix))
            world.append(turned)
            above = len(world) - 1
        holder[i] = above
        model.bones[(renamed or {}).get(name, name)] = node_of[above]
    return model


def write_vrm(path: Path, model: Model) -> Path:
    """Writes a model as GLB and returns where to."""
    path.write_bytes(glb(json.dumps(model.document()).encode()))
    return path


def glb(text: bytes) -> bytes:
    """Returns a binary glTF file of a JSON."""
    text += b" " * (-len(text) % 4)
    return struct.pack("<4sIII4s", b"glTF", 2, 20 + len(text), len(text), b"JSON") + text


def transformation(translation: Floats, rotation: Floats) -> Floats:
    """Returns (4,4) of a translation (3,) and a quaternion (4,)."""
    matrix = np.eye(4)
    matrix[:3, :3] = rotate(np.asarray(rotation), np.eye(3)).T
    matrix[:3, 3] = translation
    return matrix


def quaternion(rotation: Floats) -> Floats:
    """Returns the quaternion (4,) of a rotation matrix, from its axis and angle."""
    off = rotation - np.eye(3)
    axis = np.linalg.svd(off)[2][-1]
    sine = -0.5 * np.trace(np.cross(np.eye(3), axis) @ rotation)
    angle = np.arctan2(sine, 0.5 * (np.trace(rotation) - 1))
    found = np.array([*(np.sin(0.5 * angle) * axis), np.cos(0.5 * angle)])
    if np.abs(rotate(found, np.eye(3)).T - rotation).max() > 1e-6:
        raise AssertionError("no quaternion")
    return found


def _random_frame(rng: np.random.Generator) -> Floats:
    turned = transformation(np.zeros(3), multiply(about(rng.normal(0, 90, 3)), about(rng.normal(0, 90, 3))))
    return turned @ np.diag([*np.full(3, rng.choice([0.01, 0.5, 1.0, 1.0, 2.0])), 1.0])


def _matrix(node: dict[str, Any]) -> Floats:
    if "matrix" in node:
        return np.array(node["matrix"]).reshape(4, 4).T
    return transformation(node["translation"], np.array(node["rotation"])) @ np.diag([*node["scale"], 1.0])
