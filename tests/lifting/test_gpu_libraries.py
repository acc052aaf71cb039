import ctypes
import importlib.util

import pytest

from pose_rig.lifting.gpu_libraries import DRIVER, gpu_pieces, has_driver


def test_every_piece_is_named_and_what_is_missing_has_a_reason() -> None:
    pieces = gpu_pieces()
    assert [piece.name for piece in pieces] == ["tensorrt", "cuda-bindings", f"NVIDIA driver ({DRIVER})"]
    assert all(piece.missing == "" or len(piece.missing) > 10 for piece in pieces)
    assert bool(pieces[2].missing) != has_driver()


@pytest.mark.skipif(importlib.util.find_spec("tensorrt") is not None, reason="tensorrt is installed")
def test_a_missing_package_is_named() -> None:
    assert gpu_pieces()[0].missing == "No module named 'tensorrt'"


def test_the_driver_is_what_the_loader_finds() -> None:
    if has_driver():
        ctypes.CDLL(DRIVER)
    else:
        with pytest.raises(OSError, match="cuda"):
            ctypes.CDLL(DRIVER)
