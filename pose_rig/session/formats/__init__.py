"""Pose files that other programs read."""
