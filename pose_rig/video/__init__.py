"""Compressed images: encoders and decoders."""
