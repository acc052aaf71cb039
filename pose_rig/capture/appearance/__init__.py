"""What people look like, as a few numbers: images stay in the camera process."""
