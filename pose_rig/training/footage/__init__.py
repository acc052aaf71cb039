"""Training footage (2D poses): simulated and recorded, and the dataset made of it."""
