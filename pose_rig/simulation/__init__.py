"""Simulated people, movement, cameras and detection noise."""
