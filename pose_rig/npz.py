"""Archives of arrays that may come from anywhere, and be damaged in any way."""

import zipfile
import zlib
from collections.abc import Container
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_rig.errors import SourceError

# what numpy and zipfile raise about damaged files
DAMAGE = (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, SyntaxError, KeyError)


def read_arrays(path: Path, remedy: str, wanted: Container[str] | None = None) -> dict[str, NDArray[Any]]:
    """Returns the arrays of an npz by name; nothing in it is unpickled.

    Args:
        path: The file.
        remedy: What helps if it cannot be read, for people.
        wanted: Names of those that are read; None = all.

    Raises:
        SourceError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            content = np.load(file, allow_pickle=False)
            if not isinstance(content, np.lib.npyio.NpzFile):
                raise SourceError(f"{path} is a single array, not an npz.", remedy)
            return {key: content[key] for key in content.files if wanted is None or key in wanted}
    except DAMAGE as error:
        raise SourceError(f"{path} cannot be read as npz: {error}.", remedy) from error
