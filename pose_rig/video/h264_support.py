"""Whether H.264 can be decoded here."""

from importlib.util import find_spec


def has_h264() -> bool:
    """Returns whether PyAV is installed, without importing it."""
    return find_spec("av") is not None
