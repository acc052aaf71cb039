"""``--simulated`` without a file: the movement that the program makes itself. Typer has no options like that."""

from collections.abc import Sequence
from typing import Any

from typer.core import TyperCommand

from pose_rig.training.synthetic import NAME

OPTION = "--simulated"


def completed(words: Sequence[str]) -> list[str]:
    """Returns the words of a command line with `NAME` where no file follows the option."""
    out: list[str] = []
    for word, after in zip(words, [*words, "-"][1:], strict=True):
        out += [word, str(NAME)] if word == OPTION and after.startswith("-") else [word]
    return out


class BareSimulated(TyperCommand):
    """A command whose ``--simulated`` may stand without a motion file."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Reads the words of the command line."""
        return super().parse_args(ctx, completed(args))
