"""Run by Blender's Python: does what docs/blender.md says, with the figure of a glTF file as the character.

Usage: retarget_in_blender.py CHARACTER.glb IMPORT.py RETARGET.py FRAMES    the two scripts come from the page
"""

import json
import runpy
import sys
from typing import Any

import bpy
from mathutils import Matrix, Vector  # type: ignore[import-not-found]


def main(character_path: str, importing: str, retargeting: str, frames: str) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_scene.gltf(filepath=character_path)
    character = bpy.data.objects["Armature"]
    character.animation_data_clear()
    stand_as_fbx(character)
    select(character, *character.children)
    bpy.ops.object.transform_apply(location=False, rotation=True, scale=True)
    runpy.run_path(importing)
    source = bpy.data.objects["walk"]
    runpy.run_path(retargeting)
    numbers = range(1, int(frames) + 1)
    expected = heads(source, numbers)
    constrained = heads(character, numbers)
    select(character)
    bpy.ops.object.mode_set(mode="POSE")
    bpy.ops.nla.bake(
        frame_start=1, frame_end=int(frames), only_selected=False, visual_keying=True, clear_constraints=True,
        bake_types={"POSE"},
    )  # fmt: skip
    baked = heads(character, numbers)
    said = {
        "scene": [bpy.context.scene.render.fps, bpy.context.scene.frame_end],
        "constrained_m": farthest(expected, constrained),
        "baked_m": farthest(expected, baked),
        "constraints": sum(len(bone.constraints) for bone in character.pose.bones),
    }
    sys.stdout.write(f"\n{json.dumps(said)}\n")


def stand_as_fbx(character: Any) -> None:
    """Turns and scales an armature as an object, as FBX files do, and its inside the other way round."""
    shape = Matrix.Rotation(1.5707963, 4, "X") @ Matrix.Scale(0.01, 4)
    for thing in (character, *character.children):
        thing.data.transform(shape.inverted())
    for bone in character.pose.bones:
        bone.matrix_basis.identity()
    character.matrix_world = shape


def select(*things: Any) -> None:
    """Selects things, the first of them as the active one."""
    bpy.ops.object.select_all(action="DESELECT")
    for thing in things:
        thing.select_set(True)
    bpy.context.view_layer.objects.active = things[0]


def heads(armature: Any, frames: range) -> list[dict[str, Vector]]:
    """Returns where the bones begin, frame by frame."""
    found = []
    for frame in frames:
        bpy.context.scene.frame_set(frame)
        posed = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
        found.append({bone.name: (posed.matrix_world @ bone.head).copy() for bone in posed.pose.bones})
    return found


def farthest(a: list[dict[str, Vector]], b: list[dict[str, Vector]]) -> float:
    """Returns the largest distance between bones of the same name, m."""
    return max(float((one[name] - other[name]).length) for one, other in zip(a, b, strict=True) for name in one)


main(*sys.argv[1:])
