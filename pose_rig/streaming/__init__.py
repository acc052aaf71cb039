"""Pose3D → humanoid joint rotations, for files and for engines."""
