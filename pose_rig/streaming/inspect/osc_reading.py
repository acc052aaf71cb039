"""OSC datagrams of anybody as messages, with the types that their numbers were sent in.

Bundles are taken apart here and not by python-osc, which never ends on a part of negative size, and which keeps no
types: receivers tell a float from a double.
"""

from dataclasses import dataclass

from pythonosc.osc_message import OscMessage, ParseError
from pythonosc.parsing import osc_types

MOST_PARTS = 2048  # messages and bundles in one datagram; the largest that are sent have some 60
_BUNDLE, _HEAD, _SIZE = b"#bundle\0", 16, 4
_KNOWN_TAGS = frozenset("ihfdsbrmtTFN")


@dataclass(frozen=True, slots=True)
class Said:
    """One OSC message.

    Attributes:
        address: Its address.
        tags: The type of each argument: ``f`` float, ``d`` double, ``i`` integer, ``s`` string.
        values: The arguments.
    """

    address: str
    tags: str
    values: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """A datagram, read.

    Attributes:
        messages: In the order in which they stand there, those of bundles within bundles too.
        wrong: Why it is no OSC, one sentence; empty if it is. There are no messages then.
    """

    messages: tuple[Said, ...] = ()
    wrong: str = ""


def read(datagram: bytes) -> Reading:
    """Returns what a datagram says; nothing is raised, whatever it is."""
    try:
        return Reading(tuple(_message(part) for part in _parts(datagram)))
    except _NotOscError as error:
        return Reading(wrong=_sentence(datagram, str(error)))
    except (ParseError, osc_types.ParseError, ValueError, IndexError, OverflowError):  # python-osc's, about noise
        return Reading(wrong=_sentence(datagram, "what it holds is cut short or makes no sense"))


class _NotOscError(Exception):
    """Why a datagram is none of OSC."""


def _parts(datagram: bytes) -> list[bytes]:
    """Returns the messages of a datagram, undecoded."""
    messages: list[bytes] = []
    left = [datagram]
    for _ in range(MOST_PARTS):
        if not left:
            return messages
        part = left.pop()
        if part.startswith(_BUNDLE):
            left += reversed(_elements(part))
        elif part.startswith(b"/"):
            messages.append(part)
        else:
            raise _NotOscError("it begins like neither a message nor a bundle")
    raise _NotOscError(f"it has more than {MOST_PARTS} parts")


def _elements(bundle: bytes) -> list[bytes]:
    elements: list[bytes] = []
    at = _HEAD
    while at < len(bundle):
        size = int.from_bytes(bundle[at : at + _SIZE], "big", signed=True)
        at += _SIZE
        if not 0 < size <= len(bundle) - at:
            raise _NotOscError("a part of its bundle has a size that cannot be")
        elements.append(bundle[at : at + size])
        at += size
    return elements


def _message(data: bytes) -> Said:
    address, at = osc_types.get_string(data, 0)
    tags = osc_types.get_string(data, at)[0].removeprefix(",") if at < len(data) else ""
    if not _KNOWN_TAGS.issuperset(tags):
        raise _NotOscError("it has arguments of a type that nobody uses")
    return Said(address, tags, tuple(OscMessage(data).params))


def _sentence(datagram: bytes, reason: str) -> str:
    begin = "".join(chr(byte) if 32 <= byte < 127 else "·" for byte in datagram[:12])
    return f"A datagram of {len(datagram)} bytes that begins with {begin!r} is no OSC: {reason}."
