"""What a running rig shows in the terminal, and the loop behind it."""
