"""Options with several values: separated by commas, repeated, or both."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path


def split_values(texts: Iterable[str]) -> tuple[str, ...]:
    """Returns the values in ``a,b`` and in every further text, without the space around them."""
    return tuple(item.strip() for text in texts for item in text.split(","))


def split_paths(texts: Iterable[str]) -> tuple[str, ...]:
    """Returns the paths in ``a,b`` and in every further text; commas within the name of a file do not separate.

    A ``~`` that begins a path is the home folder; the shell replaces it only in front of the first one.
    """
    return tuple(item for text in texts for item in _paths([_expanded(piece) for piece in text.split(",")]))


def _paths(pieces: Sequence[str]) -> Iterable[str]:
    """Yields the longest names that exist, and what does not exist piece by piece."""
    at = 0
    while at < len(pieces):
        ends = range(len(pieces), at + 1, -1)
        end = next((end for end in ends if _exists(",".join(pieces[at:end]))), at + 1)
        yield ",".join(pieces[at:end]).strip()
        at = end


def _expanded(piece: str) -> str:
    return os.path.expanduser(piece.strip()) if piece.lstrip().startswith("~") else piece


def _exists(text: str) -> bool:
    try:
        return Path(text.strip()).exists()
    except OSError:  # longer than a name can be
        return False
