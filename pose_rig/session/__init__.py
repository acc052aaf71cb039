"""Sessions: recorded, recovered, read, replayed, converted."""
