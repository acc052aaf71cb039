"""2D poses to learn from: simulated, recorded, or from datasets."""
