"""Cameras and files → frames → 2D keypoints."""
