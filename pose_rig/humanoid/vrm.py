"""The skeleton of the user's own VRM, version 0 or 1.

Source: the specifications of VRM 0.0 and 1.0, ``VRM`` and ``VRMC_vrm``: ``humanoid``.

Axes: N bones of the avatar.
"""

from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from pose_rig.errors import UsageError
from pose_rig.humanoid.avatar import FIXED, Avatar
from pose_rig.humanoid.bones import BONES, INDEX, PARENTS
from pose_rig.humanoid.glb import AGAIN, Node, NodeTree, json_of
from pose_rig.humanoid.unity_bones import PARENTS as KNOWN

OPTIONAL = {"Chest", "Neck", "LeftShoulder", "RightShoulder", "LeftToes", "RightToes"}
REQUIRED = tuple(bone for bone in BONES if bone not in OPTIONAL)
# of the head's joint above the feet; models in centimetres or inches are far beyond, the smallest figures within
HEAD_M = (0.2, 3.5)
IN_CENTIMETRES_M = 70.0  # above this centimetres are likelier than inches or feet
LIMBS = tuple(f"{side}{part}" for side in ("Left", "Right") for part in ("LowerArm", "Hand", "LowerLeg", "Foot"))
LIMB = (0.01, 1.5)  # of the head's height: how far these may lie from the joint above
THUMB_OF_VRM1 = {"Metacarpal": "Proximal", "Proximal": "Intermediate", "Distal": "Distal"}  # VRM 1 → Unity


class _Bone(msgspec.Struct, frozen=True):
    node: int | None = None  # below 0 is none as well
    bone: str | None = None  # its name, in VRM 0


class _Humanoid0(msgspec.Struct, frozen=True):
    bones: tuple[_Bone, ...] = msgspec.field(name="humanBones", default=())


class _Humanoid1(msgspec.Struct, frozen=True):
    bones: dict[str, _Bone | None] = msgspec.field(name="humanBones", default_factory=dict)


class _Vrm0(msgspec.Struct, frozen=True):
    humanoid: _Humanoid0 | None = None


class _Vrm1(msgspec.Struct, frozen=True):
    humanoid: _Humanoid1 | None = None


class _Extensions(msgspec.Struct, frozen=True):
    vrm0: _Vrm0 | None = msgspec.field(name="VRM", default=None)
    vrm1: _Vrm1 | None = msgspec.field(name="VRMC_vrm", default=None)


class _Document(msgspec.Struct, frozen=True):
    nodes: tuple[Node, ...] = ()
    extensions: _Extensions = msgspec.field(default_factory=_Extensions)


def load_vrm(path: Path) -> Avatar:
    """Returns the skeleton of a VRM at rest, which is its T-pose.

    Raises:
        UsageError: There is no such file, it is no VRM, or its skeleton is not that of a humanoid.
    """
    document = _document(path)
    node_of = _humanoid(path, document)
    tree = NodeTree(path, document.nodes, turned=document.extensions.vrm1 is None)
    parent_of = _parents(path, tree, node_of)
    names = tuple(parent_of)
    placed = [tree.placed(node_of[name]) for name in names]
    height_m = {name: float(node.model[1, 3]) for name, node in zip(names, placed, strict=True)}
    floor_m = min(0.0, *(height for name, height in height_m.items() if name.endswith(("Foot", "Toes"))))
    if height_m["Hips"] <= floor_m:
        raise UsageError(f"The hips of {path} are not above its feet.", AGAIN)
    _check_size(path, height_m["Head"] - floor_m)
    _check_limbs(path, {name: node.model[:3, 3] for name, node in zip(names, placed, strict=True)}, parent_of)
    return Avatar(
        names=names,
        parents=tuple(names.index(parent) if parent else -1 for parent in parent_of.values()),
        source=_source(path, parent_of),
        translation=np.stack([node.translation for node in placed]),
        rotation=np.stack([node.rotation for node in placed]),
        frame=np.stack([node.frame for node in placed]),
        hips_from_model=np.asarray(np.linalg.inv(placed[0].parent), np.float64),
        hips_height_m=height_m["Hips"] - floor_m,
        title=path.name,
    )


def _document(path: Path) -> _Document:
    text = json_of(path).rstrip(b"\0 ")  # some pad so
    try:
        return msgspec.json.decode(text, type=_Document)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no sound VRM: {error}.", AGAIN) from error


