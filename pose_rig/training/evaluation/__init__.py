"""Metrics and the tables of the paper's protocol."""
