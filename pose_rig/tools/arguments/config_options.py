"""The command-line options that are keys of a rig.toml, made from the table in `pose_rig.config`."""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import typer
from msgspec.structs import replace

from pose_rig.config import Config, DetectorConfig, FusionConfig, Option, StreamConfig
from pose_rig.errors import UsageError
from pose_rig.tools.arguments.value_lists import split_values

# table of the rig.toml → its record, and the panel of the help for its options, unless they have another one
TABLES = {
    "": (Config, "Rig"),
    "detector": (DetectorConfig, "Detection and fusion"),
    "fusion": (FusionConfig, "Detection and fusion"),
    "stream": (StreamConfig, "Engines"),
}


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the rig.toml that is also an option.

    Attributes:
        table: Its table; empty = top level.
        name: Its name there.
        type: Of its value.
        option: Its option.
    """

    table: str
    name: str
    type: Any
    option: Option

    @property
    def path(self) -> str:
        """The key with its table, as in TOML: ``fusion.rate_hz``."""
        return f"{self.table}.{self.name}" if self.table else self.name

    @property
    def flag(self) -> str:
        """The option as it is typed: ``--stream-rate``."""
        return f"--{(self.option.name or self.name).replace('_', '-')}"

    @property
    def argument(self) -> str:
        """The name of the option's parameter: ``stream_rate``."""
        return self.flag.removeprefix("--").replace("-", "_")

    def parameter(self) -> inspect.Parameter:
        """Returns the parameter from which Typer makes the option; its default means that it is not given."""
        numbers = self._numbers()
        option = typer.Option(
            self.flag,
            metavar=self.option.metavar or None,
            help=self.option.help,
            rich_help_panel=self.option.panel or TABLES[self.table][1],
            min=min(numbers, default=None),
            max=max(numbers, default=None),
        )
        default = False if self.type is bool else None
        annotation: Any = Annotated[self._typed(), option]
        return inspect.Parameter(self.argument, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)

    def values(self, given: Any) -> dict[str, Any]:
        """Returns the values of the keys that an option means, by their paths.

        Raises:
            UsageError: As of `value`, or one of several is not a number.
        """
        if not self.option.further:
            return {self.path: self.value(given)}
        first, *others = map(self._number, split_values([given]))
        return {self.path: first, self.option.further: tuple(others)}

    def value(self, given: Any) -> Any:
        """Returns the value of the key that an option means.

        Raises:
            UsageError: It is neither a number nor one of the words allowed.
        """
        if get_origin(self.type) is tuple:
            return split_values(given)
        if self.option.auto is not None:
            return self.option.auto if given == "auto" else self._whole_number(given)
        words = [word for part in get_args(self.type) if get_origin(part) is Literal for word in get_args(part)]
        if not words or given in words:
            return given
        try:
            return float(given)
        except ValueError as error:
            expected = f"a number or {' or '.join(words)}"
            raise UsageError(f"{self.flag} must be {expected}; got {given!r}.", f"Example: {self.flag} 60.") from error

    def _number(self, text: str) -> float:
        try:
            return float(text)
        except ValueError as error:
            example = f"Example: {self.flag} 1.82, or {self.flag} 1.82,1.65 of two people."
            raise UsageError(f"{self.flag} must be numbers separated by commas; got {text!r}.", example) from error

    def _whole_number(self, text: str) -> int:
        try:
            return int(text)
        except ValueError as error:
            expected = f"{self.flag} must be a whole number or auto; got {text!r}."
            raise UsageError(expected, f"Example: {self.flag} 2.") from error

    def _numbers(self) -> list[int]:
        return [one for one in get_args(self.type) if isinstance(one, int)] if get_origin(self.type) is Literal else []

    def _typed(self) -> Any:
        """Returns the type of the option: that of the key, or None."""
        if self.type is bool:
            return bool
        if get_origin(self.type) is tuple:
            return list[str] | None
        if get_origin(self.type) is Literal:
            words = tuple(word for word in get_args(self.type) if word != "")
            return int | None if self._numbers() else Literal[words] | None
        if self.option.further or self.option.auto is not None:
            return str | None
        parts = [part for part in get_args(self.type) if part is not NoneType]
        return (self.type if not parts else parts[0] if len(parts) == 1 else str) | None


def _keys() -> Iterator[Key]:
    for table, (record, _) in TABLES.items():
        for name, annotation in get_type_hints(record, include_extras=True).items():
            if get_origin(annotation) is Annotated:
                kind, option = get_args(annotation)
                yield Key(table, name, kind, option)


KEYS = {key.path: key for key in _keys()}


@dataclass(frozen=True, slots=True)
class Keys:
    """Which keys a command has as options, in the annotation of its `ConfigOptions`.

    Attributes:
        only: Paths, ``stream.*`` for all of a table; empty = all keys.
        without: Paths that are excluded.
    """

    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def selected(self) -> list[Key]:
        """Returns the keys in their order in the table."""
        return [
            key
            for path, key in KEYS.items()
            if path not in self.without and (not self.only or path in self.only or f"{key.table}.*" in self.only)
        ]


@dataclass(frozen=True, slots=True)
class ConfigOptions:
    """The given options of a command that are keys of a rig.toml.

    Attributes:
        values: By path of the key.
    """

    values: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_arguments(cls, keys: Keys, arguments: dict[str, Any]) -> "ConfigOptions":
        """Removes the selected options from ``arguments`` and returns those that were given."""
        given = {key.path: (key, arguments.pop(key.argument)) for key in keys.selected()}
        values: dict[str, Any] = {}
        for key, value in given.values():
            if value is not None and value is not False:
                values |= key.values(value)
        return cls(values)

    def typed(self) -> dict[str, Any]:
        """Returns the values by the names of their options, without dashes; several values of one are a list."""
        found = {key.flag.removeprefix("--"): self.values[path] for path, key in KEYS.items() if path in self.values}
        for path, key in KEYS.items():
            if others := self.values.get(key.option.further):
                found[key.flag.removeprefix("--")] = [self.values[path], *others]
        return found

    def applied_to(self, config: Config) -> Config:
        """Returns a configuration in which the given options replace the values.

        Raises:
            UsageError: Options of streaming are given, and there is no receiver.
        """
        tables: dict[str, dict[str, Any]] = {table: {} for table in TABLES}
        for path, value in self.values.items():
            table, _, name = path.rpartition(".")
            tables[table][name] = value
        changed = {table: replace(getattr(config, table), **values) for table, values in tables.items() if table}
        config = replace(config, **tables[""], **changed)
        if tables["stream"] and not config.stream.has_receivers:
            flags = ", ".join(KEYS[f"stream.{name}"].flag for name in tables["stream"])
            raise UsageError(f"No receiver is given for {flags}.", "Add --vmc 127.0.0.1, for example.")
        return config
