"""Sessions as Rerun files."""
