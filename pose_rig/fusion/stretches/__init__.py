"""Recordings whose cameras are known: stretches of time that are fused side by side."""
