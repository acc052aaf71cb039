"""``--simulated`` without a file: the movement that the program makes itself. Typer has no options like that."""

from collections.abc import Sequence

from pose_rig.simulation.synthetic import NAME

OPTION = "--simulated"


def completed(words: Sequence[str]) -> list[str]:
    """Returns the words of a command line with `NAME` where no file follows the option."""
    out: list[str] = []
    for word, after in zip(words, [*words, "-"][1:], strict=True):
        out += [word, str(NAME)] if word == OPTION and after.startswith("-") else [word]
    return out
