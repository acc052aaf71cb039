import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from pose_rig.errors import UsageError
from pose_rig.streaming.address import Address
from pose_rig.streaming.websocket import MAX_CLIENTS, MAX_MESSAGE_BYTES, TIMEOUT_S, WebSocketServer
from pose_rig.streaming.websocket_client import MAX_PENDING_HANDSHAKES
from tests.streaming.live import live
from tests.streaming.people import Person, person

TOKEN = "a-token-of-mine-0123"  # noqa: S105


@pytest.fixture(scope="module")
def subject() -> Person:
    return person(1, seconds=2.0)


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[WebSocketServer]:
    timeout_s = getattr(request, "param", TIMEOUT_S)
    server = WebSocketServer(Address("127.0.0.1", 0), ("https://stage.example",), timeout_s)
    yield server
    server.close()


@contextmanager
def client(server: WebSocketServer, query: str = "", **more: Any) -> Iterator[ClientConnection]:
    """Connects, and waits wait_until the server has the client."""
    before = server.clients
    with connect(f"ws://127.0.0.1:{server.port}/{query}", close_timeout=0.2, **more) as connection:
        wait_until(lambda: server.clients > before)
        yield connection


def rejected_status(server: WebSocketServer, query: str = "", **more: Any) -> int:
    """Returns the status with which a client is rejected."""
    with pytest.raises(InvalidStatus) as refusal, connect(f"ws://127.0.0.1:{server.port}/{query}", **more):
        pass
    return refusal.value.response.status_code


def wait_until(condition: Callable[[], bool]) -> None:
    """Waits for a condition, at most some seconds."""
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def received(connection: ClientConnection) -> dict[str, Any]:
    message = json.loads(connection.recv(timeout=5))
    assert isinstance(message, dict)
    return message


def test_a_client_gets_the_schema_and_then_frames(server: WebSocketServer, subject: Person) -> None:
    with client(server, "?axes=unity&refined=1") as connection:
        server.send(live(subject, 3), 1)
        message, seen = received(connection), received(connection)
        server.send(live(subject, 4), 2)
        more = received(connection)
    assert (message["type"], message["axes"]) == ("schema", "unity")
    assert (seen["type"], seen["index"], seen["refined"]) == ("frame", 3, {})
    assert (more["type"], more["index"]) == ("frame", 4)
    state = server.targets()[0]
    assert (state.kind, state.frames, json.loads(state.last[0])["index"]) == ("websocket", 2, 4)


def test_each_client_has_its_own_axes_and_can_change_them(server: WebSocketServer, subject: Person) -> None:
    with client(server) as one, client(server, "?axes=blender") as other:
        server.send(live(subject), 1)
        assert [received(one)["axes"], received(other)["axes"]] == ["rig", "blender"]
        received(one), received(other)
        one.send('{"axes": "unreal"}')
        kinds = []
        while "schema" not in kinds:
            server.send(live(subject), 1)
            with suppress(TimeoutError):
                message = json.loads(one.recv(timeout=0.1))
                kinds.append(message["type"])
            assert len(kinds) < 50
        assert message["axes"] == "unreal"


def test_the_rate_of_a_client_is_limited(server: WebSocketServer, subject: Person) -> None:
    with client(server, "?rate=10") as connection:
        for i in range(60):
            server.send(live(subject, i), round((1 + i / 60) * 1e9))
            time.sleep(0.003)
        got = []
        with suppress(TimeoutError):
            while True:
                got.append(json.loads(connection.recv(timeout=0.2))["type"])
    assert got[0] == "schema"
    assert 10 <= got.count("frame") <= 11


