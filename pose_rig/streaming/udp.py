"""A UDP target: one socket that sends datagrams to one receiver."""

import socket
from collections.abc import Sequence

from pose_rig.errors import UsageError
from pose_rig.streaming.address import Address
from pose_rig.streaming.target_stats import DatagramKind, TargetStats


class UdpTarget:
    """One receiver of datagrams.

    The socket is non-blocking, so a receiver that is gone, or a full network, does not delay the others. It is
    connected, so a machine whose port is closed is reported.

    Args:
        kind: Protocol.
        address: Address of the receiver.

    Raises:
        UsageError: The host is unknown or cannot be reached.
    """

    def __init__(self, kind: DatagramKind, address: Address) -> None:
        self.address = address
        person = "" if address.person is None else f"@{address.person + 1}"
        self.stats = TargetStats(kind, address, address.choice + person)
        self._socket = _connected(address)

    def send(self, datagrams: Sequence[bytes | memoryview]) -> None:
        """Sends a frame; errors are counted."""
        reached = [self._send_one(datagram) for datagram in datagrams]
        self.stats.sent(datagrams)
        if not all(reached):
            self.stats.unreachable()

    def close(self) -> None:
        """Closes the socket."""
        self._socket.close()

    def _send_one(self, datagram: bytes | memoryview) -> bool:
        """Sends a datagram; returns False if the system reports that the port was closed to an earlier one."""
        try:
            self._socket.send(datagram)
        except ConnectionError:  # about an earlier datagram; this one was not sent because of it
            self.stats.failed(f"Nothing listens on {self.address}.")
            self._retry(datagram)
            return False
        except OSError as error:
            self._send_failed(error)
        return True

    def _retry(self, datagram: bytes | memoryview) -> None:
        try:
            self._socket.send(datagram)
        except OSError as error:
            if not isinstance(error, ConnectionError):
                self._send_failed(error)

    def _send_failed(self, error: OSError) -> None:
        self.stats.failed(f"Sending to {self.address} failed: {error.strerror}.")


def _connected(address: Address) -> socket.socket:
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_DGRAM)[0]
    except (OSError, UnicodeError) as error:
        raise UsageError(f"Unknown host {address.host!r}.", "Check the name, or give its IP address.") from error
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
