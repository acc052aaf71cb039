"""Clocks of cameras: their offsets and rates, found from the movement of one person."""
