"""Decoding and checking of VMC streams from any program."""
