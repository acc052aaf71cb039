"""Sessions drawn for Foxglove, Lichtblick and Rerun."""
