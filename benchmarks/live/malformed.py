"""What a program that is not part of a rig may send to its ports: valid beginnings of every protocol, then anything.

Each generator yields the messages of one connection; the same seed yields the same messages.
"""

import random
import struct
from collections.abc import Callable, Iterator, Sequence

MAX_MESSAGES = 400  # of one connection
WEBSOCKET_REQUEST = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
)
QUERIES = (
    "",
    "axes=unity&refined=1&rate=30",
    "axes=maya",
    "rate=nan",
    "refined=1&rate=1e308",
    "token=%00%ff",
    "x=" * 999,
)
OPTIONS = (
    b'{"axes": "unreal"}', b'{"rate": 5}', b'{"refined": true}', b'{"rate": 1e999}', b'{"axes": []}', b"[" * 4000,
    b'{"axes": "' + b"a" * 3900 + b'"}', b'{"a": ' * 600, b"\xff\xfe\x00", b"null", b"",
)  # fmt: skip
PHONE = b'{"type":"hello","id":"attacker","fps":30,"size":[640,480]}'
METHODS = ("GET", "POST", "OPTIONS", "BREW", "G" * 3000, "\x00")
PATHS = ("/", "/../../etc/passwd", "/%00", "/" + "a" * 9000, "*", "http://example.org/", "/ws", "/?token=" + "x" * 500)

Dialogue = Callable[[random.Random], Iterator[bytes]]


def random_bytes(draw: random.Random) -> Iterator[bytes]:
    """Yields bytes without any form."""
    for _ in range(draw.randrange(1, MAX_MESSAGES)):
        yield draw.randbytes(draw.choice((1, 16, 64, 250, 1000, 4000)))


def http(draw: random.Random) -> Iterator[bytes]:
    """Yields HTTP requests, most of them wrong."""
    for _ in range(draw.randrange(1, 20)):
        head = f"{draw.choice(METHODS)} {draw.choice(PATHS)} HTTP/{draw.choice(('1.1', '1.0', '9.9', ''))}\r\n"
        headers = "".join(f"X-{number}: {'v' * draw.randrange(200)}\r\n" for number in range(draw.randrange(150)))
        body = draw.choice(
            ("", "Content-Length: -1\r\n", "Transfer-Encoding: chunked\r\n", "Content-Length: 9999999999\r\n")
        )
        yield (head + headers + body + draw.choice(("\r\n", "", "\n\n"))).encode("latin-1") + draw.randbytes(
            draw.randrange(50)
        )


def tls(draw: random.Random) -> Iterator[bytes]:
    """Yields TLS records that do not make a handshake."""
    for _ in range(draw.randrange(1, 40)):
        yield struct.pack(">BHH", draw.choice((22, 20, 23, 21)), 0x0301, draw.randrange(1 << 14)) + draw.randbytes(200)


def zmtp_open(draw: random.Random) -> Iterator[bytes]:
    """Yields a ZMTP 3 handshake without keys, then subscriptions and anything else."""
    yield _greeting(b"NULL", draw.choice((0, 0, 0, 1)))
    kind = draw.choice((b"SUB", b"SUB", b"SUB", b"XSUB", b"PUSH", b"PUB", b"ROUTER", b"", draw.randbytes(20)))
    yield _command(b"\x05READY" + _property(b"Socket-Type", kind) + _property(b"Identity", draw.randbytes(5)))
    yield from _frames(draw)


def zmtp_keys(draw: random.Random) -> Iterator[bytes]:
    """Yields a ZMTP 3 handshake of a CURVE client that has no key of the rig."""
    yield _greeting(b"CURVE", draw.choice((0, 1)))
    yield _command(b"\x05HELLO\x01\x00" + bytes(72) + draw.randbytes(draw.choice((120, 120, 120, 7, 300))))
    yield _command(b"\x08INITIATE" + draw.randbytes(257))
    yield from _frames(draw)


def zmtp_damaged(draw: random.Random) -> Iterator[bytes]:
    """Yields a ZMTP handshake with damaged bytes."""
    parts = [_greeting(draw.choice((b"NULL", b"CURVE", b"PLAIN", b"GSSAPI")), 0), _command(draw.randbytes(30))]
    for part in parts:
        damaged = bytearray(part)
        for _ in range(draw.randrange(1, 4)):
            damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        yield bytes(damaged)
    yield from _frames(draw)


