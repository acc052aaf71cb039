"""OSC datagrams of any program as messages, with the types that their numbers were sent in.

Bundles are split here and not by python-osc, which loops forever on a part of negative size and does not keep types:
receivers distinguish float from double.
"""

from dataclasses import dataclass

from pythonosc import osc_message
from pythonosc.parsing import osc_types

MAX_PARTS = 2048  # messages and bundles per datagram; the largest known senders have about 60
_BUNDLE, _HEADER_BYTES, _SIZE_BYTES = b"#bundle\0", 16, 4
_KNOWN_TAGS = frozenset("ihfdsbrmtTFN")


@dataclass(frozen=True, slots=True)
class OscMessage:
    """One OSC message.

    Attributes:
        address: OSC address.
        tags: Type of each argument: ``f`` float, ``d`` double, ``i`` integer, ``s`` string.
        values: Arguments.
    """

    address: str
    tags: str
    values: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class DecodedDatagram:
    """A decoded datagram.

    Attributes:
        messages: In order, including those of nested bundles.
        error: Why it is not OSC, one sentence; empty if it is. There are no messages then.
    """

    messages: tuple[OscMessage, ...] = ()
    error: str = ""


def decode(datagram: bytes) -> DecodedDatagram:
    """Returns the messages of a datagram, or why there are none; never raises."""
    try:
        return DecodedDatagram(tuple(_message(part) for part in _parts(datagram)))
    except _NotOscError as error:
        return DecodedDatagram(error=_sentence(datagram, str(error)))
    except (osc_message.ParseError, osc_types.ParseError, ValueError, IndexError, OverflowError):  # of python-osc
        return DecodedDatagram(error=_sentence(datagram, "its content is truncated or malformed"))


class _NotOscError(Exception):
    """Why a datagram is not OSC."""


def _parts(datagram: bytes) -> list[bytes]:
    """Returns the messages of a datagram, undecoded."""
    messages: list[bytes] = []
    remaining = [datagram]
    for _ in range(MAX_PARTS):
        if not remaining:
            return messages
        part = remaining.pop()
        if part.startswith(_BUNDLE):
            remaining += reversed(_elements(part))
        elif part.startswith(b"/"):
            messages.append(part)
        else:
            raise _NotOscError("it starts like neither a message nor a bundle")
    raise _NotOscError(f"it has more than {MAX_PARTS} parts")


def _elements(bundle: bytes) -> list[bytes]:
    elements: list[bytes] = []
    at = _HEADER_BYTES
    while at < len(bundle):
        size = int.from_bytes(bundle[at : at + _SIZE_BYTES], "big", signed=True)
        at += _SIZE_BYTES
        if not 0 < size <= len(bundle) - at:
            raise _NotOscError("a part of its bundle has an impossible size")
        elements.append(bundle[at : at + size])
        at += size
    return elements


def _message(data: bytes) -> OscMessage:
    address, at = osc_types.get_string(data, 0)
    tags = osc_types.get_string(data, at)[0].removeprefix(",") if at < len(data) else ""
    if not _KNOWN_TAGS.issuperset(tags):
        raise _NotOscError("it has arguments of an unknown type")
    return OscMessage(address, tags, tuple(osc_message.OscMessage(data).params))


def _sentence(datagram: bytes, reason: str) -> str:
    start = "".join(chr(byte) if 32 <= byte < 127 else "·" for byte in datagram[:12])
    return f"A datagram of {len(datagram)} bytes that starts with {start!r} is not OSC: {reason}."
