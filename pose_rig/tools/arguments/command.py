"""From functions to commands: groups of options, options under their old names, and ``--cams *.mp4``."""

import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints

import typer
from rich.markup import escape
from typer.core import TyperCommand

from pose_rig.tools.arguments.bare_simulated import completed

CAMS = "--cams"
# command → old name → what it is called now; the old ones go in the next release
RENAMED = {
    "replay": {"--from": "--start", "--to": "--end"},
    "convert": {"--from": "--start", "--until": "--end"},
    "train": {"--start": "--weights"},
}


class Command(TyperCommand):
    """A command that knows the old names of its options, and takes all files that the shell puts behind ``--cams``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parses the words behind the name of the command."""
        return super().parse_args(ctx, gathered(completed(renamed(self.name or "", args))))


def renamed(command: str, words: list[str]) -> list[str]:
    """Returns words with today's names of options, and warns about the old ones on stderr."""
    names = RENAMED.get(command, {})
    out = []
    for word in words:
        name, equals, value = word.partition("=")
        if name in names:
            typer.echo(f"{name} is now {names[name]}; the old name goes in the next release.", err=True)
        out.append(names.get(name, name) + equals + value)
    return out


def gathered(words: list[str]) -> list[str]:
    """Returns words with ``--cams a b c`` as ``--cams a --cams b --cams c``: that is what ``--cams *.mp4`` becomes."""
    out: list[str] = []
    behind = False
    for place, word in enumerate(words):
        option = word.startswith("-") and word != "-"
        if behind and not option and words[place - 1] != CAMS:
            out.append(CAMS)
        behind = word == CAMS or (behind and not option)
        out.append(word)
    return out


def flowing(doc: str) -> str:
    r"""Returns a docstring whose paragraphs are one line each; those that begin with \\b stay as they are."""
    paragraphs = doc.split("\n\n")
    return "\n\n".join(text if text.startswith("\b") else text.replace("\n", " ") for text in paragraphs)


def flat(command: Callable[..., None]) -> Callable[..., None]:
    """Returns a command that takes one by one what ``command`` takes in groups.

    Args:
        command: A function; a parameter of it that is a dataclass stands for the fields of that, which are options.
    """
    parameters = inspect.signature(command, eval_str=True).parameters.values()
    groups: dict[str, Any] = {one.name: one.annotation for one in parameters if is_dataclass(one.annotation)}

    def called(**options: object) -> None:
        grouped = {
            name: kind(**{field.name: options.pop(field.name) for field in fields(kind)})
            for name, kind in groups.items()
        }
        command(**options, **grouped)

    expanded = [one for parameter in parameters for one in _expanded(parameter)]
    called.__name__, called.__doc__ = command.__name__, escape(flowing(inspect.getdoc(command) or ""))
    called.__annotations__ = {one.name: one.annotation for one in expanded}
    called.__signature__ = inspect.Signature(expanded)  # type: ignore[attr-defined]
    return called


def _expanded(parameter: inspect.Parameter) -> list[inspect.Parameter]:
    """Returns a parameter as it is given by name; the fields of one that is a dataclass."""
    kind = parameter.annotation
    if not is_dataclass(kind):
        return [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)]
    hints = get_type_hints(kind, include_extras=True)
    return [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
        )
        for field in fields(kind)
    ]
