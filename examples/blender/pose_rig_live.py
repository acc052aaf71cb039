"""Blender add-on (4.2 or later): moves an armature with the live pose of a person. Tested with Blender 4.4.

1. Edit > Preferences > Add-ons > Install from Disk: this file. Tick "pose-rig live".
2. `pose-rig run --cams 0,1,2 --json 127.0.0.1:39570/blender`
3. 3D view, press N, tab "pose-rig": Start. An armature with the person's bone lengths appears and moves.
4. To move a character instead, choose its armature there first. Its rest pose is a T-pose facing -y, its rotation and
   scale are applied, and its bones have the names of `bones` in the schema (docs/wire.md): Hips, Spine, ...
5. Stop: the bones keep their last pose.
"""

import json
import socket
from typing import Any

import bpy
from mathutils import Quaternion, Vector  # type: ignore[import-not-found]

bl_info = {
    "name": "pose-rig live",
    "author": "pose-rig",
    "version": (1, 0, 0),
    "blender": (4, 2, 0),
    "location": "3D View > Sidebar > pose-rig",
    "description": "Moves an armature with the poses of pose-rig",
    "category": "Animation",
}
TICK_S = 1 / 60
MAX_DATAGRAM_BYTES = 65536
MAX_DATAGRAMS_PER_TICK = 256  # a flood must not block Blender
MAX_BONES, MAX_POSITION_M = 256, 1e4  # larger values are invalid
MIN_LENGTH_M = 0.02  # Blender removes bones without length
REST_KEY = "pose_rig"  # property of an armature that this add-on created, and may reshape


