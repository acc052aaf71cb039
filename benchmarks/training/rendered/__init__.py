"""Rendered people: images of known poses, to measure what a detector makes of them."""
