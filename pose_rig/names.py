"""Names and texts that come from files: what may become part of a path or a topic, and what a terminal may show."""

import re
from pathlib import Path

MOST_CHARACTERS = 64  # of the name of a camera, a joint or a landmark
SHORT = 40  # of a name that is made here, so that a number may follow
NAME = re.compile(rf"[\w.-]{{1,{MOST_CHARACTERS}}}", re.ASCII)
# what Windows takes for a device, whatever ending follows
DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
# C0, C1 and DEL, which terminals obey, and what turns the direction of writing; line ends and tabs stay
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")

WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+|[^\W\d_A-Za-z]+")
SIDES = {"l": "l", "left": "l", "r": "r", "right": "r"}


def is_name(text: str) -> bool:
    """Returns whether a text may name a camera or a process: it becomes part of topics and of file names."""
    return NAME.fullmatch(text) is not None and text.strip(".") != ""


def as_name(text: str) -> str:
    """Returns a text as a name that is one on every system: letters, digits and ``. _ -``."""
    name = re.sub(r"[^\w.-]+", "_", text.strip(), flags=re.ASCII)[:SHORT].rstrip(".") or "camera"
    return name if DEVICES.fullmatch(name) is None else f"_{name}"[:SHORT]


def is_label(text: str) -> bool:
    """Returns whether a text may name a joint or a landmark: one line without control characters or commas."""
    return 0 < len(text) <= MOST_CHARACTERS and text.isprintable() and "," not in text


def side_and_words(label: str) -> tuple[str, list[str]]:
    """Returns the side of a label (l, r or none) and its other words: ``LEFT_HIP``, ``LHip``, ``hip-left`` → l, hip."""
    words = [word.lower() for word in WORD.findall(label)]
    for at in (0, -1):
        if len(words) > 1 and words[at] in SIDES:
            return SIDES[words.pop(at)], words
    return "", words


def natural_order(path: Path | str) -> list[tuple[int, str]]:
    """Returns a key that sorts ``cam2`` before ``cam10``."""
    return [(int(part), "") if part.isdecimal() else (0, part.lower()) for part in re.split(r"(\d+)", str(path))]


def shown(text: str) -> str:
    """Returns a text as a terminal may be given it: what it would obey becomes a question mark."""
    return CONTROLS.sub("?", text)
