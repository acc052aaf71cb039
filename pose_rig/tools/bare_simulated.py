"""``--simulated`` without a file: the movement that the program makes itself."""

from typing import Any

from typer.core import TyperCommand

from pose_rig.training.synthetic import NAME

OPTION = "--simulated"


class BareSimulated(TyperCommand):
    """A command whose ``--simulated`` may stand without a motion file; Typer has no options of which that is true."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Reads the command line, `NAME` put in where no file follows the option."""
        full: list[str] = []
        for here, after in zip(args, [*args, "-"][1:], strict=True):
            full += [here, str(NAME)] if here == OPTION and after.startswith("-") else [here]
        return super().parse_args(ctx, full)
