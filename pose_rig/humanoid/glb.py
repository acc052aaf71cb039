"""The nodes of a binary glTF file (GLB) as they are placed, without anything that is drawn.

Source: glTF 2.0, 3.5 (nodes and their transformations) and 4.4 (GLB).
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

MOST_BYTES = 512 * 2**20  # avatars with all their textures have some 10 to 200 MB
MOST_JSON_BYTES = 64 * 2**20
DEEPEST = 1000  # nodes on one another
LARGEST, SMALLEST = 1e4, 1e-6  # of scales, and of places in m
HEADER = struct.Struct("<4sIII4s")  # magic, version, length; length and type of the first chunk
GLB, GLTF_VERSION, JSON_CHUNK = b"glTF", 2, b"JSON"
AGAIN = "Export it anew, for instance with UniVRM, VRoid Studio or the VRM add-on of Blender."
Triple = tuple[float, float, float]
Quadruple = tuple[float, float, float, float]


class Node(msgspec.Struct, frozen=True):
    """A node as the file has it."""

    children: tuple[int, ...] = ()
    translation: Triple = (0.0, 0.0, 0.0)
    rotation: Quadruple = (0.0, 0.0, 0.0, 1.0)
    scale: Triple = (1.0, 1.0, 1.0)
    matrix: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A node at rest.

    Attributes:
        translation: (3,) relative to its parent, as is ``rotation``.
        rotation: (4,) quaternion.
        frame: (4,) how its parent is turned in the model.
        parent: (4,4) takes points of its parent to the model, m.
        model: (4,4) takes points of its own to the model, m.
    """

    translation: Floats
    rotation: Floats
    frame: Floats
    parent: Floats
    model: Floats

    @property
    def turned(self) -> Floats:
        """How it is turned in the model (4,)."""
        return multiply(self.frame, self.rotation)


ORIGIN = Placed(np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]), np.array([0.0, 0.0, 0.0, 1.0]), np.eye(4), np.eye(4))


class NodeTree:
    """The nodes of a file at rest, in a space that faces +z.

    Args:
        path: Of the file, for messages.
        nodes: All of them.
        turned: Whether the file's model faces −z, as that of VRM 0 does: it is turned by half a turn about y.

    Raises:
        UsageError: A node has children that do not exist, or two parents.
    """

    def __init__(self, path: Path, nodes: Sequence[Node], *, turned: bool) -> None:
        self._path, self._nodes, self._turned = path, nodes, turned
        self._placed: dict[int, Placed] = {-1: ORIGIN}
        self._parent = [-1] * len(nodes)
        for i, node in enumerate(nodes):
            for child in node.children:
                if not 0 <= child < len(nodes):
                    raise UsageError(f"Node {i} of {path} has a child {child}, which does not exist.", AGAIN)
                if self._parent[child] >= 0:
                    raise UsageError(f"Node {child} of {path} has two parents.", AGAIN)
                self._parent[child] = i

    def __len__(self) -> int:
        return len(self._nodes)

    def above(self, node: int) -> list[int]:
        """Returns what a node hangs on, the nearest first.

        Raises:
            UsageError: It hangs on itself, or on more than any model has.
        """
        path: list[int] = []
        while (node := self._parent[node]) >= 0:
            path.append(node)
            if len(path) > DEEPEST:
                raise UsageError(f"Node {node} of {self._path} hangs on itself, or on over {DEEPEST} others.", AGAIN)
        return path

    def placed(self, node: int) -> Placed:
        """Returns a node at rest.

        Raises:
            UsageError: It hangs on itself, or numbers on the way there make no sense.
        """
        for one in (*reversed(self.above(node)), node):
            if one not in self._placed:
                self._placed[one] = self._place(one, self._placed[self._parent[one]])
        return self._placed[node]

    def _place(self, number: int, parent: Placed) -> Placed:
        node = self._nodes[number]
        translation, rotation, scale = _parts(node)
        if not _sound(translation, rotation, scale):
            raise UsageError(f"Node {number} of {self._path} is placed, turned or scaled impossibly.", AGAIN)
        rotation = rotation / np.linalg.norm(rotation)
        if self._turned:
            translation, rotation = translation * [-1.0, 1.0, -1.0], rotation * [-1.0, 1.0, -1.0, 1.0]
        own = np.eye(4)
        own[:3, :3] = rotate(rotation, np.diag(scale)).T
        own[:3, 3] = translation
        model = parent.model @ own
        if np.abs(model).max() > LARGEST or np.linalg.svd(model[:3, :3], compute_uv=False).min() < SMALLEST:
            raise UsageError(f"Node {number} of {self._path} comes to lie or to be scaled impossibly.", AGAIN)
        return Placed(translation, rotation, parent.turned, parent.model, model)


def json_of(path: Path) -> bytes:
    """Returns the JSON of a binary glTF file; nothing else is read.

    Raises:
        UsageError: There is no such file, or it is something else, cut off or too large.
    """
    try:
        if not path.is_file():
            raise UsageError(f"There is no avatar {path}.", "Give a VRM file that exists.")
        with path.open("rb") as file:
            size = path.stat().st_size
            return file.read(_json_length(path, file.read(HEADER.size), size))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", "Make sure that it is readable.") from error


def _json_length(path: Path, header: bytes, size: int) -> int:
    """Returns how long the JSON is that follows a header."""
    if len(header) < HEADER.size or header[:4] != GLB:
        raise UsageError(f"{path} is no VRM: it is not a binary glTF file (GLB).", "Give an avatar that ends in .vrm.")
    _, version, length, json_length, kind = HEADER.unpack(header)
    if version != GLTF_VERSION or kind != JSON_CHUNK:
        raise UsageError(f"{path} is no binary glTF file of version {GLTF_VERSION}.", AGAIN)
    if size > MOST_BYTES or json_length > MOST_JSON_BYTES:
        raise UsageError(f"{path} is larger than any avatar.", f"Use one of less than {MOST_BYTES // 2**20} MB.")
    if length > size or json_length > length - HEADER.size:
        raise UsageError(f"{path} is cut off: it has {size} bytes of {length}.", "Copy or export it again.")
    return int(json_length)


def _parts(node: Node) -> tuple[Floats, Floats, Floats]:
    """Returns translation (3,), rotation (4,) and scale (3,) of a node."""
    if node.matrix is None:
        return np.array(node.translation), np.array(node.rotation), np.array(node.scale)
    if len(node.matrix) != 16:
        return np.full(3, np.nan), np.full(4, np.nan), np.full(3, np.nan)
    matrix = np.array(node.matrix).reshape(4, 4).T
    with np.errstate(all="ignore"):
        scale = np.linalg.norm(matrix[:3, :3], axis=0)
        scale[0] *= -1.0 if np.linalg.det(matrix[:3, :3]) < 0 else 1.0
        turned = matrix[:3, :3] / scale
    return matrix[:3, 3], quaternion(turned) if np.isfinite(turned).all() else np.full(4, np.nan), scale


def _sound(translation: Floats, rotation: Floats, scale: Floats) -> bool:
    """Returns whether the parts of a node are finite, of sizes that occur, and can be inverted."""
    return bool(
        (np.abs(translation) < LARGEST / SMALLEST).all()
        and SMALLEST < np.abs(rotation).max() < LARGEST
        and (np.abs(scale) > SMALLEST).all()
        and (np.abs(scale) < LARGEST).all()
    )
