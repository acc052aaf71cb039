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
    recorded = watch(live["tick"], receiver, int(frames))
    armature = bpy.context.scene.pose_rig.armature
    report = {
        "started": sorted(started),
        "panel": drawn(live["POSE_RIG_PT_panel"]),
        "ticking": ticking,
        "again": sorted(bpy.ops.pose_rig.start()),
        "names": [bone.name for bone in armature.pose.bones],
        "lengths": [bone.length for bone in armature.data.bones],
        "objects": len(bpy.data.objects),
        "bad": receiver.bad,
        "indices": sorted(recorded),
    }
    live["unregister"]()
    report["closed"] = live["tick"].__globals__["receiver"] is None and receiver.socket.fileno() == -1
    report["ended"] = live["tick"]() is None and not bpy.app.timers.is_registered(live["tick"])
    heads, turns = zip(*(recorded[index] for index in sorted(recorded)), strict=True)
    np.savez(out, heads=np.array(heads), turns=np.array(turns))
    sys.stdout.write(f"\n{json.dumps(report)}\n")


def watch(tick: Any, receiver: Any, frames: int) -> dict[int, tuple[list[list[float]], list[list[float]]]]:
    """Returns where the bones begin in each frame, from the armature's origin, and how they are turned from rest."""
    recorded: dict[int, tuple[list[list[float]], list[list[float]]]] = {}
    deadline = time.monotonic() + 30.0
    while len(recorded) < frames and time.monotonic() < deadline:
        time.sleep(tick())
        armature = bpy.context.scene.pose_rig.armature
        if receiver.frame is not None:
            posed = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
            bones = posed.pose.bones
            recorded[receiver.frame["index"]] = [list(bone.head) for bone in bones], [turn(bone) for bone in bones]
    return recorded


def turn(bone: Any) -> list[float]:
    """Returns x, y, z, w of how far a bone is turned from rest."""
    w, x, y, z = bone.matrix.to_quaternion() @ bone.bone.matrix_local.to_quaternion().inverted()
    return [x, y, z, w]


class Layout:
    """Stands in for Blender's, which needs a window."""

    def __init__(self) -> None:
        self.enabled = True
        self.report: list[str] = []

    def column(self, *, align: bool) -> "Layout":
        del align
        return self

    def prop(self, settings: Any, name: str) -> None:
        self.report.append(f"{name}: {getattr(settings, name)}")

    def operator(self, name: str) -> None:
        self.report.append(name)

    def label(self, *, text: str) -> None:
        self.report.append(text)


def drawn(panel: Any) -> list[str]:
    """Returns what a panel shows."""
    layout = Layout()
    panel.draw(type("Panel", (), {"layout": layout}), bpy.context)
    return layout.report


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
