"""Names and texts use the terms of the field: what a reader would search for, and no second word for the same thing."""

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# word that is not used: term that is
WORDS = {
    "anew": "again, from scratch",
    "anybody": "any person, any program",
    "bank": "dataset",
    "beside": "next to, in parallel",
    "blame": "reason",
    "bury": "on exit",
    "calm": "jitter",
    "doubt": "standard deviation",
    "everybody": "all people",
    "farewell": "linger",
    "freedom": "prior standard deviation",
    "goodbye": "end",
    "heard": "received",
    "hears": "receives",
    "incarnation": "worker process",
    "instant": "time step",
    "instants": "time steps",
    "misfit": "reprojection error",
    "newcomer": "new client",
    "nobody": "no person",
    "picture": "image",
    "pictures": "images",
    "rival": "candidate",
    "rivals": "candidates",
    "scouts": "initial keyframes",
    "scribe": "writer",
    "somebody": "a person",
    "spool": "message file",
    "stature": "body height",
    "stiffness": "Hessian",
    "stranger": "unknown program",
    "summit": "mode seeking",
    "remark": "note, warning",
    "told": "given, reported",
    "wear": "set rest pose",
    "whom": "which person",
}
PHRASES = {
    "explains what was seen": "reprojection error",
    "go on": "continue",
    "goes on": "continues",
    "good-bye": "end",
    "held back": "validation set",
    "takes note": "stores",
    "who is who": "data association",
}
# inputs and outputs of exported graphs, an option, a module of PyAV
FIXED_NAMES = re.compile(r"freedom|doubt|stiffness|\bpicture( type)?\b")
FIXED_IN = (
    "pose_rig/graph.py",
    "pose_rig/lifting/csm.py",
    "pose_rig/lifting/engine.py",
    "pose_rig/lifting/rig_graph.py",
    "pose_rig/lifting/shapes.py",
    "pose_rig/training/export/trace.py",
    "pose_rig/tools/cli/rig.py",
    "pose_rig/tools/rig_files/drawing.py",
    "pose_rig/video/h264_encoder.py",
    "benchmarks/training/train_speed.py",
    "docs/rig.md",
)


def parts(name: str) -> list[str]:
    """Returns the words of an identifier, in lower case."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().split("_")


def texts(path: Path, text: str) -> Iterator[tuple[int, str]]:
    """Yields lines and what a reader reads there: names as words, comments, docstrings and messages."""
    if path.suffix != ".py":
        yield from enumerate(text.splitlines(), 1)
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME:
            yield token.start[0], " ".join(parts(token.string))
        elif token.type in {tokenize.COMMENT, tokenize.STRING}:
            yield from enumerate(token.string.splitlines(), token.start[0])


def found(path: Path, text: str | None = None) -> list[str]:
    """Returns every word of a file that has a better one; ``text`` stands for what it holds."""
    name = path.relative_to(ROOT).as_posix()
    better = {**WORDS, **PHRASES}
    pattern = re.compile(rf"\b({'|'.join(map(re.escape, better))})\b", re.IGNORECASE)
    return [
        f"{name}:{line}: {word[0]!r}: {better[word[0].lower()]}"
        for line, words in texts(path, path.read_text("utf-8") if text is None else text)
        for word in pattern.finditer(words.replace("degrees of freedom", ""))
        if not (name in FIXED_IN and FIXED_NAMES.fullmatch(word[0]))
    ]


@pytest.mark.parametrize("folder", ["pose_rig", "benchmarks", "examples", "docs"])
def test_names_and_texts_use_standard_terms(folder: str) -> None:
    files = [path for path in (ROOT / folder).rglob("*") if path.suffix in {".py", ".md"}]
    assert files
    assert [line for path in sorted(files) for line in found(path)] == []


def test_the_readme_uses_standard_terms() -> None:
    assert [line for path in sorted(ROOT.glob("*.md")) for line in found(path)] == []


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("def wear_rest() -> None: ...\n", "1: 'wear': set rest pose"),
        ("MISFIT_PX = 3\n", "1: 'misfit': reprojection error"),
        ("x = 1\ny = 'Nobody was seen.'\n", "2: 'Nobody': no person"),
        ('"""A module.\n\nIt goes on.\n"""\n', "3: 'goes on': continues"),
    ],
)
def test_a_word_with_a_better_one_is_found(code: str, line: str) -> None:
    path = ROOT / "pose_rig" / "some_module_of_a_test.py"
    assert [f"{path.relative_to(ROOT)}:{line}"] == found(path, code)
