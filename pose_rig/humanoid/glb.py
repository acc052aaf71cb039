"""The node hierarchy of a binary glTF file (GLB) at rest; meshes and materials are not read.

Source: glTF 2.0, 3.5 (nodes and transformations) and 4.4 (GLB).
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from pose_rig.arrays import Floats
from pose_rig.errors import UsageError
from pose_rig.geometry import quaternion
from pose_rig.humanoid.bones import multiply, rotate

MAX_FILE_BYTES = 512 * 2**20  # avatars with all textures have about 10 to 200 MB
MAX_JSON_BYTES = 64 * 2**20
MAX_DEPTH = 1000  # of the hierarchy
MAX_SIZE, MIN_SIZE = 1e4, 1e-6  # of scales, and of positions in m
GLB_HEADER = struct.Struct("<4sIII4s")  # magic, version, length; length and type of the first chunk
GLB, GLTF_VERSION, JSON_CHUNK = b"glTF", 2, b"JSON"
EXPORT_AGAIN = "Export it again, for instance with UniVRM, VRoid Studio or Blender's VRM add-on."
Triple = tuple[float, float, float]
Quadruple = tuple[float, float, float, float]


class Node(msgspec.Struct, frozen=True):
    """A node of the file."""

    children: tuple[int, ...] = ()
    translation: Triple = (0.0, 0.0, 0.0)
    rotation: Quadruple = (0.0, 0.0, 0.0, 1.0)
    scale: Triple = (1.0, 1.0, 1.0)
    matrix: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class RestNode:
    """A node at rest.

    Attributes:
        translation: (3,) relative to its parent, like ``rotation``.
        rotation: (4,) quaternion.
        parent_rotation: (4,) rotation of its parent in the model.
        model_from_parent: (4,4), m.
        model_from_node: (4,4), m.
    """

    translation: Floats
    rotation: Floats
    parent_rotation: Floats
    model_from_parent: Floats
    model_from_node: Floats


ROOT_NODE = RestNode(np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]), np.array([0.0, 0.0, 0.0, 1.0]), np.eye(4), np.eye(4))


class NodeTree:
    """The nodes of a file at rest, in a space in which the model faces +z.

    Args:
        path: Of the file, for messages.
        nodes: All nodes.
        faces_back: Whether the model faces −z, as in VRM 0: it is rotated by half a turn about y.

    Raises:
        UsageError: A node has children that do not exist, or two parents.
    """

    def __init__(self, path: Path, nodes: Sequence[Node], *, faces_back: bool) -> None:
        self._path, self._nodes, self._faces_back = path, nodes, faces_back
        self._rest_nodes: dict[int, RestNode] = {-1: ROOT_NODE}
        self._parent = [-1] * len(nodes)
        for i, node in enumerate(nodes):
            for child in node.children:
                if not 0 <= child < len(nodes):
                    raise UsageError(f"Node {i} of {path} has a child {child}, which does not exist.", EXPORT_AGAIN)
                if self._parent[child] >= 0:
                    raise UsageError(f"Node {child} of {path} has two parents.", EXPORT_AGAIN)
                self._parent[child] = i

    def ancestors(self, node: int) -> list[int]:
        """Returns the ancestors of a node, the parent first.

        Raises:
            UsageError: The hierarchy is cyclic or too deep.
        """
        path: list[int] = []
        while (node := self._parent[node]) >= 0:
            path.append(node)
            if len(path) > MAX_DEPTH:
                raise UsageError(
                    f"Node {node} of {self._path} is its own ancestor, or has over {MAX_DEPTH} ancestors.", EXPORT_AGAIN
                )
        return path

    def at_rest(self, node: int) -> RestNode:
        """Returns a node at rest.

        Raises:
            UsageError: The hierarchy is cyclic, or a transformation in it is invalid.
        """
        for one in (*reversed(self.ancestors(node)), node):
            if one not in self._rest_nodes:
                self._rest_nodes[one] = self._rest_node(one, self._rest_nodes[self._parent[one]])
        return self._rest_nodes[node]

    def _rest_node(self, number: int, parent: RestNode) -> RestNode:
        translation, rotation, scale = _local_transform(self._nodes[number])
        if not _is_valid(translation, rotation, scale):
            raise UsageError(f"Node {number} of {self._path} has an invalid transformation.", EXPORT_AGAIN)
        rotation = rotation / np.linalg.norm(rotation)
        if self._faces_back:
            translation, rotation = translation * [-1.0, 1.0, -1.0], rotation * [-1.0, 1.0, -1.0, 1.0]
        local = np.eye(4)
        local[:3, :3] = rotate(rotation, np.diag(scale)).T
        local[:3, 3] = translation
        model = parent.model_from_node @ local
        if np.abs(model).max() > MAX_SIZE or np.linalg.svd(model[:3, :3], compute_uv=False).min() < MIN_SIZE:
            raise UsageError(f"Node {number} of {self._path} has an invalid position or scale.", EXPORT_AGAIN)
        parent_rotation = multiply(parent.parent_rotation, parent.rotation)
        return RestNode(translation, rotation, parent_rotation, parent.model_from_node, model)


def read_json(path: Path) -> bytes:
    """Returns the JSON of a binary glTF file; nothing else is read.

    Raises:
        UsageError: The file does not exist, is not binary glTF, is truncated or too large.
    """
    try:
        if not path.is_file():
            raise UsageError(f"The avatar {path} does not exist.", "Give the path of a VRM file.")
        with path.open("rb") as file:
            size = path.stat().st_size
            return file.read(_json_length(path, file.read(GLB_HEADER.size), size))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", "Check its permissions.") from error


def _json_length(path: Path, header: bytes, size: int) -> int:
    """Returns the length of the JSON after a header."""
    if len(header) < GLB_HEADER.size or header[:4] != GLB:
        raise UsageError(f"{path} is not a VRM: it is not binary glTF (GLB).", "Give an avatar that ends in .vrm.")
    _, version, length, json_length, kind = GLB_HEADER.unpack(header)
    if version != GLTF_VERSION or kind != JSON_CHUNK:
        raise UsageError(f"{path} is not binary glTF of version {GLTF_VERSION}.", EXPORT_AGAIN)
    if size > MAX_FILE_BYTES or json_length > MAX_JSON_BYTES:
        raise UsageError(f"{path} is too large.", f"Use an avatar of less than {MAX_FILE_BYTES // 2**20} MB.")
    if length > size or json_length > length - GLB_HEADER.size:
        raise UsageError(f"{path} is truncated: it has {size} bytes of {length}.", "Copy or export it again.")
    return int(json_length)


def _local_transform(node: Node) -> tuple[Floats, Floats, Floats]:
    """Returns translation (3,), rotation (4,) and scale (3,) of a node."""
    if node.matrix is None:
        return np.array(node.translation), np.array(node.rotation), np.array(node.scale)
    if len(node.matrix) != 16:
        return np.full(3, np.nan), np.full(4, np.nan), np.full(3, np.nan)
    matrix = np.array(node.matrix).reshape(4, 4).T
    with np.errstate(all="ignore"):
        scale = np.linalg.norm(matrix[:3, :3], axis=0)
        scale[0] *= -1.0 if np.linalg.det(matrix[:3, :3]) < 0 else 1.0
        rotation = matrix[:3, :3] / scale
    return matrix[:3, 3], quaternion(rotation) if np.isfinite(rotation).all() else np.full(4, np.nan), scale


def _is_valid(translation: Floats, rotation: Floats, scale: Floats) -> bool:
    """Returns whether a transformation is finite, of plausible size and invertible."""
    return bool(
        (np.abs(translation) < MAX_SIZE / MIN_SIZE).all()
        and MIN_SIZE < np.abs(rotation).max() < MAX_SIZE
        and (np.abs(scale) > MIN_SIZE).all()
        and (np.abs(scale) < MAX_SIZE).all()
    )
