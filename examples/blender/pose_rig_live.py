"""Blender add-on (4.2 or later): the person, live, on an armature. Tried with Blender 4.4.

1. Edit > Preferences > Add-ons > Install from Disk: this file. Tick "pose-rig live".
2. `pose-rig run --cams 0,1,2 --json 127.0.0.1:39570/blender`
3. 3D view, press N, tab "pose-rig": Start. An armature of the person's own lengths appears and moves.
4. To move a character instead, choose its armature there first. It rests in T-pose, faces -y, its turn and scale are
   applied, and its bones have the names of `bones` in the schema (docs/wire.md): Hips, Spine, LeftUpperArm, ...
5. Stop ends it; the bones keep their last pose.
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
    "description": "Moves an armature with what pose-rig sends",
    "category": "Animation",
}
TICK_S = 1 / 60
LARGEST = 65536  # bytes in a datagram
MOST_PER_TICK = 256  # datagrams; a flood must not stop Blender
MOST_BONES, FARTHEST_M = 256, 1e4  # what is beyond that is garbage
SHORTEST_M = 0.02  # Blender removes bones without length
OURS = "pose_rig"  # marks an armature that this add-on made, and may reshape


class Receiver:
    """A socket, and the newest schema and frame that came through it.

    Args:
        address: Where to listen.
        port: Likewise.

    Attributes:
        received: Frames.
        bad: Datagrams that made no sense.
        remark: What is wrong, for people.
    """

    def __init__(self, address: str, port: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.schema: dict[str, Any] | None = None
        self.frame: dict[str, Any] | None = None
        self.received = self.bad = 0
        self.remark = ""
        try:
            self.socket.bind((address, port))
        except OSError:
            self.socket.close()
            raise

    def drain(self) -> bool:
        """Reads all that came; returns whether there is a new frame."""
        before = self.received
        for _ in range(MOST_PER_TICK):
            try:
                datagram = self.socket.recv(LARGEST)
            except OSError:  # nothing is left
                break
            try:
                self._take(json.loads(datagram))
            except (ValueError, TypeError, KeyError, ArithmeticError, RecursionError):
                self.bad += 1
        return self.received > before

    def _take(self, said: dict[str, Any]) -> None:
        if said["type"] == "schema":
            self._take_schema(said)
        elif said["type"] == "frame" and self.schema is not None:
            count = len(self.schema["bones"])
            said["mode"] = word(said["mode"])
            said["root"] = numbers([said["root"]], 1, 3)[0]
            said["rotations"] = [unit(turn) for turn in numbers(said["rotations"], count, 4)]
            self.frame = said
            self.received += 1

    def _take_schema(self, said: dict[str, Any]) -> None:
        if word(said["axes"]) != "blender":
            self.remark = f"Sent in axes {said['axes']}: use --json HOST:PORT/blender"
            return
        bones, parents = [word(bone) for bone in list(said["bones"])], list(said["bone_parents"])
        if not len(set(bones)) == len(bones) == len(parents) <= MOST_BONES:
            raise ValueError("bones")
        if not all(type(parent) is int and -1 <= parent < bone for bone, parent in enumerate(parents)):
            raise ValueError("parents")
        said["rest"] = numbers(said["rest"], len(bones), 3)
        if self.schema is None or self.schema["bones"] != bones:
            self.frame = None
        self.schema, self.remark = said, ""


def word(said: Any) -> str:
    """Returns a word that Blender can show; raises ValueError if it is anything else."""
    if not isinstance(said, str) or not said.isascii() or not said.isprintable() or not 0 < len(said) < 64:
        raise ValueError("word")
    return said


def numbers(rows: Any, count: int, width: int) -> list[list[float]]:
    """Returns rows of sensible numbers; raises ValueError if they are anything else."""
    found = [[float(value) for value in row] for row in rows]
    sensible = all(len(row) == width and all(abs(value) < FARTHEST_M for value in row) for row in found)
    if len(found) != count or not sensible:
        raise ValueError("numbers")
    return found


def unit(xyzw: list[float]) -> Quaternion:
    """Returns a quaternion of x, y, z, w; raises ValueError if its length is not 1."""
    x, y, z, w = xyzw
    turn = Quaternion((w, x, y, z))
    if not 0.9 < turn.magnitude < 1.1:
        raise ValueError("quaternion")
    return turn.normalized()


def places_at_rest(schema: dict[str, Any]) -> list[Vector]:
    """Returns where the bones begin in T-pose."""
    places: list[Vector] = []
    for parent, offset in zip(schema["bone_parents"], schema["rest"], strict=True):
        places.append(Vector(offset) if parent < 0 else places[parent] + Vector(offset))
    return places


def tail(bone: int, schema: dict[str, Any], places: list[Vector]) -> Vector:
    """Returns where a bone ends: at its first child, or a little further on the way from its parent."""
    parents = schema["bone_parents"]
    along = places[parents.index(bone)] - places[bone] if bone in parents else 0.5 * Vector(schema["rest"][bone])
    if schema["bones"][bone].endswith("Toes"):
        along.z = 0.0  # level, not into the floor
    if along.length < SHORTEST_M:
        along = Vector((0.0, 0.0, SHORTEST_M))
    return places[bone] + along


def shape(armature: Any, schema: dict[str, Any]) -> None:
    """Gives an armature the bones of a schema, and those that it has their new lengths."""
    view, mode = bpy.context.view_layer, bpy.context.mode
    active = view.objects.active
    if mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    view.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    bones, places = armature.data.edit_bones, places_at_rest(schema)
    for bone, (name, parent) in enumerate(zip(schema["bones"], schema["bone_parents"], strict=True)):
        made = bones.get(name) or bones.new(name)
        made.head, made.tail, made.roll = places[bone], tail(bone, schema, places), 0.0
        made.parent = bones[schema["bones"][parent]] if parent >= 0 else None
    bpy.ops.object.mode_set(mode="OBJECT")
    view.objects.active = active or armature
    if mode == "POSE":
        bpy.ops.object.mode_set(mode="POSE")
    armature[OURS] = json.dumps(schema["rest"])


def wanted(settings: Any, schema: dict[str, Any]) -> Any:
    """Returns the armature to move, made or reshaped if need be; None if it cannot be made while somebody edits."""
    armature = settings.armature
    if armature is not None and armature.name not in bpy.context.view_layer.objects:
        armature = None  # it was deleted
    if armature is not None and armature.get(OURS) in (None, json.dumps(schema["rest"])):
        return armature
    if bpy.context.mode not in {"OBJECT", "POSE"} or (armature is not None and not armature.visible_get()):
        return armature
    if armature is None:
        armature = bpy.data.objects.new("pose-rig", bpy.data.armatures.new("pose-rig"))
        bpy.context.scene.collection.objects.link(armature)
        settings.armature = armature
    shape(armature, schema)
    return armature


def pose(armature: Any, schema: dict[str, Any], frame: dict[str, Any]) -> int:
    """Poses an armature and returns how many of the schema's bones it has.

    A bone's pose is a turn in its own axes at rest, ours one in those of the room: so there and back again.
    """
    moved = 0
    for bone, (name, turn) in enumerate(zip(schema["bones"], frame["rotations"], strict=True)):
        posed = armature.pose.bones.get(name)
        if posed is None:
            continue
        at_rest = posed.bone.matrix_local
        own = at_rest.to_quaternion()
        posed.rotation_mode = "QUATERNION"
        posed.rotation_quaternion = own.inverted() @ turn @ own
        if schema["bone_parents"][bone] < 0:
            size = at_rest.translation.z / max(schema["rest"][bone][2], SHORTEST_M)
            posed.location = own.inverted() @ (Vector(frame["root"]) * size - at_rest.translation)
        moved += 1
    return moved


receiver: Receiver | None = None


def tick() -> float | None:
    """Applies the newest frame; called by Blender again after the seconds that it returns."""
    if receiver is None:
        return None
    if receiver.drain() and receiver.schema and receiver.frame:
        armature = wanted(bpy.context.scene.pose_rig, receiver.schema)
        if armature is not None:
            moved = pose(armature, receiver.schema, receiver.frame)
            receiver.remark = "" if moved else "That armature has none of our bones"
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
    """What the user chooses, kept with the scene."""

    address: bpy.props.StringProperty(name="Listen on", default="127.0.0.1", description="0.0.0.0 for the network")
    port: bpy.props.IntProperty(name="Port", default=39570, min=1, max=65535)
    armature: bpy.props.PointerProperty(
        name="Armature",
        type=bpy.types.Object,
        poll=lambda _, thing: thing.type == "ARMATURE",
        description="Empty: one is made",
    )


class POSE_RIG_OT_start(bpy.types.Operator):  # noqa: N801
    """Listen to pose-rig and move the armature."""

    bl_idname = "pose_rig.start"
    bl_label = "Start"

    def execute(self, context: Any) -> set[str]:
        """Opens the socket."""
        global receiver
        stop()
        chosen = context.scene.pose_rig
        try:
            receiver = Receiver(chosen.address, chosen.port)
        except OSError as error:
            self.report({"WARNING"}, f"Cannot listen on {chosen.address}:{chosen.port}: {error.strerror}")
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
        """Draws it."""
        settings = self.layout.column(align=True)
        settings.enabled = receiver is None
        for name in ("address", "port", "armature"):
            settings.prop(context.scene.pose_rig, name)
        self.layout.operator("pose_rig.start" if receiver is None else "pose_rig.stop")
        if receiver is not None:
            shown = receiver.frame or {"mode": "nothing yet", "tracking": 1}
            self.layout.label(text=f"{receiver.received} frames, {receiver.bad} bad")
            self.layout.label(text=f"{shown['mode']}{'' if shown.get('tracking') else ', nobody is seen'}")
            self.layout.label(text=receiver.remark)


CLASSES = (Settings, POSE_RIG_OT_start, POSE_RIG_OT_stop, POSE_RIG_PT_panel)


def register() -> None:
    """Adds panel and settings."""
    for made in CLASSES:
        bpy.utils.register_class(made)
    bpy.types.Scene.pose_rig = bpy.props.PointerProperty(type=Settings)


def unregister() -> None:
    """Ends listening and takes panel and settings away."""
    stop()
    del bpy.types.Scene.pose_rig
    for made in reversed(CLASSES):
        bpy.utils.unregister_class(made)
