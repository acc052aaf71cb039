"""pose-rig: live multi-camera motion capture that needs no calibration."""
