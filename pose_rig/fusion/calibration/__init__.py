"""The rig's own calibration: from 2D poses of a moving person to camera poses and focal lengths."""
