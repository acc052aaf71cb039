"""Benchmark data in the layouts that their users have, as footage."""
