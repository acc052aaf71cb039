"""The addresses of this machine at which browsers reach a rig."""

import ipaddress
import socket
from contextlib import suppress

from pose_rig.wire.services import LOOPBACK

ANY = ("0.0.0.0", "::")  # noqa: S104  (compared with, never bound unless the user asks for it)
_ROUTE_PROBE = ("192.0.2.1", 9)  # TEST-NET-1; a datagram socket that connects sends nothing


def lan_addresses() -> tuple[str, ...]:
    """Returns the IPv4 addresses of this machine in its networks, that of the default route first; none if offline."""
    found: list[str] = []
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(_ROUTE_PROBE)
        found.append(probe.getsockname()[0])
    with suppress(OSError):
        found += [str(entry[4][0]) for entry in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)]
    return tuple(dict.fromkeys(address for address in found if not ipaddress.ip_address(address).is_loopback))


def listening_hosts(host: str, *, phones: bool) -> tuple[str, ...]:
    """Returns the addresses to listen on, loopback among them.

    Args:
        host: That of the configuration; empty = loopback only, with phones the addresses of the local network too.
        phones: Whether phones are to reach it.
    """
    if host in ANY:
        return (host,)
    if host:
        with suppress(OSError):  # the certificate is for addresses, as names outside of the local network are excluded
            host = socket.gethostbyname(host) if ":" not in host else host
    others = (host,) if host else lan_addresses() if phones else ()
    return tuple(dict.fromkeys((LOOPBACK, *others)))


def reachable_names(hosts: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the names under which browsers reach what listens on some addresses, the one to show first.

    Args:
        hosts: As `listening_hosts` returns them.
    """
    everywhere = any(host in ANY for host in hosts)
    others = lan_addresses() if everywhere else tuple(host for host in hosts if host != LOOPBACK)
    return tuple(dict.fromkeys((*others, LOOPBACK, "localhost")))


def url(name: str, port: int, token: str) -> str:
    """Returns the address of the page that a token is for."""
    return f"https://{f'[{name}]' if ':' in name else name}:{port}/{token}/"
