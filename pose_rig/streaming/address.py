"""Addresses on the command line: ``HOST[:PORT][/CHOICE][@N]`` to send to, ``[HOST:]PORT`` to listen on."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from pose_rig.errors import UsageError
from pose_rig.wire.services import LOOPBACK

PORT_RANGE = (1, 65535)
MAX_PERSON = 99


@dataclass(frozen=True, slots=True)
class Address:
    """A network address.

    Attributes:
        host: Host name or IP address.
        port: 1–65535.
        choice: What followed the slash, or the default choice.
        person: Identity of the person to send, from 0; None = the first.
    """

    host: str
    port: int
    choice: str = ""
    person: int | None = None

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches what listens there."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:  # a name, which may belong to any address
            return self.host.lower() == "localhost"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_target(text: str, default_port: int, choices: Sequence[str] = ()) -> Address:
    """Returns an address to send to.

    Args:
        text: ``HOST[:PORT][/CHOICE][@N]``; an IPv6 address goes in brackets, people are counted from 1.
        default_port: Port if none is given.
        choices: What may follow the slash; the first is the default.

    Raises:
        UsageError: The syntax is wrong, or the choice is unknown.
    """
    target, at, number = text.partition("@")
    place, slash, choice = target.partition("/")
    example = f"Write it like {LOOPBACK}:{default_port}" + (f"/{choices[0]}." if choices else ".")
    if slash and choice not in choices:
        remedy = f"Choose from {', '.join(choices)}: {place or LOOPBACK}/{choices[0]}." if choices else example
        raise UsageError(f"Unknown choice {choice!r} after the slash in {text!r}.", remedy)
    host, port = _host_and_port(place, target, example)
    if not host:
        raise UsageError(f"{target!r} has no host.", example)
    person = _person(number, place) if at else None
    return Address(host, default_port if port is None else port, choice or (choices[0] if choices else ""), person)


def parse_listen_address(text: str, default_port: int) -> Address:
    """Returns an address to listen on; on this machine only unless a host is given.

    Args:
        text: ``[HOST:]PORT``, or a host.
        default_port: Port if none is given.

    Raises:
        UsageError: The syntax is wrong.
    """
    example = f"Write {default_port}, or 0.0.0.0:{default_port} to accept other machines."
    if text.isascii() and text.isdigit():
        text = f"{LOOPBACK}:{text}"
    host, port = _host_and_port(text, text, example)
    if not host:
        raise UsageError(f"{text!r} is not an address to listen on.", example)
    return Address(host, default_port if port is None else port)


def _person(number: str, place: str) -> int:
    """Returns the identity of the person with a number, which counts from 1."""
    counted = int(number) if number.isascii() and number.isdigit() and len(number) < 4 else 0
    if not 1 <= counted <= MAX_PERSON:
        raise UsageError(
            f"{number!r} after the @ of {place} is not the number of a person.",
            "People are counted from 1: @2 is the second.",
        )
    return counted - 1


def _host_and_port(place: str, text: str, example: str) -> tuple[str, int | None]:
    """Returns the host without brackets, and the port if one is given."""
    if place.startswith("["):
        host, bracket, rest = place[1:].partition("]")
        colon, port = rest[:1], rest[1:]
        if not bracket or (rest and colon != ":"):
            raise UsageError(f"{text!r} is not an address.", example)
    else:
        host, colon, port = place.partition(":")
    if any(character.isspace() for character in host):
        raise UsageError(f"{text!r} is not an address.", example)
    if not colon:
        return host, None
    number = int(port) if port.isascii() and port.isdigit() and len(port) < 7 else -1
    low, high = PORT_RANGE
    if not low <= number <= high:
        raise UsageError(f"{port!r} in {text!r} is not a port number.", f"Ports are {low} to {high}. {example}")
    return host, number
