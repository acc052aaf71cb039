"""Simulated people, motion, cameras and detection noise."""
