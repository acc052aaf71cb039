"""The table of `benchmarks/gpu_check.sh`, from the folder that it wrote."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

# Figures of the benchmarks that are shown; the files have all of them.
SHOWN = re.compile(
    r"(cpu|cuda|tensorrt): 4 views, 1 hypotheses|(cpu|cuda|tensorrt): (4 views, 60|8 views, 136) "
    r"hypotheses$|4 views: (whole|graph)$|step: .*, 4 views"
)


def rows(folder: Path) -> Iterator[tuple[str, str, str, str]]:
    """Yields step, figure, value with its unit, and target or state."""
    for line in (folder / "steps.tsv").read_text("utf-8").splitlines():
        name, state, seconds = line.split("\t")
        yield name, "", f"{seconds} s", state
        path = folder / f"{name}.json"
        if path.is_file():
            for figure in json.loads(path.read_text("utf-8"))["figures"]:
                if SHOWN.match(figure["name"]):
                    yield "", figure["name"], f"{figure['median']:.4g} {figure['unit']}", figure["target"]
        yield from (("", text, "", "") for text in last_words(name, folder / f"{name}.log"))


def last_words(name: str, log: Path) -> list[str]:
    """Returns the lines of a log that are results."""
    if not log.is_file():
        return []
    lines = log.read_text("utf-8", "replace").splitlines()
    if name == "gpu":
        return lines[:1]
    if name == "tests":
        return [line for line in lines if re.match(r"\d+ (passed|failed|skipped)", line)]
    if name == "doctor":
        return [line.strip() for line in lines if re.match(r"(ok|warn|fail)\s+(gpu|inference|training)", line)]
    if name.startswith("train"):
        kept = r"Done after|Stopped after|Early stopping|Error|N-MPJPE|seconds"
        return [line.strip() for line in lines if re.search(kept, line)][-4:]
    return []


def main() -> None:
    """Prints the table of the folder that is the argument."""
    table = Table("step", "figure", "value", "state or target", title="gpu_check")
    for row in rows(Path(sys.argv[1])):
        table.add_row(*row)
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
