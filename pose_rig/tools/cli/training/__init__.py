"""The commands `pose-rig train` and `pose-rig eval`."""
