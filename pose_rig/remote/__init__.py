"""Cameras of other machines: their key, their clocks, and both ends of the connection."""
