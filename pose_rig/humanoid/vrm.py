"""The skeleton of a VRM avatar, version 0 or 1.

Source: the specifications of VRM 0.0 and 1.0, ``VRM`` and ``VRMC_vrm``: ``humanoid``.

Axes: N bones of the avatar.
"""

from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from pose_rig.errors import UsageError
from pose_rig.humanoid.avatar import UNMEASURED, Avatar
from pose_rig.humanoid.bones import BONES, INDEX, PARENTS, UNITY_PARENT
from pose_rig.humanoid.glb import EXPORT_AGAIN, Node, NodeTree, read_json

OPTIONAL_BONES = {"Chest", "Neck", "LeftShoulder", "RightShoulder", "LeftToes", "RightToes"}
REQUIRED_BONES = tuple(bone for bone in BONES if bone not in OPTIONAL_BONES)
# height of the head above the feet; models in centimetres or inches are far beyond, the smallest figures within
HEAD_HEIGHT_M = (0.2, 3.5)
CENTIMETRES_MIN_M = 70.0  # above this height centimetres are likelier than inches or feet
CHECKED_BONES = tuple(side + bone for side in ("Left", "Right") for bone in ("LowerArm", "Hand", "LowerLeg", "Foot"))
LENGTH_RANGE = (0.01, 1.5)  # of the bones above these, relative to the height of the skeleton
UNITY_THUMB = {"Metacarpal": "Proximal", "Proximal": "Intermediate", "Distal": "Distal"}  # VRM 1 → Unity


class _Bone(msgspec.Struct, frozen=True):
    node: int | None = None  # negative = none
    bone: str | None = None  # name in VRM 0


class _Humanoid(msgspec.Struct, frozen=True):
    # a list in VRM 0, a map in VRM 1
    bones: tuple[_Bone, ...] | dict[str, _Bone | None] = msgspec.field(name="humanBones", default=())


class _Vrm(msgspec.Struct, frozen=True):
    humanoid: _Humanoid | None = None


class _Extensions(msgspec.Struct, frozen=True):
    vrm0: _Vrm | None = msgspec.field(name="VRM", default=None)
    vrm1: _Vrm | None = msgspec.field(name="VRMC_vrm", default=None)


class _Document(msgspec.Struct, frozen=True):
    nodes: tuple[Node, ...] = ()
    extensions: _Extensions = msgspec.field(default_factory=_Extensions)


def load_vrm(path: Path) -> Avatar:
    """Returns the skeleton of a VRM in its rest pose, which is a T-pose.

    Raises:
        UsageError: The file does not exist, is not a VRM, or its skeleton is not a humanoid.
    """
    document = _read_document(path)
    node_of = _humanoid_nodes(path, document)
    tree = NodeTree(path, document.nodes, faces_back=document.extensions.vrm1 is None)
    parent_of = _parents(path, tree, node_of)
    names = tuple(parent_of)
    nodes = [tree.at_rest(node_of[name]) for name in names]
    position = {name: node.model_from_node[:3, 3] for name, node in zip(names, nodes, strict=True)}
    floor_m = min(0.0, *(float(at[1]) for name, at in position.items() if name.endswith(("Foot", "Toes"))))
    hips_m, head_m = (float(position[name][1]) for name in ("Hips", "Head"))
    if hips_m <= floor_m:
        raise UsageError(f"The hips of {path} are not above its feet.", EXPORT_AGAIN)
    _check_size(path, head_m - floor_m)
    _check_limbs(path, position, parent_of)
    return Avatar(
        names=names,
        parents=tuple(names.index(parent) if parent else -1 for parent in parent_of.values()),
        source=_source(path, parent_of),
        translation=np.stack([node.translation for node in nodes]),
        rotation=np.stack([node.rotation for node in nodes]),
        parent_rotation=np.stack([node.parent_rotation for node in nodes]),
        hips_from_model=np.asarray(np.linalg.inv(nodes[0].model_from_parent), np.float64),
        hips_height_m=hips_m - floor_m,
    )


def _read_document(path: Path) -> _Document:
    text = read_json(path).rstrip(b"\0 ")  # padding of some exporters
    try:
        return msgspec.json.decode(text, type=_Document)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not a valid VRM: {error}.", EXPORT_AGAIN) from error


