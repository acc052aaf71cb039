"""Validation of names and texts from files and messages, for paths, topics and terminals."""

import re
from functools import lru_cache
from pathlib import Path

MAX_CHARACTERS = 64  # of the name of a camera, a joint or a landmark
MAX_DERIVED_CHARACTERS = 40  # of a derived name, which leaves room for a number
NAME = re.compile(rf"[\w.-]{{1,{MAX_CHARACTERS}}}", re.ASCII)
# names of devices on Windows, with any suffix
DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
# C0, C1, DEL and bidirectional formatting characters; line ends and tabs are allowed
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")

WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+|[^\W\d_A-Za-z]+")
SIDES = {"l": "l", "left": "l", "r": "r", "right": "r"}


@lru_cache(maxsize=256)
def is_name(text: str) -> bool:
    """Returns whether a text is valid as the name of a camera or worker, in topics and file names."""
    return NAME.fullmatch(text) is not None and text.strip(".") != ""


def as_name(text: str) -> str:
    """Returns a text as a name that is valid on every operating system: letters, digits and ``. _ -``."""
    name = re.sub(r"[^\w.-]+", "_", text.strip(), flags=re.ASCII)[:MAX_DERIVED_CHARACTERS].rstrip(".") or "camera"
    return name if DEVICES.fullmatch(name) is None else f"_{name}"[:MAX_DERIVED_CHARACTERS]


def is_label(text: str) -> bool:
    """Returns whether a text is valid as the name of a joint or landmark: one printable line without commas."""
    return 0 < len(text) <= MAX_CHARACTERS and text.isprintable() and "," not in text


def side_and_words(label: str) -> tuple[str, list[str]]:
    """Returns the side of a label (l, r or none) and its other words: ``LEFT_HIP``, ``LHip``, ``hip-left`` → l, hip."""
    words = [word.lower() for word in WORD.findall(label)]
    for index in (0, -1):
        if len(words) > 1 and words[index] in SIDES:
            return SIDES[words.pop(index)], words
    return "", words


def natural_order(path: Path | str) -> list[tuple[int, str]]:
    """Returns a key that sorts ``cam2`` before ``cam10``."""
    return [(int(part), "") if part.isdecimal() else (0, part.lower()) for part in re.split(r"(\d+)", str(path))]


def shown(text: str) -> str:
    """Returns a text in which control characters are question marks, for printing in a terminal."""
    return CONTROLS.sub("?", text)
