"""A publisher for programs that are not part of the rig.

libzmq keeps what peers send for as long as they are connected: one that subscribes to ever more topics, or starts a
message that never ends, costs a gigabyte per second (measured). Here a peer has a few kilobytes, and all peers together
a tenth of a core; ZeroMQ's subscribers connect as to any publisher.
"""

import selectors
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

from pose_rig.errors import UsageError
from pose_rig.wire.zmtp import ProtocolError, SubscriberProtocol, frame

MAX_PEERS = 64
MAX_PENDING = 32  # handshakes; one takes milliseconds
HANDSHAKE_TIMEOUT_S = 2.0
READ_TIMEOUT_S = 5.0  # a subscriber that reads nothing for this long is disconnected
SEND_BUFFER_BYTES = 1 << 18  # in the system, for each subscriber: about a second of messages
RECEIVE_BYTES = 4096
ACCEPTS_PER_ROUND = 16
MAX_SHARE = 0.1  # of a core for all that peers send
MAX_PAUSE_S = 0.2
CHECK_S = 0.5


@dataclass(slots=True, eq=False)
class Subscriber:
    """A connected peer.

    Attributes:
        socket: Not blocking. Only the thread that serves receives and closes.
        since_s: When it connected.
        protocol: Its state.
        unsent: The rest of a message that the system did not take yet.
        blocked_s: Since when there is such a rest; 0 = there is none.
    """

    socket: socket.socket
    since_s: float
    protocol: SubscriberProtocol = field(default_factory=SubscriberProtocol)
    unsent: bytes = b""
    blocked_s: float = 0.0

    def send(self, data: bytes) -> None:
        """Sends bytes after the rest of earlier ones; what the system does not take stays unsent."""
        self.unsent += data
        try:
            self.unsent = self.unsent[self.socket.send(self.unsent) :] if self.unsent else b""
        except BlockingIOError:
            pass
        except OSError:  # the peer has gone; the thread that serves finds out
            self.unsent = b""
        self.blocked_s = (self.blocked_s or time.monotonic()) if self.unsent else 0.0


class PublicPort:
    """Publishes to every program that connects; messages are dropped for those that are behind.

    Args:
        endpoint: ``tcp://HOST:PORT``; port 0 takes a free one.

    Attributes:
        endpoint: Where it listens.
        refused: Peers that were disconnected: they are no subscribers, too many, or read nothing.

    Raises:
        UsageError: The endpoint is in use.
    """

    def __init__(self, endpoint: str) -> None:
        self._listener = _listen(endpoint)
        host, port = self._listener.getsockname()[:2]
        self.endpoint = f"tcp://{f'[{host}]' if ':' in host else host}:{port}"
        self.refused = 0
        self._peers: dict[socket.socket, Subscriber] = {}
        self._subscribers: tuple[Subscriber, ...] = ()  # replaced, never changed: two threads use it
        self._waker, self._woken = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        for opened in (self._listener, self._woken):
            self._selector.register(opened, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._serve, name="public port", daemon=True)
        self._thread.start()

    def send(self, data: bytes) -> None:
        """Sends an encoded message to its subscribers; never blocks."""
        framed = b""
        for subscriber in self._subscribers:
            if subscriber.unsent:
                subscriber.send(b"")
            elif subscriber.protocol.answers:
                subscriber.send(subscriber.protocol.take_answers())
            if not subscriber.unsent and subscriber.protocol.wants(data):
                framed = framed or frame(data)
                subscriber.send(framed)

    def close(self, linger_s: float = 0.0) -> None:
        """Closes all connections, after up to ``linger_s`` for the rest of messages that were begun."""
        end_s = time.monotonic() + linger_s
        while any(subscriber.unsent for subscriber in self._subscribers) and time.monotonic() < end_s:
            for subscriber in self._subscribers:
                subscriber.send(b"")
            time.sleep(0.005)
        self._waker.close()
        self._thread.join()

    def _serve(self) -> None:
        """Accepts and receives until the port is closed."""
        while True:
            ready = [key.fileobj for key, _ in self._selector.select(CHECK_S)]
            if self._woken in ready:
                break
            before_s = time.thread_time()
            for opened in ready:
                if opened is self._listener:
                    self._accept()
                elif isinstance(opened, socket.socket) and opened in self._peers:
                    self._receive(self._peers[opened])
            self._disconnect_idle()
            self._subscribers = tuple(peer for peer in self._peers.values() if peer.protocol.topics)
            busy_s = time.thread_time() - before_s
            time.sleep(min(busy_s * (1 / MAX_SHARE - 1), MAX_PAUSE_S))
        for opened in (*self._peers, self._listener, self._woken):
            opened.close()
        self._selector.close()

    def _accept(self) -> None:
        for _ in range(ACCEPTS_PER_ROUND):
            try:
                opened, _ = self._listener.accept()
            except BlockingIOError:
                break
            except OSError:  # too many open files, or the peer has gone already
                time.sleep(MAX_PAUSE_S)
                break
            opened.setblocking(False)
            with suppress(OSError):
                opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
            peer = Subscriber(opened, time.monotonic())
            self._peers[opened] = peer
            self._selector.register(opened, selectors.EVENT_READ)
            self._answer(peer)
        self._make_room()

    def _receive(self, peer: Subscriber) -> None:
        try:
            data = peer.socket.recv(RECEIVE_BYTES)
            if data:
                peer.protocol.receive(data)
                self._answer(peer)
                return
        except BlockingIOError:
            return
        except (ProtocolError, OSError):
            self._disconnect(peer, refused=True)
            return
        self._disconnect(peer, refused=not peer.protocol.is_ready)

    def _answer(self, peer: Subscriber) -> None:
        """Sends what the protocol answers; `send` does it where another thread sends messages meanwhile."""
        if peer not in self._subscribers:
            peer.send(peer.protocol.take_answers())

    def _make_room(self) -> None:
        """Disconnects the oldest peers that are not ready, or have not subscribed, if there are too many."""
        pending = [peer for peer in self._peers.values() if not peer.protocol.is_ready]
        for peer in pending[: max(len(pending) - MAX_PENDING, 0)]:
            self._disconnect(peer, refused=True)
        idle = [peer for peer in self._peers.values() if not peer.protocol.topics]
        for peer in idle[: max(len(self._peers) - MAX_PEERS, 0)]:
            self._disconnect(peer, refused=True)

    def _disconnect_idle(self) -> None:
        """Disconnects peers that do not finish their handshake, or do not read."""
        now_s = time.monotonic()
        for peer in list(self._peers.values()):
            slow = peer.blocked_s and now_s - peer.blocked_s > READ_TIMEOUT_S
            if slow or (not peer.protocol.is_ready and now_s - peer.since_s > HANDSHAKE_TIMEOUT_S):
                self._disconnect(peer, refused=True)

    def _disconnect(self, peer: Subscriber, *, refused: bool) -> None:
        if self._peers.pop(peer.socket, None) is None:
            return
        self.refused += refused
        self._subscribers = tuple(one for one in self._subscribers if one is not peer)
        self._selector.unregister(peer.socket)
        peer.socket.close()


def _listen(endpoint: str) -> socket.socket:
    """Returns a listening socket that does not block."""
    host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows, where SO_REUSEADDR lets two programs listen
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host.strip("[]"), int(port)))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise UsageError(
            f"Cannot listen on {endpoint}: {error.strerror}.",
            "If another rig is running, choose another port with --port, or 0 for a free one.",
        ) from error
    listener.setblocking(False)
    return listener
