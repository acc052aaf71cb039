"""Options that take lists: joined by commas, given again, or both."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path


def listed(texts: Iterable[str]) -> tuple[str, ...]:
    """Returns the items of ``a,b`` and of every further text, without the space around them."""
    return tuple(item.strip() for text in texts for item in text.split(","))


def listed_paths(texts: Iterable[str]) -> tuple[str, ...]:
    """Returns the items of ``a,b`` and of every further text; commas that belong to the name of a file stay in it.

    A ``~`` that begins an item is the home folder, as the shell has it in front of the first item alone.
    """
    return tuple(item for text in texts for item in _paths([_home(piece) for piece in text.split(",")]))


def _paths(pieces: Sequence[str]) -> Iterable[str]:
    """Yields the longest names that exist, and what does not exist piece by piece."""
    at = 0
    while at < len(pieces):
        ends = range(len(pieces), at + 1, -1)
        end = next((end for end in ends if _exists(",".join(pieces[at:end]))), at + 1)
        yield ",".join(pieces[at:end]).strip()
        at = end


def _home(piece: str) -> str:
    return os.path.expanduser(piece.strip()) if piece.lstrip().startswith("~") else piece


def _exists(text: str) -> bool:
    try:
        return Path(text.strip()).exists()
    except OSError:  # longer than a name can be
        return False
