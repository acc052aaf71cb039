"""What ``pose-rig train`` does with its arguments."""
