"""Leaves out what a library imports for functions that are not used."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def empty_modules(*names: str) -> Iterator[None]:
    """Imports in this block find empty modules under these names, unless they are loaded; later imports load them.

    Args:
        names: Of modules, after their packages. The functions of the library that use them fail.
    """
    empty = {name: ModuleType(name) for name in names if name not in sys.modules}
    sys.modules.update(empty)
    try:
        yield
    finally:
        for name in empty:
            del sys.modules[name]
