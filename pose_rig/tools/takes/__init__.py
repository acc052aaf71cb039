"""Takes: recordings that are processed as a whole, one or many."""
