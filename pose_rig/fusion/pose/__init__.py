"""One time step: from the cameras' 2D to one 3D pose."""