class Receiver:
    """A UDP socket, with the newest schema and frame.

    Args:
        address: Address to listen on.
        port: Port to listen on.

    Attributes:
        received: Number of frames.
        bad: Number of invalid datagrams.
        problem: Problem to show, or empty.
    """

    def __init__(self, address: str, port: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.schema: dict[str, Any] | None = None
        self.frame: dict[str, Any] | None = None
        self.received = self.bad = 0
        self.problem = ""
        try:
            self.socket.bind((address, port))
        except OSError:
            self.socket.close()
            raise

    def drain(self) -> bool:
        """Reads all datagrams; returns whether there is a new frame."""
        before = self.received
        for _ in range(MAX_DATAGRAMS_PER_TICK):
            try:
                datagram = self.socket.recv(MAX_DATAGRAM_BYTES)
            except OSError:  # no more datagrams
                break
            try:
                self._add(json.loads(datagram))
            except (ValueError, TypeError, KeyError, ArithmeticError, RecursionError):
                self.bad += 1
        return self.received > before

    def _add(self, message: dict[str, Any]) -> None:
        if message["type"] == "schema":
            self._add_schema(message)
        elif message["type"] == "frame" and self.schema is not None:
            count = len(self.schema["bones"])
            message["mode"] = word(message["mode"])
            message["root"] = numbers([message["root"]], 1, 3)[0]
            message["rotations"] = [quaternion(q) for q in numbers(message["rotations"], count, 4)]
            self.frame = message
            self.received += 1

    def _add_schema(self, message: dict[str, Any]) -> None:
        if word(message["axes"]) != "blender":
            self.problem = f"Sent in axes {message['axes']}: use --json HOST:PORT/blender"
            return
        bones, parents = [word(bone) for bone in list(message["bones"])], list(message["bone_parents"])
        if not len(set(bones)) == len(bones) == len(parents) <= MAX_BONES:
            raise ValueError("bones")
        if not all(type(parent) is int and -1 <= parent < bone for bone, parent in enumerate(parents)):
            raise ValueError("parents")
        message["rest"] = numbers(message["rest"], len(bones), 3)
        if self.schema is None or self.schema["bones"] != bones:
            self.frame = None
        self.schema, self.problem = message, ""


def word(value: Any) -> str:
    """Returns a word that Blender can show; raises ValueError for anything else."""
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or not 0 < len(value) < 64:
        raise ValueError("word")
    return value


def numbers(rows: Any, count: int, width: int) -> list[list[float]]:
    """Returns rows of plausible numbers; raises ValueError for anything else."""
    parsed = [[float(value) for value in row] for row in rows]
    valid = all(len(row) == width and all(abs(value) < MAX_POSITION_M for value in row) for row in parsed)
    if len(parsed) != count or not valid:
        raise ValueError("numbers")
    return parsed


def quaternion(xyzw: list[float]) -> Quaternion:
    """Returns a quaternion of x, y, z, w; raises ValueError if its length is not 1."""
    x, y, z, w = xyzw
    q = Quaternion((w, x, y, z))
    if not 0.9 < q.magnitude < 1.1:
        raise ValueError("quaternion")
    return q.normalized()


def rest_heads(schema: dict[str, Any]) -> list[Vector]:
    """Returns the heads of the bones in T-pose."""
    heads: list[Vector] = []
    for parent, offset in zip(schema["bone_parents"], schema["rest"], strict=True):
        heads.append(Vector(offset) if parent < 0 else heads[parent] + Vector(offset))
    return heads


def tail(bone: int, schema: dict[str, Any], heads: list[Vector]) -> Vector:
    """Returns the tail of a bone: the head of its first child, or a continuation of the line from its parent."""
    parents = schema["bone_parents"]
    along = heads[parents.index(bone)] - heads[bone] if bone in parents else 0.5 * Vector(schema["rest"][bone])
    if schema["bones"][bone].endswith("Toes"):
        along.z = 0.0  # horizontal, not into the floor
    if along.length < MIN_LENGTH_M:
        along = Vector((0.0, 0.0, MIN_LENGTH_M))
    return heads[bone] + along


def set_bones(armature: Any, schema: dict[str, Any]) -> None:
    """Creates the bones of a schema in an armature, or sets their lengths."""
    view, mode = bpy.context.view_layer, bpy.context.mode
    active = view.objects.active
    if mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    view.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    bones, heads = armature.data.edit_bones, rest_heads(schema)
    for bone, (name, parent) in enumerate(zip(schema["bones"], schema["bone_parents"], strict=True)):
        edited = bones.get(name) or bones.new(name)
        edited.head, edited.tail, edited.roll = heads[bone], tail(bone, schema, heads), 0.0
        edited.parent = bones[schema["bones"][parent]] if parent >= 0 else None
    bpy.ops.object.mode_set(mode="OBJECT")
    view.objects.active = active or armature
    if mode == "POSE":
        bpy.ops.object.mode_set(mode="POSE")
    armature[REST_KEY] = json.dumps(schema["rest"])


def target_armature(settings: Any, schema: dict[str, Any]) -> Any:
    """Returns the armature to move, created or reshaped if necessary; None if it cannot be created in edit mode."""
    armature = settings.armature
    if armature is not None and armature.name not in bpy.context.view_layer.objects:
        armature = None  # it was deleted
    if armature is not None and armature.get(REST_KEY) in (None, json.dumps(schema["rest"])):
        return armature
    if bpy.context.mode not in {"OBJECT", "POSE"} or (armature is not None and not armature.visible_get()):
        return armature
    if armature is None:
        armature = bpy.data.objects.new("pose-rig", bpy.data.armatures.new("pose-rig"))
        bpy.context.scene.collection.objects.link(armature)
        settings.armature = armature
    set_bones(armature, schema)
    return armature


def pose(armature: Any, schema: dict[str, Any], frame: dict[str, Any]) -> int:
    """Poses an armature and returns how many of the schema's bones it has.

    The pose of a bone in Blender is a rotation in its own axes at rest, ours one in those of the room.
    """
    moved = 0
    for bone, (name, rotation) in enumerate(zip(schema["bones"], frame["rotations"], strict=True)):
        posed = armature.pose.bones.get(name)
        if posed is None:
            continue
        at_rest = posed.bone.matrix_local
        own = at_rest.to_quaternion()
        posed.rotation_mode = "QUATERNION"
        posed.rotation_quaternion = own.inverted() @ rotation @ own
        if schema["bone_parents"][bone] < 0:
            scale = at_rest.translation.z / max(schema["rest"][bone][2], MIN_LENGTH_M)
            posed.location = own.inverted() @ (Vector(frame["root"]) * scale - at_rest.translation)
        moved += 1
    return moved


receiver: Receiver | None = None


def tick() -> float | None:
    """Applies the newest frame; Blender calls it again after the returned seconds."""
    if receiver is None:
        return None
    if receiver.drain() and receiver.schema and receiver.frame:
        armature = target_armature(bpy.context.scene.pose_rig, receiver.schema)
        if armature is not None:
            moved = pose(armature, receiver.schema, receiver.frame)
            receiver.problem = "" if moved else "This armature has no bone of the humanoid"
    return TICK_S


def stop() -> None:
    """Closes the socket."""
    global receiver
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)
    if receiver is not None:
        receiver.socket.close()
        receiver = None


