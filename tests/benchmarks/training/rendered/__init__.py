"""Tests of the rendered people."""
