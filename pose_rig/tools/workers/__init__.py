"""The worker processes of a rig: which there are, start, supervision."""
