"""The processes of a rig: their table, their start, their supervision."""
