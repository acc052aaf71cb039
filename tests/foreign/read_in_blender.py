"""Run by Blender's Python: imports a file as a user would, says what is there and where the bones begin.

Bones are those of one armature after the other.

Usage: read_in_blender.py FILE OUT.npz FPS FRAMES [SETTING=VALUE …]    FPS of the scene; FRAMES and VALUE as JSON
"""

import json
import sys
from typing import Any

import bpy
import numpy as np


def main(path: str, out: str, fps: str, frames: str, *settings: str) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.fps = int(fps)
    chosen: dict[str, Any] = {name: json.loads(value) for name, _, value in (s.partition("=") for s in settings)}
    read = bpy.ops.import_anim.bvh if path.endswith(".bvh") else bpy.ops.import_scene.gltf
    read(filepath=path, **chosen)
    armatures = sorted((thing for thing in bpy.data.objects if thing.type == "ARMATURE"), key=lambda thing: thing.name)
    figures = [thing for thing in bpy.data.objects if thing.type == "MESH" and thing.parent in armatures]
    heads, bounds = [], []
    for frame in json.loads(frames):
        scene.frame_set(int(frame), subframe=frame % 1)
        heads.append([list(one.matrix_world @ bone.head) for one in armatures for bone in one.pose.bones])
        bounds.append([bounds_of(figure) for figure in figures])
    np.savez(out, heads=np.array(heads), bounds=np.array(bounds))
    said = {
        "armatures": [one.name for one in armatures],
        "names": [bone.name for one in armatures for bone in one.pose.bones],
        "parents": [bone.parent.name if bone.parent else "" for one in armatures for bone in one.pose.bones],
        "fps": scene.render.fps / scene.render.fps_base,
        "frames": list(armatures[0].animation_data.action.frame_range),
    }
    sys.stdout.write(f"\n{json.dumps(said)}\n")


def bounds_of(figure: Any) -> list[list[float]]:
    """Returns the least and the greatest corner of a mesh as it is drawn, deformed by its armature."""
    drawn = figure.evaluated_get(bpy.context.evaluated_depsgraph_get())
    corners = np.array([list(drawn.matrix_world @ vertex.co) for vertex in drawn.data.vertices])
    return [corners.min(0).tolist(), corners.max(0).tolist()]


main(*sys.argv[1:])