def test_invalid_options_get_an_error_and_the_client_stays_connected(server: WebSocketServer, subject: Person) -> None:
    invalid = {
        "nonsense": "JSON is malformed",
        "[1]": "Expected `object`",
        '{"axes": "maya"}': "Unknown axes 'maya'; choose from rig, unity, unreal, blender, godot.",
        '{"rate": -1}': "`rate` must be above 0 and at most 1000; got -1.",
        '{"rate": true}': "`rate` must be above 0 and at most 1000; got True.",
        '{"refined": 3}': "`refined` must be true or false; got 3.",
        '{"speed": 3}': "Unknown option 'speed'.",
    }
    with client(server) as connection:
        for message, cause in invalid.items():
            connection.send(message)
            answer = received(connection)
            assert answer["type"] == "error"
            assert answer["cause"].startswith(cause)
            assert "docs/wire.md" in answer["remedy"]
        connection.send(b"\xff\x00")
        assert received(connection)["type"] == "error"
        server.send(live(subject), 1)
        assert received(connection)["type"] == "schema"
    assert server.targets()[0].failures == len(invalid) + 1


@pytest.mark.parametrize("query", ["?axes=maya", "?rate=fast", "?refined=perhaps", "?speed=3", "?rate=nan"])
def test_invalid_options_in_the_path_are_rejected(server: WebSocketServer, query: str) -> None:
    assert rejected_status(server, query) == 400


@pytest.mark.parametrize(
    ("origin", "accepted"),
    [
        (None, True),
        ("http://localhost:8000", True),
        ("https://127.0.0.1", True),
        ("http://[::1]:8000", True),
        ("https://stage.example", True),
        ("https://evil.example", False),
        ("http://localhost.evil.example", False),
        ("http://localhost:8000.evil.example", False),
        ("null", False),
    ],
)
def test_pages_of_other_origins_are_rejected(server: WebSocketServer, origin: str | None, accepted: bool) -> None:
    if accepted:
        with client(server, origin=None if origin is None else Origin(origin)):
            assert server.clients == 1
        return
    assert rejected_status(server, origin=Origin(str(origin))) == 403
    assert str(origin) in server.targets()[0].error


def test_with_a_token_clients_without_it_are_refused_and_counted(subject: Person) -> None:
    with closing(WebSocketServer(Address("127.0.0.1", 0), token=TOKEN)) as server:
        for query, headers in [
            ("", {}),
            ("?token=", {}),
            (f"?token={TOKEN}x", {}),
            ("?token=%ff%00", {}),
            ("", {"Authorization": "Bearer wrong"}),
            ("?axes=maya", {}),  # nothing is told about options either
        ]:
            assert rejected_status(server, query, additional_headers=headers) == 401
        assert server.targets()[0].failures == 6
        assert TOKEN not in server.targets()[0].error
        with (
            client(server, f"?axes=unity&token={TOKEN}") as in_url,
            client(server, additional_headers={"Authorization": f"Bearer {TOKEN}"}) as in_header,
        ):
            server.send(live(subject, 3), 1)
            assert [received(in_url)["axes"], received(in_header)["axes"]] == ["unity", "rig"]


def test_a_server_without_a_token_accepts_clients_that_send_one(server: WebSocketServer) -> None:
    with client(server, f"?token={TOKEN}"):
        assert server.clients == 1


def test_the_number_of_clients_is_limited(server: WebSocketServer) -> None:
    with ExitStack() as stack:
        for _ in range(MAX_CLIENTS - 1):
            stack.enter_context(client(server))
        with client(server):
            assert rejected_status(server) == 503
        wait_until(lambda: server.clients == MAX_CLIENTS - 1)
        with client(server):
            assert server.clients == MAX_CLIENTS


def test_a_client_that_sends_too_much_is_disconnected(server: WebSocketServer, subject: Person) -> None:
    with client(server) as quiet, client(server) as loud:
        loud.send("x" * (MAX_MESSAGE_BYTES + 1))
        with pytest.raises(ConnectionClosed):
            loud.recv(timeout=5)
        server.send(live(subject), 1)
        assert received(quiet)["type"] == "schema"


