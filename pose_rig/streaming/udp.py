"""Sending datagrams to one receiver, from one socket for life."""

import socket
from collections.abc import Sequence

from pose_rig.errors import UsageError
from pose_rig.streaming.address import Address
from pose_rig.streaming.traffic import DatagramKind, Traffic


class UdpTarget:
    """One receiver of datagrams.

    The socket never waits, so a receiver that is gone, or a network that is full, costs the others nothing. It is
    connected: a machine that has nobody on that port says so, and the user gets to know.

    Args:
        kind: The protocol.
        address: Where to.

    Raises:
        UsageError: Nobody knows that host.
    """

    def __init__(self, kind: DatagramKind, address: Address) -> None:
        self.address = address
        self.traffic = Traffic(kind, address, address.choice)
        self._socket = connected(address)

    def send(self, datagrams: Sequence[bytes | memoryview]) -> None:
        """Sends a frame; what the system refuses is counted."""
        heard = [self._send_one(datagram) for datagram in datagrams]
        self.traffic.sent(datagrams)
        if not all(heard):
            self.traffic.not_heard()

    def close(self) -> None:
        """Closes the socket."""
        self._socket.close()

    def _send_one(self, datagram: bytes | memoryview) -> bool:
        """Sends a datagram; returns False if the system says that nobody took an earlier one."""
        try:
            self._socket.send(datagram)
        except ConnectionError:  # about an earlier datagram; this one was not sent for it
            self.traffic.failed(f"Nobody listens at {self.address}.")
            self._send_again(datagram)
            return False
        except OSError as error:
            self._refused(error)
        return True

    def _send_again(self, datagram: bytes | memoryview) -> None:
        try:
            self._socket.send(datagram)
        except OSError as error:
            if not isinstance(error, ConnectionError):
                self._refused(error)

    def _refused(self, error: OSError) -> None:
        self.traffic.failed(f"The system did not send to {self.address}: {error.strerror}.")


def connected(address: Address) -> socket.socket:
    """Returns a socket that sends to an address and never waits.

    Raises:
        UsageError: Nobody knows that host.
    """
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_DGRAM)[0]
    except (OSError, UnicodeError) as error:
        raise UsageError(f"There is no host {address.host!r}.", "Check its name, or give its number.") from error
    sender = socket.socket(family, kind, protocol)
    sender.setblocking(False)
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    try:
        sender.connect(place)
    except OSError as error:
        sender.close()
        raise UsageError(
            f"Cannot send to {address}: {error.strerror}.", "Check the address, and that the network is up."
        ) from error
    return sender
