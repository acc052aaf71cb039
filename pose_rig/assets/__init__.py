"""Models and clips that are downloaded once, checked, and kept in a cache."""