def _humanoid(path: Path, document: _Document) -> dict[str, int]:
    """Returns the nodes of the bones, by Unity's names."""
    vrm = document.extensions.vrm1 or document.extensions.vrm0
    if vrm is None:
        raise UsageError(f"{path} is a glTF file, but no VRM.", "Export it as VRM, for instance with UniVRM.")
    if vrm.humanoid is None:
        raise UsageError(f"The VRM {path} has no humanoid.", AGAIN)
    bones = vrm.humanoid.bones
    named = bones.items() if isinstance(bones, dict) else [(bone.bone or "", bone) for bone in bones]
    node_of: dict[str, int] = {}
    for name, bone in named:
        unity = _unity(name, version=1 if document.extensions.vrm1 else 0)
        if bone is not None and bone.node is not None and bone.node >= 0 and unity in KNOWN:
            node_of.setdefault(unity, bone.node)
    if missing := [bone for bone in REQUIRED if bone not in node_of]:
        raise UsageError(f"The VRM {path} lacks what every humanoid has: {', '.join(missing)}.", AGAIN)
    if len({*node_of.values()}) < len(node_of) or max(node_of.values()) >= len(document.nodes):
        raise UsageError(f"The VRM {path} has two bones in one node, or a bone in none.", AGAIN)
    return node_of


def _unity(name: str, version: int) -> str:
    """Returns the name of a bone in Unity's HumanBodyBones."""
    unity = name[:1].upper() + name[1:]
    side, thumb, part = unity.partition("Thumb")
    return side + thumb + THUMB_OF_VRM1.get(part, part) if version == 1 else unity


def _parents(path: Path, tree: NodeTree, node_of: dict[str, int]) -> dict[str, str]:
    """Returns the nearest bone above each bone, empty for the hips; parents before children."""
    name_of = {node: name for name, node in node_of.items()}
    above = {name: [name_of[node] for node in tree.above(node_of[name]) if node in name_of] for name in node_of}
    if loose := [name for name in node_of if (above[name] or [name])[-1] != "Hips"]:
        raise UsageError(f"Bones of the VRM {path} do not hang on its hips: {', '.join(loose)}.", AGAIN)
    order = sorted(node_of, key=lambda name: len(above[name]))
    return {name: next(iter(above[name]), "") for name in order}


def _check_size(path: Path, head_m: float) -> None:
    """Checks that an avatar is about as large as a figure that somebody plays."""
    low, high = HEAD_M
    if low <= head_m <= high:
        return
    unit = "in centimetres" if head_m > IN_CENTIMETRES_M else "in another unit" if head_m > high else "scaled down"
    raise UsageError(
        f"The avatar {path} is {head_m:.3g} m tall up to its head: it was probably exported {unit}.",
        f"Export it in metres, as VRM asks: the head {low:g} to {high:g} m above the feet.",
    )


def _check_limbs(path: Path, place: dict[str, NDArray[np.float64]], parent_of: dict[str, str]) -> None:
    """Checks that arms and legs have lengths that can be played."""
    low, high = (share * float(np.ptp([p[1] for p in place.values()])) for share in LIMB)
    for name in LIMBS:
        length = float(np.linalg.norm(place[name] - place[parent_of[name]]))
        if not low <= length <= high:
            raise UsageError(f"The {name} of {path} lies {length:.3g} m from the {parent_of[name]}.", AGAIN)


def _source(path: Path, parent_of: dict[str, str]) -> NDArray[np.int64]:
    """Returns what each bone turns with, (N,M), so that each that we measure ends up turned as ours is.

    The turn of one that the avatar lacks goes to those that hang on it. Only that of the chest goes to the upper chest,
    or if there is none to the spine: otherwise the trunk would not bend with it.
    """
    plays = {bone: INDEX[bone] for bone in parent_of if bone in INDEX}
    if "Chest" not in plays:
        plays["UpperChest" if "UpperChest" in parent_of else "Spine"] = INDEX["Chest"]
    ways = [_way(path, bone, parent_of, plays) if bone in plays else [] for bone in parent_of]
    most = max(len(way) for way in ways)
    return np.array([way + [FIXED] * (most - len(way)) for way in ways], np.int64)


def _way(path: Path, bone: str, parent_of: dict[str, str], plays: dict[str, int]) -> list[int]:
    """Returns the rows of ours from what the avatar's bones above play, exclusive, to what a bone plays."""
    above = parent_of[bone]
    while above and above not in plays:
        above = parent_of[above]
    way, begin, row = [], plays[above] if above else -1, plays[bone]
    while row not in (begin, -1):
        way.append(row)
        row = PARENTS[row]
    if row != begin:
        raise UsageError(f"The {bone} of the VRM {path} hangs on the {above}.", AGAIN)
    return way[::-1]
