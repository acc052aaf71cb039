"""Motion as glTF 2.0: a skeleton per person, one animation, and a simple mesh that is visible in every viewer.

glTF has the axes and the unit of ``rig``, and needs no constant rate.
"""

import base64
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_rig.atomic_file import output_file
from pose_rig.errors import PoseRigError, UsageError
from pose_rig.humanoid.bones import Motion
from pose_rig.humanoid.glb import GLB, GLTF_VERSION, JSON_CHUNK
from pose_rig.session.formats.bone_names import EXTRA, BoneNaming, NamedBone, named_bones
from pose_rig.session.formats.gltf_figure import figure

FLOAT, UNSIGNED_SHORT = 5126, 5123
TYPES = {(): "SCALAR", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}
VERTICES, TRIANGLES = 34962, 34963
BINARY_CHUNK = b"BIN\0"


@dataclass(frozen=True, slots=True, eq=False)
class MovingPerson:
    """One person in a glTF file.

    Attributes:
        motion: The motion.
        height_m: Body height that sets the scale; written to ``asset.extras``.
        height_assumed: Whether it is the default rather than given; likewise.
        name: Of the figure, where there are several people: a node of this name has the skeleton.
    """

    motion: Motion
    height_m: float
    height_assumed: bool
    name: str = ""

    @property
    def extras(self) -> dict[str, Any]:
        """The body height."""
        return {"height_m": self.height_m, "height_assumed": self.height_assumed}


def write_people_gltf(
    path: Path, people: Sequence[MovingPerson], *, names: BoneNaming = "vrm", title: str = "pose-rig"
) -> None:
    """Writes the motions of people as glTF, with a figure for each.

    Args:
        path: ``.glb`` (one binary file) or ``.gltf`` (one text file); replaced when finished.
        people: The people.
        names: Bone names.
        title: Name of the animation.

    Raises:
        UsageError: The path has another suffix.
        PoseRigError: A motion is empty, or the file cannot be written.
    """
    if path.suffix not in (".glb", ".gltf"):
        raise UsageError(f"{path} has no suffix of a glTF file.", "Use .glb or .gltf.")
    if any(len(one.motion.t_ns) == 0 for one in people):
        raise PoseRigError(f"There is no motion to write to {path}.", "Choose a part with a person.")
    data, start_ns = _Data(), min(int(one.motion.t_ns[0]) for one in people)
    figures = _Figures(names, start_ns, data)
    for one in people:
        figures.add(one)
    extras = people[0].extras if len(people) == 1 else {"people": [{"name": one.name, **one.extras} for one in people]}
    document = {
        "asset": {
            "version": "2.0",
            "generator": f"pose-rig {version('pose-rig')}",
            "extras": {"unit": "m", **extras},
        },
        "scene": 0,
        "scenes": [{"nodes": figures.roots}],
        "nodes": figures.nodes,
        "skins": figures.skins,
        "meshes": figures.meshes,
        "materials": [{"pbrMetallicRoughness": {"baseColorFactor": [0.55, 0.6, 0.7, 1], "metallicFactor": 0}}],
        "animations": [{"name": title, "samplers": figures.samplers, "channels": figures.channels}],
        "accessors": data.accessors,
        "bufferViews": data.views,
        "buffers": [{"byteLength": len(data.bytes)}],
    }
    with output_file(path) as partial:
        partial.write_bytes(_binary(document, data.bytes) if path.suffix == ".glb" else _text(document, data.bytes))


class _Data:
    """The binary data: one buffer, with a view and an accessor for each array."""

    def __init__(self) -> None:
        self.bytes = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def add(self, array: NDArray[Any], *, target: int | None = None, limits: bool = False) -> int:
        """Appends an array and returns the index of its accessor.

        Args:
            array: (N,…); integers become uint16, others float32.
            target: Target of the buffer view.
            limits: Whether the accessor has minimum and maximum.
        """
        is_integer = array.dtype.kind in "iu"
        array = array.astype("<u2" if is_integer else "<f4")
        view = {"buffer": 0, "byteOffset": len(self.bytes), "byteLength": array.nbytes}
        accessor = {
            "bufferView": len(self.views),
            "componentType": UNSIGNED_SHORT if is_integer else FLOAT,
            "count": len(array),
            "type": TYPES[array.shape[1:]],
        }
        if limits:
            lowest, highest = np.atleast_1d(array.min(0)), np.atleast_1d(array.max(0))
            accessor |= {"min": lowest.tolist(), "max": highest.tolist()}
        self.views.append(view if target is None else view | {"target": target})
        self.accessors.append(accessor)
        self.bytes += array.tobytes()
        self.bytes += bytes(-len(self.bytes) % 4)
        return len(self.accessors) - 1


