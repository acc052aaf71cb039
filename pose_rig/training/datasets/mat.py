"""Reading of HDF5 and MATLAB files, with the libraries of the extra ``datasets``."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_rig.errors import UsageError
from pose_rig.installer import requires_extra
from pose_rig.npz import check_unpacked

# raised by h5py and scipy for damaged files
_DAMAGE = (OSError, ValueError, TypeError, KeyError, RuntimeError, NotImplementedError)


def library(name: str) -> Any:
    """Returns a library of the extra.

    Raises:
        PoseRigError: It is not installed.
    """
    with requires_extra("This dataset", "datasets"):
        return import_module(name)


def read_h5(path: Path) -> dict[str, Any]:
    """Returns the datasets of an HDF5 file by name, those of a group as a dict.

    Files of MATLAB 7.3 are HDF5 files with reversed axes: (N,1,17,3) for MATLAB's 3×17×1×N.

    Raises:
        UsageError: It cannot be read.
    """
    try:
        with library("h5py").File(path, "r") as file:
            check_unpacked(path, _size_bytes(file))
            return _content(file)
    except _DAMAGE as error:
        raise UsageError(f"{path} cannot be read as HDF5: {error}.", "Copy or download it again.") from error


def read_cells(path: Path, name: str) -> list[NDArray[np.float64]]:
    """Returns the matrices of a cell array in a MATLAB file (up to version 7.2).

    Raises:
        UsageError: It cannot be read, or has no such cell array.
    """
    matlab = library("scipy.io.matlab")
    try:
        content = matlab.loadmat(path, variable_names=[name])
    except (*_DAMAGE, matlab.MatReadError) as error:
        raise UsageError(f"{path} cannot be read as a MATLAB file: {error}.", "Copy or download it again.") from error
    cells = content.get(name)
    if not isinstance(cells, np.ndarray) or cells.dtype != object:
        raise UsageError(f"{path} has no cells named {name!r}.", "Use annot.mat of MPI-INF-3DHP as downloaded.")
    return [np.asarray(cell, np.float64) for cell in cells.ravel()]


def _size_bytes(group: Any) -> int:
    """Returns the size of all datasets in memory."""
    return sum(_size_bytes(item) if hasattr(item, "items") else item.nbytes for item in group.values())


def _content(group: Any) -> dict[str, Any]:
    return {
        name: _content(item) if hasattr(item, "items") else np.asarray(item)
        for name, item in group.items()
        if not name.startswith("#")  # MATLAB's references
    }