class Settings(bpy.types.PropertyGroup):
    """Settings of the user, stored in the scene."""

    address: bpy.props.StringProperty(name="Listen on", default="127.0.0.1", description="0.0.0.0 for the network")
    port: bpy.props.IntProperty(name="Port", default=39570, min=1, max=65535)
    armature: bpy.props.PointerProperty(
        name="Armature",
        type=bpy.types.Object,
        poll=lambda _, candidate: candidate.type == "ARMATURE",
        description="Empty: create one",
    )


class POSE_RIG_OT_start(bpy.types.Operator):  # noqa: N801
    """Listen to pose-rig and move the armature."""

    bl_idname = "pose_rig.start"
    bl_label = "Start"

    def execute(self, context: Any) -> set[str]:
        """Opens the socket."""
        global receiver
        stop()
        settings = context.scene.pose_rig
        try:
            receiver = Receiver(settings.address, settings.port)
        except OSError as error:
            self.report({"WARNING"}, f"Cannot listen on {settings.address}:{settings.port}: {error.strerror}")
            return {"CANCELLED"}
        bpy.app.timers.register(tick, persistent=True)
        return {"FINISHED"}


class POSE_RIG_OT_stop(bpy.types.Operator):  # noqa: N801
    """Stop listening; the armature keeps its pose."""

    bl_idname = "pose_rig.stop"
    bl_label = "Stop"

    def execute(self, context: Any) -> set[str]:
        """Closes the socket."""
        del context
        stop()
        return {"FINISHED"}


class POSE_RIG_PT_panel(bpy.types.Panel):  # noqa: N801
    """The tab in the sidebar."""

    bl_label = "pose-rig live"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "pose-rig"

    def draw(self, context: Any) -> None:
        """Draws the panel."""
        settings = self.layout.column(align=True)
        settings.enabled = receiver is None
        for name in ("address", "port", "armature"):
            settings.prop(context.scene.pose_rig, name)
        self.layout.operator("pose_rig.start" if receiver is None else "pose_rig.stop")
        if receiver is not None:
            shown = receiver.frame or {"mode": "nothing yet", "tracking": 1}
            self.layout.label(text=f"{receiver.received} frames, {receiver.bad} bad")
            self.layout.label(text=f"{shown['mode']}{'' if shown.get('tracking') else ', no person is tracked'}")
            self.layout.label(text=receiver.problem)


CLASSES = (Settings, POSE_RIG_OT_start, POSE_RIG_OT_stop, POSE_RIG_PT_panel)


def register() -> None:
    """Registers panel and settings."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Scene.pose_rig = bpy.props.PointerProperty(type=Settings)


def unregister() -> None:
    """Stops the receiver and removes panel and settings."""
    stop()
    del bpy.types.Scene.pose_rig
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
