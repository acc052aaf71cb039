"""Run by Blender's Python: the add-on listens, and what it makes of each frame is written down.

Usage: live_in_blender.py ADDON.py PORT OUT.npz FRAMES CHARACTER.json    a character is [] or [name, parent, head, tail,
roll] of bones that there are already. A Blender without a window has no clock, so its timer is called from here.
"""

import json
import runpy
import sys
import time
from typing import Any

import bpy
import numpy as np


def main(addon: str, port: str, out: str, frames: str, character: str) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    live = runpy.run_path(addon, run_name="pose_rig_live")
    live["register"]()
    bpy.context.scene.pose_rig.port = int(port)
    if bones := json.loads(character):
        bpy.context.scene.pose_rig.armature = made(bones)
    started = bpy.ops.pose_rig.start()
    ticking = bpy.app.timers.is_registered(live["tick"])
    receiver = live["tick"].__globals__["receiver"]
    heads = watch(live["tick"], receiver, int(frames))
    armature = bpy.context.scene.pose_rig.armature
    said = {
        "started": sorted(started),
        "ticking": ticking,
        "again": sorted(bpy.ops.pose_rig.start()),
        "names": [bone.name for bone in armature.pose.bones],
        "lengths": [bone.length for bone in armature.data.bones],
        "objects": len(bpy.data.objects),
        "bad": receiver.bad,
        "indices": sorted(heads),
    }
    live["unregister"]()
    said["closed"] = live["tick"].__globals__["receiver"] is None and receiver.socket.fileno() == -1
    said["ended"] = live["tick"]() is None and not bpy.app.timers.is_registered(live["tick"])
    np.savez(out, heads=np.array([heads[index] for index in sorted(heads)]))
    sys.stdout.write(f"\n{json.dumps(said)}\n")


def watch(tick: Any, receiver: Any, frames: int) -> dict[int, list[list[float]]]:
    """Returns where the bones begin in each frame, from the armature's own origin, until there are so many."""
    heads: dict[int, list[list[float]]] = {}
    deadline = time.monotonic() + 30.0
    while len(heads) < frames and time.monotonic() < deadline:
        time.sleep(tick())
        armature = bpy.context.scene.pose_rig.armature
        if receiver.frame is not None:
            posed = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
            heads[receiver.frame["index"]] = [list(bone.head) for bone in posed.pose.bones]
    return heads


def made(bones: list[list[Any]]) -> Any:
    """Returns an armature, placed and turned in the room."""
    armature = bpy.data.objects.new("character", bpy.data.armatures.new("character"))
    bpy.context.scene.collection.objects.link(armature)
    armature.location, armature.rotation_euler = (3.0, -1.0, 0.5), (0.0, 0.0, 1.0)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    for name, parent, head, tail, roll in bones:
        bone = armature.data.edit_bones.new(name)
        bone.head, bone.tail, bone.roll = head, tail, roll
        bone.parent = armature.data.edit_bones.get(parent)
    bpy.ops.object.mode_set(mode="OBJECT")
    return armature


main(*sys.argv[1:])