class _Figures:
    """The parts of a document that people have, in its order: bones and mesh of the first, of the second and so on."""

    def __init__(self, names: BoneNaming, start_ns: int, data: _Data) -> None:
        self._names, self._start_ns, self._data = names, start_ns, data
        self.roots: list[int] = []
        self.nodes: list[dict[str, Any]] = []
        self.skins: list[dict[str, Any]] = []
        self.meshes: list[dict[str, Any]] = []
        self.samplers: list[dict[str, Any]] = []
        self.channels: list[dict[str, Any]] = []

    def add(self, person: MovingPerson) -> None:
        """Adds a person."""
        bones, first, number = named_bones(person.motion.rest, self._names), len(self.nodes), len(self.skins)
        label = f"{person.name}_" if person.name else ""
        self.nodes += [*_nodes(bones, first), {"name": f"{label}Figure", "mesh": number, "skin": number}]
        root, mesh = first, first + len(bones)
        if person.name:  # so that the bones of each have a path of their own
            root = len(self.nodes)
            self.nodes.append({"name": person.name, "children": [first]})
        self.roots += [root, mesh]
        self.skins.append(_skin(bones, self._data, first, label))
        self.meshes.append(_mesh(bones, self._data, label))
        self._animate(bones, person.motion, first)

    def _animate(self, bones: list[NamedBone], motion: Motion, first: int) -> None:
        """Adds the rotations of the bones and the translation of the hips."""
        data = self._data
        times = data.add((motion.t_ns - self._start_ns) * 1e-9, limits=True)
        outputs = [(first, "translation", data.add(motion.root))]
        for index, bone in enumerate(bones):
            if bone.source != EXTRA:
                outputs.append((first + index, "rotation", data.add(motion.rotation[:, bone.source])))
        for node, path, output in outputs:
            self.channels.append({"sampler": len(self.samplers), "target": {"node": node, "path": path}})
            self.samplers.append({"input": times, "output": output, "interpolation": "LINEAR"})


def _nodes(bones: list[NamedBone], first: int) -> list[dict[str, Any]]:
    """Returns the bones in T-pose; the first of them is the node of this number."""
    nodes = []
    for index, bone in enumerate(bones):
        node: dict[str, Any] = {"name": bone.name, "translation": bone.offset.tolist()}
        children = [first + child for child, other in enumerate(bones) if other.parent == index]
        nodes.append(node | {"children": children} if children else node)
    return nodes


def _skin(bones: list[NamedBone], data: _Data, first: int, label: str) -> dict[str, Any]:
    """Returns the skin; matrices are column-major."""
    bind = np.tile(np.eye(4), (len(bones), 1, 1))
    for index, bone in enumerate(bones):
        bind[index, 3, :3] = (bind[bone.parent, 3, :3] if bone.parent >= 0 else 0) - bone.offset
    joints = list(range(first, first + len(bones)))
    return {"name": f"{label}Armature", "inverseBindMatrices": data.add(bind), "joints": joints, "skeleton": first}


def _mesh(bones: list[NamedBone], data: _Data, label: str) -> dict[str, Any]:
    """Returns the mesh; every vertex belongs to one bone."""
    shape = figure(bones)
    joints = np.zeros((len(shape.bone), 4), np.uint16)
    joints[:, 0] = shape.bone
    attributes = {
        "POSITION": data.add(shape.position, target=VERTICES, limits=True),
        "NORMAL": data.add(shape.normal, target=VERTICES),
        "JOINTS_0": data.add(joints, target=VERTICES),
        "WEIGHTS_0": data.add(np.tile([1.0, 0.0, 0.0, 0.0], (len(joints), 1)), target=VERTICES),
    }
    indices = data.add(np.arange(len(joints)), target=TRIANGLES)
    return {"name": f"{label}Figure", "primitives": [{"attributes": attributes, "indices": indices, "material": 0}]}


def _text(document: dict[str, Any], data: bytes | bytearray) -> bytes:
    """Returns a ``.gltf`` with embedded data."""
    uri = "data:application/octet-stream;base64," + base64.b64encode(data).decode("ascii")
    document["buffers"][0]["uri"] = uri
    return json.dumps(document, indent=1).encode("ascii")


def _binary(document: dict[str, Any], data: bytes | bytearray) -> bytes:
    """Returns a ``.glb``."""
    text = json.dumps(document, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % 4)
    chunks = (struct.pack("<I4s", len(text), JSON_CHUNK), text, struct.pack("<I4s", len(data), BINARY_CHUNK), data)
    body = b"".join(chunks)
    return struct.pack("<4sII", GLB, GLTF_VERSION, 12 + len(body)) + body
