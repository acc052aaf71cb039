"""How the user writes where the person is sent: ``HOST[:PORT][/CHOICE]``."""

from collections.abc import Sequence
from dataclasses import dataclass

from pose_rig.errors import UsageError
from pose_rig.wire.services import LOOPBACK

PORTS = (1, 65535)


@dataclass(frozen=True, slots=True)
class Address:
    """A place on the network.

    Attributes:
        host: Name or number.
        port: 1–65535.
        choice: What followed the slash; the first of the choices if nothing did.
    """

    host: str
    port: int
    choice: str = ""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def receiver(text: str, default_port: int, choices: Sequence[str] = ()) -> Address:
    """Returns where to send to.

    Args:
        text: ``HOST[:PORT][/CHOICE]``; a host of numbers and colons stands in brackets.
        default_port: Used if there is none.
        choices: What may follow the slash; the first is used if nothing does.

    Raises:
        UsageError: It is written otherwise, or the choice is unknown.
    """
    place, slash, choice = text.partition("/")
    example = f"Write it like {LOOPBACK}:{default_port}" + (f"/{choices[0]}." if choices else ".")
    if slash and choice not in choices:
        known = ", ".join(choices)
        remedy = f"Known are {known}: {place or LOOPBACK}/{choices[0]}." if choices else example
        raise UsageError(f"There is no {choice!r} to send to {place or text!r} as.", remedy)
    host, port = _host_and_port(place, text, example)
    if not host:
        raise UsageError(f"{text!r} names no host.", example)
    return Address(host, default_port if port is None else port, choice or (choices[0] if choices else ""))


def listener(text: str, default_port: int) -> Address:
    """Returns where to listen, this machine alone unless a host is given.

    Args:
        text: ``[HOST:]PORT``, or a host.
        default_port: Used if there is none.

    Raises:
        UsageError: It is written otherwise.
    """
    example = f"Write {default_port}, or 0.0.0.0:{default_port} to let other machines in."
    if text.isascii() and text.isdigit():
        text = f"{LOOPBACK}:{text}"
    host, port = _host_and_port(text, text, example)
    if not host:
        raise UsageError(f"{text!r} is no place to listen at.", example)
    return Address(host, default_port if port is None else port)


def _host_and_port(place: str, text: str, example: str) -> tuple[str, int | None]:
    """Returns the host without brackets, and the port if one is given."""
    if place.startswith("["):
        host, bracket, rest = place[1:].partition("]")
        colon, port = rest[:1], rest[1:]
        if not bracket or (rest and colon != ":"):
            raise UsageError(f"{text!r} is no address.", example)
    else:
        host, colon, port = place.partition(":")
    if any(sign.isspace() for sign in host):
        raise UsageError(f"{text!r} is no address.", example)
    if not colon:
        return host, None
    number = int(port) if port.isascii() and port.isdigit() and len(port) < 7 else -1
    if not PORTS[0] <= number <= PORTS[1]:
        raise UsageError(f"{port!r} in {text!r} is no port.", f"Ports go from {PORTS[0]} to {PORTS[1]}. {example}")
    return host, number