def websocket(draw: random.Random, path: str = "") -> Iterator[bytes]:
    """Yields a WebSocket request, then frames: valid, invalid, oversized, unfinished."""
    path = path or f"/?{draw.choice(QUERIES)}"
    more = draw.choice(("", "", "", "Origin: https://evil.example\r\n", "Authorization: Bearer " + "x" * 100 + "\r\n"))
    yield WEBSOCKET_REQUEST.format(path=path, more=more).encode()
    if draw.random() < 0.5:
        yield _masked(0x81, PHONE, len(PHONE))
    for _ in range(draw.randrange(1, MAX_MESSAGES)):
        image = struct.pack("<BBHHHId", draw.randrange(4), 0, draw.choice((0, 90, 7)), 640, 480, 1, draw.random() * 1e6)
        payload = draw.choice((*OPTIONS, draw.randbytes(draw.randrange(4000)), image + draw.randbytes(500)))
        first = draw.choice((0x81, 0x81, 0x81, 0x82, 0x89, 0x01, 0x80, 0x88, draw.randrange(256)))
        claimed = draw.choice((len(payload),) * 6 + (1 << 40, 5000))
        yield _masked(first, payload, claimed)


def secured(paths: Sequence[str]) -> tuple[Dialogue, ...]:
    """Returns the conversations within TLS: HTTP, and WebSockets at paths that are served."""

    def at_path(draw: random.Random) -> Iterator[bytes]:
        return websocket(draw, draw.choice(paths))

    return http, random_bytes, at_path, at_path


DIALOGUES: tuple[Dialogue, ...] = (random_bytes, http, tls, zmtp_open, zmtp_keys, zmtp_damaged, websocket)


def datagram(draw: random.Random) -> bytes:
    """Returns a datagram: anything, or OSC with damage."""
    if draw.random() < 0.5:
        return draw.randbytes(draw.randrange(1500))
    text = draw.choice((b"/VMC/Ext/Bone/Pos\0\0\0,sfffffff\0\0\0", b"#bundle\0" + bytes(8), b"/VMC/Ext/OK\0,i\0\0"))
    return (
        text + draw.choice((b"", struct.pack(">i", draw.choice((-1, 1 << 30, 4))))) + draw.randbytes(draw.randrange(90))
    )


def half_open(draw: random.Random) -> bytes:
    """Returns the beginning of a handshake that is never continued."""
    whole = draw.choice(
        (
            _greeting(b"NULL", 0),
            _greeting(b"CURVE", 0),
            WEBSOCKET_REQUEST.format(path="/", more="").encode()[:-2],
            b"\x16\x03",
        )
    )
    return whole[: draw.randrange(len(whole) + 1)]


def endless(draw: random.Random) -> tuple[bytes, bytes]:
    """Returns what a peer sends first, and what it then repeats: parts of one message, or new subscriptions."""
    begin = _greeting(b"NULL", 0) + _command(b"\x05READY" + _property(b"Socket-Type", b"SUB"))
    first = bytes((1, 200)) if draw.random() < 0.5 else bytes((0, 200, 1))
    return begin, b"".join(first + draw.randbytes(202 - len(first)) for _ in range(100))


def reader(kind: str) -> tuple[bytes, ...]:
    """Returns what a client sends that then reads nothing: ``zmtp``, a subscriber to all; ``websocket``."""
    if kind == "websocket":
        return (WEBSOCKET_REQUEST.format(path="/?refined=1", more="").encode(),)
    return _greeting(b"NULL", 0), _command(b"\x05READY" + _property(b"Socket-Type", b"SUB")), b"\x00\x01\x01"


def _frames(draw: random.Random) -> Iterator[bytes]:
    """Yields ZMTP frames: subscriptions to random topics, messages without end, sizes that are not kept."""
    style = draw.randrange(4)
    for _ in range(draw.randrange(1, MAX_MESSAGES)):
        data = draw.randbytes(draw.randrange(200))
        if style == 0:  # subscriptions
            yield bytes((0, len(data) + 1, 1)) + data
        elif style == 1:  # one message of many parts
            yield bytes((1, len(data))) + data
        elif style == 2:  # a frame that is never finished
            yield (
                b"\x02" + struct.pack(">Q", draw.choice((255, 1 << 20, 1 << 62))) if draw.random() < 0.1 else b""
            ) + data
        else:
            yield bytes((draw.randrange(8), len(data))) + data


def _greeting(mechanism: bytes, minor: int) -> bytes:
    return b"\xff" + bytes(8) + b"\x7f\x03" + bytes((minor,)) + mechanism.ljust(20, b"\0") + bytes(32)


def _command(body: bytes) -> bytes:
    return bytes((4, len(body))) + body if len(body) < 256 else b"\x06" + struct.pack(">Q", len(body)) + body


def _property(name: bytes, value: bytes) -> bytes:
    return bytes((len(name),)) + name + struct.pack(">I", len(value)) + value


def _masked(first: int, payload: bytes, claimed: int) -> bytes:
    """Returns a WebSocket frame of a client; its mask is zero, so that the payload stays as it is."""
    if claimed < 126:
        size = bytes((0x80 | claimed,))
    else:
        size = b"\xfe" + struct.pack(">H", claimed) if claimed < 1 << 16 else b"\xff" + struct.pack(">Q", claimed)
    return bytes((first,)) + size + bytes(4) + payload