def _humanoid_nodes(path: Path, document: _Document) -> dict[str, int]:
    """Returns the node of each bone, by Unity's names."""
    vrm = document.extensions.vrm1 or document.extensions.vrm0
    if vrm is None:
        raise UsageError(f"{path} is a glTF file, but not a VRM.", "Export it as VRM, for instance with UniVRM.")
    if vrm.humanoid is None:
        raise UsageError(f"The VRM {path} has no humanoid.", EXPORT_AGAIN)
    bones = vrm.humanoid.bones
    named = bones.items() if isinstance(bones, dict) else [(bone.bone or "", bone) for bone in bones]
    node_of: dict[str, int] = {}
    for name, bone in named:
        unity = _unity_name(name, version=1 if document.extensions.vrm1 else 0)
        if bone is not None and bone.node is not None and bone.node >= 0 and unity in UNITY_PARENT:
            node_of.setdefault(unity, bone.node)
    if missing := [bone for bone in REQUIRED_BONES if bone not in node_of]:
        raise UsageError(f"The VRM {path} lacks required bones: {', '.join(missing)}.", EXPORT_AGAIN)
    if len({*node_of.values()}) < len(node_of) or max(node_of.values()) >= len(document.nodes):
        raise UsageError(f"The VRM {path} has two bones in one node, or a bone without a node.", EXPORT_AGAIN)
    return node_of


def _unity_name(name: str, version: int) -> str:
    """Returns the name of a bone in Unity's HumanBodyBones."""
    unity = name[:1].upper() + name[1:]
    side, thumb, part = unity.partition("Thumb")
    return side + thumb + UNITY_THUMB.get(part, part) if version == 1 else unity


def _parents(path: Path, tree: NodeTree, node_of: dict[str, int]) -> dict[str, str]:
    """Returns the nearest bone among the ancestors of each bone, empty for the hips; parents before children."""
    name_of = {node: name for name, node in node_of.items()}
    ancestors = {name: [name_of[node] for node in tree.ancestors(node_of[name]) if node in name_of] for name in node_of}
    if detached := [name for name in node_of if (ancestors[name] or [name])[-1] != "Hips"]:
        raise UsageError(f"Bones of the VRM {path} are not descendants of Hips: {', '.join(detached)}.", EXPORT_AGAIN)
    order = sorted(node_of, key=lambda name: len(ancestors[name]))
    return {name: next(iter(ancestors[name]), "") for name in order}


def _check_size(path: Path, head_m: float) -> None:
    """Checks that an avatar has a plausible size."""
    low, high = HEAD_HEIGHT_M
    if low <= head_m <= high:
        return
    unit = "in centimetres" if head_m > CENTIMETRES_MIN_M else "in another unit" if head_m > high else "scaled down"
    raise UsageError(
        f"The head of the avatar {path} is {head_m:.3g} m above its feet: it was probably exported {unit}.",
        f"Export it in metres, as VRM requires: the head {low:g} to {high:g} m above the feet.",
    )


def _check_limbs(path: Path, position: dict[str, NDArray[np.float64]], parent_of: dict[str, str]) -> None:
    """Checks that arms and legs have plausible lengths."""
    low, high = (ratio * float(np.ptp([p[1] for p in position.values()])) for ratio in LENGTH_RANGE)
    for name in CHECKED_BONES:
        length = float(np.linalg.norm(position[name] - position[parent_of[name]]))
        if not low <= length <= high:
            raise UsageError(f"The {name} of {path} is {length:.3g} m from the {parent_of[name]}.", EXPORT_AGAIN)


def _source(path: Path, parent_of: dict[str, str]) -> NDArray[np.int64]:
    """Returns `Avatar.source`, such that each measured bone has the same rotation in the model as ours.

    The rotation of a missing bone goes to its children. Only that of a missing chest goes to the upper chest, or
    without one to the spine: otherwise the trunk would not bend.
    """
    measured = {bone: INDEX[bone] for bone in parent_of if bone in INDEX}
    if "Chest" not in measured:
        measured["UpperChest" if "UpperChest" in parent_of else "Spine"] = INDEX["Chest"]
    chains = [_chain(path, bone, parent_of, measured) if bone in measured else [] for bone in parent_of]
    longest = max(len(chain) for chain in chains)
    return np.array([chain + [UNMEASURED] * (longest - len(chain)) for chain in chains], np.int64)


def _chain(path: Path, bone: str, parent_of: dict[str, str], measured: dict[str, int]) -> list[int]:
    """Returns our bones between the nearest measured ancestor of a bone of the avatar (exclusive) and that bone."""
    ancestor = parent_of[bone]
    while ancestor and ancestor not in measured:
        ancestor = parent_of[ancestor]
    chain, begin, row = [], measured[ancestor] if ancestor else -1, measured[bone]
    while row not in (begin, -1):
        chain.append(row)
        row = PARENTS[row]
    if row != begin:
        raise UsageError(f"The parent of {bone} in the VRM {path} is {ancestor}.", EXPORT_AGAIN)
    return chain[::-1]
