"""Makes commands of functions: options of the configuration, renamed options, ``--cams *.mp4``, errors as sentences."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any, get_args, get_origin

import typer
from rich.markup import escape
from typer.core import TyperCommand

from pose_rig.simulation.synthetic import SYNTHETIC_MOTION
from pose_rig.tools.arguments.config_options import ConfigOptions, Keys
from pose_rig.tools.arguments.options import Debug
from pose_rig.tools.terminal.console import exit_on_error

CAMS = "--cams"
SIMULATED = "--simulated"
# command → former name of an option → its present name; the former ones are removed in the next release
RENAMED = {
    "replay": {"--from": "--start", "--to": "--end"},
    "convert": {"--from": "--start", "--until": "--end"},
    "train": {"--start": "--weights"},
}


class Command(TyperCommand):
    """A command that accepts renamed options, several words after ``--cams``, and ``--simulated`` without a file."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parses the words after the name of the command."""
        return super().parse_args(
            ctx, with_repeated_cams(with_simulated_files(with_present_names(self.name or "", args)))
        )


def with_present_names(command: str, words: list[str]) -> list[str]:
    """Returns words with the present names of options, and warns about the former ones on stderr."""
    names = RENAMED.get(command, {})
    out = []
    for word in words:
        name, equals, value = word.partition("=")
        if name in names:
            typer.echo(f"{name} is now {names[name]}; the old name is removed in the next release.", err=True)
        out.append(names.get(name, name) + equals + value)
    return out


def with_simulated_files(words: list[str]) -> list[str]:
    """Returns words in which the name of the synthetic motion follows ``--simulated`` where no file does."""
    out: list[str] = []
    for word, following in zip(words, [*words, "-"][1:], strict=True):
        out += [word, str(SYNTHETIC_MOTION)] if word == SIMULATED and following.startswith("-") else [word]
    return out


def with_repeated_cams(words: list[str]) -> list[str]:
    """Returns words with ``--cams a b c``, which the shell makes of ``--cams *.mp4``, as ``--cams a --cams b …``."""
    out: list[str] = []
    in_cams = False
    for index, word in enumerate(words):
        option = word.startswith("-") and word != "-"
        if in_cams and not option and words[index - 1] != CAMS:
            out.append(CAMS)
        in_cams = word == CAMS or (in_cams and not option)
        out.append(word)
    return out


def unwrapped(doc: str) -> str:
    r"""Returns a docstring with one line per paragraph; paragraphs that begin with \\b keep their lines."""
    paragraphs = doc.split("\n\n")
    return "\n\n".join(text if text.startswith("\b") else text.replace("\n", " ") for text in paragraphs)


def as_command(function: Callable[..., None]) -> Callable[..., None]:
    """Returns a function whose parameters Typer turns into options.

    Each parameter of type `ConfigOptions` becomes the options of its keys, all or those selected by
    ``Annotated[ConfigOptions, Keys(…)]``. ``--debug`` is added, and errors are printed as cause and remedy.
    """
    parameters = inspect.signature(function, eval_str=True).parameters
    tables = {name: keys for name, one in parameters.items() if (keys := _keys_of(one.annotation)) is not None}
    passes_debug = "debug" in parameters

    def run(*, debug: bool, **arguments: Any) -> None:
        with exit_on_error(debug):
            options = {name: ConfigOptions.from_arguments(keys, arguments) for name, keys in tables.items()}
            function(**options, **arguments, **({"debug": debug} if passes_debug else {}))

    flat: list[inspect.Parameter] = []
    for name, one in parameters.items():
        selected = tables[name].selected() if name in tables else None
        flat += [one.replace(kind=one.KEYWORD_ONLY)] if selected is None else [key.parameter() for key in selected]
    if not passes_debug:
        flat.append(inspect.Parameter("debug", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Debug))
    run.__name__, run.__doc__ = function.__name__, escape(unwrapped(inspect.getdoc(function) or ""))
    run.__annotations__ = {one.name: one.annotation for one in flat}
    run.__signature__ = inspect.Signature(flat)  # type: ignore[attr-defined]
    return run


def _keys_of(annotation: Any) -> Keys | None:
    """Returns the keys that a parameter stands for; None if it is an option itself."""
    if annotation is ConfigOptions:
        return Keys()
    if get_origin(annotation) is Annotated and get_args(annotation)[0] is ConfigOptions:
        return next(one for one in get_args(annotation)[1:] if isinstance(one, Keys))
    return None
