"""Run by OpenSim's Python: reads a .mot both ways that OpenSim has.

Usage: read_mot_in_opensim.py FILE.mot OUT.npz
"""

import json
import sys

import numpy as np
import opensim


def main(path: str, out: str) -> None:
    table = opensim.TimeSeriesTable(path)
    labels = list(table.getColumnLabels())
    columns = np.stack([table.getDependentColumn(label).to_numpy() for label in labels], axis=1)
    storage = opensim.Storage(path)  # what tools and plots read with, and what would take a nan for 0
    states = [storage.getStateVector(row) for row in range(storage.getSize())]
    stored = np.array([[state.getData().get(column) for column in range(len(labels))] for state in states])
    np.savez(
        out, time=np.array(table.getIndependentColumn()), columns=columns, stored=stored,
        stored_time=np.array([state.getTime() for state in states]),
    )  # fmt: skip
    sys.stdout.write(f"\n{json.dumps({'labels': labels, 'degrees': storage.isInDegrees()})}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
