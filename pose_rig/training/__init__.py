"""Simulated rigs and the training of the lifter."""
