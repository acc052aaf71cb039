"""What an engine on an NVIDIA GPU needs, piece by piece, and whether it is there."""

import ctypes
import importlib
import sys
from dataclasses import dataclass

DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"


@dataclass(frozen=True, slots=True)
class Piece:
    """A package or a library.

    Attributes:
        name: Of the package, or of the file.
        version: Empty if it has none.
        missing: Why it cannot be used; empty if it can.
    """

    name: str
    version: str
    missing: str


def gpu_pieces() -> list[Piece]:
    """Returns what TensorRT needs: its package with its libraries, the bindings of the driver, the driver itself."""
    return [_package("tensorrt"), _package("cuda.bindings.driver", "cuda-bindings"), _driver()]


def has_driver() -> bool:
    """Returns whether there is an NVIDIA driver."""
    return not _driver().missing


def _package(module: str, name: str = "") -> Piece:
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        return Piece(name or module, "", str(error).splitlines()[0])
    except Exception as error:  # a library that does not load raises anything
        return Piece(name or module, "", f"it does not load: {str(error).splitlines()[0]}")
    return Piece(name or module, str(getattr(found, "__version__", "")), "")


def _driver() -> Piece:
    try:
        ctypes.CDLL(DRIVER)
    except OSError as error:
        return Piece(f"NVIDIA driver ({DRIVER})", "", str(error))
    return Piece(f"NVIDIA driver ({DRIVER})", "", "")
