"""The commands that process whole recordings: one take, or many."""
