"""Self-calibration: from 2D poses of a moving person to camera poses and intrinsics."""
