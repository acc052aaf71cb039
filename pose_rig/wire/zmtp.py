"""The protocol of ZeroMQ's subscribers, ZMTP 3.0 (RFC 23) with the NULL mechanism, as a publisher without sockets.

A peer can do nothing but subscribe. Whatever else it sends is an error, and how much it can send before is bounded.
"""

import struct

SIGNATURE_BYTES, GREETING_BYTES = 10, 64
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
MORE, LONG, COMMAND = 1, 2, 4  # flags of a frame
READY = b"\x05READY" + b"\x0bSocket-Type" + struct.pack(">I", 3) + b"PUB"
SUBSCRIBERS = (b"SUB", b"XSUB")
MAX_FRAME_BYTES = 256  # of a subscription; topics are far shorter
MAX_TOPICS = 64  # that one peer subscribes to


class ProtocolError(Exception):
    """A peer is no subscriber, or asks for too much."""


class SubscriberProtocol:
    """What one peer has sent, and what it is to be sent.

    Attributes:
        topics: Prefixes that it subscribes to.
        is_ready: Whether the handshake is over.
        answers: Bytes to send to it.
    """

    def __init__(self) -> None:
        self.topics: tuple[bytes, ...] = ()
        self.is_ready = False
        self.answers = GREETING
        self._greeted = False
        self._received = b""

    def receive(self, data: bytes) -> None:
        """Adds received bytes.

        Raises:
            ProtocolError: They are not those of a subscriber.
        """
        self._received += data
        if not self._greeted and not self._read_greeting():
            return
        while (frame := self._next_frame()) is not None:
            self._read_frame(*frame)

    def take_answers(self) -> bytes:
        """Returns `answers`, which are empty from then on."""
        answers, self.answers = self.answers, b""
        return answers

    def wants(self, message: bytes) -> bool:
        """Returns whether the peer has subscribed to a message."""
        return message.startswith(self.topics)

    def _read_greeting(self) -> bool:
        """Reads the greeting; returns whether it is complete."""
        start = self._received[:GREETING_BYTES]
        wrong = start[:1] not in (b"", b"\xff") or (len(start) >= SIGNATURE_BYTES and not start[9] & 1)
        if wrong or (len(start) > SIGNATURE_BYTES and start[SIGNATURE_BYTES] < 3):
            raise ProtocolError("It does not speak ZMTP 3.")
        if len(start) < GREETING_BYTES:
            return False
        if start[12:32].rstrip(b"\0") != b"NULL":
            raise ProtocolError("It wants another mechanism.")
        self._received = self._received[GREETING_BYTES:]
        self._greeted = True
        self.answers += frame(READY, COMMAND)
        return True

    def _next_frame(self) -> tuple[int, bytes] | None:
        """Returns (flags, body) of the next frame, None if it is not there yet."""
        received = self._received
        if len(received) < 2:
            return None
        flags, head = received[0], 9 if received[0] & LONG else 2
        if len(received) < head:
            return None
        size = struct.unpack(">Q", received[1:9])[0] if flags & LONG else received[1]
        if flags & ~LONG & ~COMMAND or size > MAX_FRAME_BYTES:
            raise ProtocolError("It sent more than a subscription.")
        if len(received) < head + size:
            return None
        self._received = received[head + size :]
        return flags, received[head : head + size]

    def _read_frame(self, flags: int, body: bytes) -> None:
        if not self.is_ready:
            self._read_ready(flags, body)
        elif flags & COMMAND:
            self._read_command(body)
        elif body[:1] in (b"\0", b"\1"):
            self._subscribe(body[1:], subscribed=body[:1] == b"\1")
        else:
            raise ProtocolError("It sent a message.")

    def _read_ready(self, flags: int, body: bytes) -> None:
        if not flags & COMMAND or not body.startswith(b"\x05READY"):
            raise ProtocolError("Its handshake is not valid.")
        if _properties(body[6:]).get(b"socket-type") not in SUBSCRIBERS:
            raise ProtocolError("It is no subscriber.")
        self.is_ready = True

    def _read_command(self, body: bytes) -> None:
        """Reads a command of ZMTP 3.1; unknown ones have no effect."""
        for name in (b"\x09SUBSCRIBE", b"\x06CANCEL"):
            if body.startswith(name):
                self._subscribe(body[len(name) :], subscribed=name == b"\x09SUBSCRIBE")
        if body.startswith(b"\x04PING"):
            self.answers = (self.answers + frame(b"\x04PONG" + body[7:], COMMAND))[-MAX_FRAME_BYTES:]

    def _subscribe(self, topic: bytes, *, subscribed: bool) -> None:
        topics = set(self.topics)
        (topics.add if subscribed else topics.discard)(topic)
        if len(topics) > MAX_TOPICS:
            raise ProtocolError(f"It subscribed to more than {MAX_TOPICS} topics.")
        self.topics = tuple(topics)


def frame(body: bytes, flags: int = 0) -> bytes:
    """Returns a frame: a message of one part, or with `COMMAND` a command."""
    if len(body) < 256:
        return bytes((flags, len(body))) + body
    return bytes((flags | LONG,)) + struct.pack(">Q", len(body)) + body


def _properties(data: bytes) -> dict[bytes, bytes]:
    """Returns the properties of a READY command by name in lower case.

    Raises:
        ProtocolError: They are damaged.
    """
    found = {}
    while data:
        name, rest = data[1 : 1 + data[0]], data[1 + data[0] :]
        size = struct.unpack(">I", rest[:4])[0] if len(rest) >= 4 else -1
        if size < 0 or len(rest) < 4 + size:
            raise ProtocolError("Its properties are damaged.")
        found[name.lower()], data = rest[4 : 4 + size], rest[4 + size :]
    return found
