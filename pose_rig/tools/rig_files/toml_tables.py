"""Editing the ``[[camera]]`` tables of a rig.toml in place; comments and layout are kept."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import tomlkit
from tomlkit.items import AoT, Array, Item, Table, Whitespace

from pose_rig.config import CameraConfig, SolvedCamera


def parse(text: str) -> tomlkit.TOMLDocument:
    """Returns an editable rig.toml; inline cameras become tables.

    Raises:
        TOMLKitError: It is not TOML.
    """
    document = tomlkit.parse(text.rstrip() + "\n")
    cameras = document.get("camera")
    if not isinstance(cameras, Array):
        return document
    blocks = [entry_text(entry.unwrap(), None) for entry in cameras]
    del document["camera"]
    return tomlkit.parse("\n".join([tomlkit.dumps(document), *blocks]))


def write_entry(
    tables: AoT, table: Table, cameras: Sequence[CameraConfig], parts: Sequence[SolvedCamera | None]
) -> None:
    """Writes the solved tables of one entry; an entry of several cameras is split into one entry each.

    Args:
        tables: All entries.
        table: The entry.
        cameras: Its cameras.
        parts: Their solved tables; None = not solved, an older table is removed.
    """
    if not any(parts) and "solved" not in table:
        return
    tail = _take_tail(table)  # comments above the next entry, which the parser assigns to this one
    plain = table.unwrap()
    here = next(number for number, other in enumerate(tables) if other is table)
    for number, (camera, part) in enumerate(zip(cameras, parts, strict=True)):
        if number:
            _add_tail(table, ())
            table = _table(plain)
            tables.insert(here + number, table)
        if len(cameras) > 1:
            table["name"], table["member"] = camera.name, camera.member
        _set_solved(table, part)
    _add_tail(table, tail)


def entry_text(plain: Mapping[str, Any], part: SolvedCamera | None) -> str:
    """Returns a new entry with these keys and this solved table."""
    table, tables, document = _table(plain), tomlkit.aot(), tomlkit.document()
    _set_solved(table, part)
    tables.append(table)
    document["camera"] = tables
    return tomlkit.dumps(document)


def _table(plain: Mapping[str, Any]) -> Table:
    table = tomlkit.table()
    table.update(plain)
    return table


def _set_solved(table: Table, part: SolvedCamera | None) -> None:
    known = table.get("solved")
    if part is None:
        table.pop("solved", None)
        _take_tail(table)
        return
    unused = {"k1"}
    if (part.time_offset_s, part.time_rate) == (0.0, 1.0):  # it has the rig's clock
        unused |= {"time_offset_s", "time_offset_sd_s", "time_rate"}
    fields = msgspec.structs.asdict(part)
    values = {key: value for key, value in fields.items() if value is not None and key not in unused}
    values["rotation"] = tomlkit.array()
    for row in part.rotation:
        values["rotation"].append(list(row))
    values["rotation"].multiline(True)
    if isinstance(known, Table):
        for key in unused:  # of an earlier version, or of another recording
            known.pop(key, None)
        known.update(values)
        return
    table.pop("solved", None)
    table.add(tomlkit.nl())
    table["solved"] = _table(values)


def _end(table: Table) -> list[tuple[Any, Item]]:
    """Returns the editable list of lines at the end of a table."""
    solved = table.get("solved")
    return (solved if isinstance(solved, Table) else table).value.body


def _take_tail(table: Table) -> list[Item]:
    """Removes blank lines and comments from the end of a table, and returns them."""
    body = _end(table)
    start = len(body)
    while start and body[start - 1][0] is None:
        start -= 1
    tail = [item for _, item in body[start:]]
    del body[start:]
    return tail


def _add_tail(table: Table, tail: Sequence[Item]) -> None:
    """Appends lines to a table, after one blank line."""
    first = next((number for number, item in enumerate(tail) if not isinstance(item, Whitespace)), len(tail))
    _end(table).extend((None, item) for item in (tomlkit.nl(), *tail[first:]))
