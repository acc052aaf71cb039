"""The HTML report of a recorded session."""