def test_bytes_that_are_not_websocket_are_ignored(server: WebSocketServer, subject: Person) -> None:
    with client(server) as connection:
        for garbage in (b"\0" * 100, b"GET / HTTP/1.1\r\n\r\n", b"POST /" + b"x" * 10000, b""):
            with socket.create_connection(("127.0.0.1", server.port)) as raw:
                raw.sendall(garbage)
        server.send(live(subject), 1)
        assert received(connection)["type"] == "schema"


def narrow(server: WebSocketServer) -> socket.socket:
    """Connects with a small receive buffer."""
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    opened.connect(("127.0.0.1", server.port))
    return opened


@pytest.mark.parametrize("server", [60.0], indirect=True)
def test_a_slow_client_skips_frames_and_does_not_block_others(server: WebSocketServer, subject: Person) -> None:
    with client(server) as quick, client(server, sock=narrow(server), max_queue=1) as slow:
        slowest_s = 0.0
        for i in range(1000):
            began = time.monotonic()
            server.send(live(subject, i % 100), 1)
            slowest_s = max(slowest_s, time.monotonic() - began)
            quick.recv(timeout=5)
        assert slowest_s < 1.0
        server.send(live(subject, 99, mode="cold"), 1)
        fetched = 1
        while received(slow).get("mode") != "cold":
            fetched += 1
        assert fetched < 100, "old frames are gone"


def test_a_port_in_use_is_reported() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UsageError) as error:
            WebSocketServer(Address("127.0.0.1", port))
    assert error.value.cause.startswith(f"Cannot listen for WebSocket clients on 127.0.0.1:{port}: ")
    assert "--websocket" in error.value.remedy


def test_before_the_first_pose_nothing_is_sent(server: WebSocketServer, subject: Person) -> None:
    with client(server) as connection:
        server.send(live(subject, index=-1), 1)
        with pytest.raises(TimeoutError):
            connection.recv(timeout=0.1)


HELLO = (
    "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@pytest.mark.parametrize("server", [0.5], indirect=True)
def test_clients_that_never_read_are_disconnected(server: WebSocketServer, subject: Person) -> None:
    with ExitStack() as stack:
        for count in range(MAX_CLIENTS):
            slow = stack.enter_context(closing(narrow(server)))
            slow.sendall(HELLO.encode())
            wait_until(lambda count=count: server.clients > count)  # type: ignore[misc]
        assert rejected_status(server) == 503
        deadline = time.monotonic() + 30
        while server.clients and time.monotonic() < deadline:
            server.send(live(subject, 1), 1)
            time.sleep(0.002)
        assert not server.clients
        with client(server) as other:
            server.send(live(subject, 1), 1)
            assert received(other)["type"] == "schema"
    assert server.targets()[0].failures >= MAX_CLIENTS + 1


@pytest.mark.parametrize("server", [0.5], indirect=True)
def test_a_client_that_answers_no_ping_is_disconnected(server: WebSocketServer) -> None:
    with closing(narrow(server)) as dead:
        dead.sendall(HELLO.encode())
        wait_until(lambda: server.clients == 1)
        wait_until(lambda: not server.clients)


@pytest.mark.parametrize("server", [2.0], indirect=True)
def test_unfinished_handshakes_do_not_block_other_clients(server: WebSocketServer, subject: Person) -> None:
    """More connections than allowed send their requests byte by byte."""
    with ExitStack() as stack:
        slow = [stack.enter_context(closing(narrow(server))) for _ in range(MAX_PENDING_HANDSHAKES + 8)]
        for letter in HELLO[:3]:
            for connection in slow:
                with suppress(OSError):  # disconnected
                    connection.sendall(letter.encode())
        wait_until(lambda: server.targets()[0].failures >= 8)
        with client(server) as quick:
            server.send(live(subject, 1), 1)
            assert received(quick)["type"] == "schema"
        deadline = time.monotonic() + 30
        while server.targets()[0].failures < len(slow) and time.monotonic() < deadline:
            for connection in slow:
                with suppress(OSError):
                    connection.sendall(b"x")
            time.sleep(0.2)
        assert server.targets()[0].failures == len(slow)
