"""Many views' keypoints → one 3D pose."""
