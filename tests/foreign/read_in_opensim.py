"""Run by OpenSim's Python: reads a TRC and bends the leg of a small model after it, as a user would.

Usage: read_in_opensim.py FILE.trc OUT.npz PARTS    PARTS: [[from_s, to_s], …] as JSON, where somebody is seen
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import opensim

# the pelvis, the right thigh, the right shank: joints with their marker, 0.4 m apart
PELVIS = {"RHip": (0.0, 0.0, 0.1), "LHip": (0.0, 0.0, -0.1), "MidShoulder": (0.0, 0.5, 0.0)}
SEGMENT_M = 0.4


def main(path: str, out: str, parts: str) -> None:
    table = opensim.TimeSeriesTableVec3(path)
    rows = [table.getRowAtIndex(row) for row in range(table.getNumRows())]
    columns = range(table.getNumColumns())
    xyz = np.array([[[row[column][axis] for axis in range(3)] for column in columns] for row in rows])
    bent = [angles_deg(path, Path(out), *part) for part in json.loads(parts)]
    angles: dict[str, Any] = {name: np.concatenate([each[name] for each in bent]) for name in (bent[0] if bent else ())}
    np.savez(out, xyz=xyz, time=np.array(table.getIndependentColumn()), **angles)
    said = {key: table.getTableMetaDataString(key) for key in table.getTableMetaDataKeys()}
    sys.stdout.write(f"\n{json.dumps(said | {'labels': list(table.getColumnLabels())})}\n")


def leg() -> opensim.Model:
    """Returns a model that hangs in space: hip and knee bend about z."""
    model = opensim.Model()
    pelvis, thigh, shank = (
        opensim.Body(name, 1.0, opensim.Vec3(0), opensim.Inertia(1.0)) for name in ("pelvis", "thigh", "shank")
    )
    none, down = opensim.Vec3(0), opensim.Vec3(0, -SEGMENT_M, 0)
    root = opensim.FreeJoint("root", model.getGround(), pelvis)
    hip = opensim.PinJoint("hip", pelvis, opensim.Vec3(*PELVIS["RHip"]), none, thigh, none, none)
    knee = opensim.PinJoint("knee", thigh, down, none, shank, none, none)
    for body in (pelvis, thigh, shank):
        model.addBody(body)
    for joint in (root, hip, knee):
        model.addJoint(joint)
    for name, place in PELVIS.items():
        model.addMarker(opensim.Marker(name, pelvis, opensim.Vec3(*place)))
    model.addMarker(opensim.Marker("RKnee", thigh, down))
    model.addMarker(opensim.Marker("RAnkle", shank, down))
    model.finalizeConnections()
    hip.updCoordinate().setName("hip_angle")
    knee.updCoordinate().setName("knee_angle")
    return model


def angles_deg(path: str, out: Path, from_s: float, to_s: float) -> dict[str, Any]:
    """Returns the angles that OpenSim's inverse kinematics finds in a part, and their times."""
    model, tool = leg(), opensim.InverseKinematicsTool()
    tool.setModel(model)
    tool.setMarkerDataFileName(path)
    tool.setStartTime(from_s)
    tool.setEndTime(to_s)
    for name in (*PELVIS, "RKnee", "RAnkle"):
        task = opensim.IKMarkerTask()
        task.setName(name)
        task.setWeight(1.0)
        tool.upd_IKTaskSet().cloneAndAppend(task)
    motion = out.with_suffix(".mot")
    tool.setOutputMotionFileName(str(motion))
    tool.set_report_errors(False)
    tool.run()
    found = opensim.TimeSeriesTable(str(motion))
    angles = {name: found.getDependentColumn(name).to_numpy() for name in ("hip_angle", "knee_angle")}
    return angles | {"angle_time": np.array(found.getIndependentColumn())}


if __name__ == "__main__":
    main(*sys.argv[1:])
