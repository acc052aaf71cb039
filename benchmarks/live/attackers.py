"""Sends malformed messages to one port at a time, from a process of its own so that measuring is not delayed."""

import multiprocessing
import os
import random
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from benchmarks.live.malformed import DIALOGUES, Dialogue, datagram, endless, half_open, reader, secured

LOOPBACK = "127.0.0.1"
TIMEOUT_S = 0.05  # of one message; a peer that does not read is left
NICENESS = 5  # its own computing time is not the rig's
TLS_TIMEOUT_S = 2.0
HALF_OPEN = 500
ENDLESS = 30
HELD_S = 3.0


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent to a port.

    Attributes:
        messages: Number of messages.
        connections: Number of connections made.
        refused: Connections that the port did not accept.
    """

    messages: int = 0
    connections: int = 0
    refused: int = 0


def in_process(function: Callable[..., Sent], *arguments: Any) -> "Attack":
    """Starts a function of this module in a process of its own."""
    return Attack(function, arguments)


class Attack:
    """An attack that runs."""

    def __init__(self, function: Callable[..., Sent], arguments: Sequence[Any]) -> None:
        context = multiprocessing.get_context("spawn")
        self._result, theirs = context.Pipe(duplex=False)
        self._started, begun = context.Pipe(duplex=False)
        self._process = context.Process(target=_run, args=(theirs, begun, function, arguments), daemon=True)
        self._process.start()
        self._started.recv()

    @property
    def over(self) -> bool:
        """Whether it is over."""
        return self._result.poll() or not self._process.is_alive()

    def finish(self) -> Sent:
        """Waits until it is over."""
        sent: Sent = self._result.recv()
        self._process.join()
        return sent


def _run(result: Any, begun: Any, function: Callable[..., Sent], arguments: Sequence[Any]) -> None:
    _yield_to_rig()
    begun.send(True)
    result.send(function(*arguments))


def _yield_to_rig() -> None:
    """Gives this process a lower priority than that of the rig; the benchmark may have a real-time priority."""
    if os.sched_getscheduler(0) == os.SCHED_OTHER:
        os.nice(NICENESS)
    else:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def malformed_tcp(port: int, messages: int, seed: int) -> Sent:
    """Sends messages of every protocol, one connection after the other."""
    return _attack(lambda: socket.create_connection((LOOPBACK, port), timeout=TIMEOUT_S), messages, seed, DIALOGUES)


def malformed_tls(port: int, messages: int, seed: int, paths: Sequence[str]) -> Sent:
    """Sends messages within TLS, to paths that are served among others."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def connect() -> socket.socket:
        return context.wrap_socket(socket.create_connection((LOOPBACK, port), timeout=TLS_TIMEOUT_S))

    return _attack(connect, messages, seed, secured(paths))


def _attack(connect: Callable[[], socket.socket], messages: int, seed: int, dialogues: Sequence[Dialogue]) -> Sent:
    draw = random.Random(seed)  # noqa: S311
    sent = connections = refused = 0
    while sent < messages:
        try:
            connection = connect()
        except OSError:
            refused += 1
            time.sleep(0.01)
            if refused > messages:
                break
            continue
        connections += 1
        with connection:
            sent += _converse(connection, draw.choice(dialogues)(draw), messages - sent)
    return Sent(sent, connections, refused)


def _converse(connection: socket.socket, dialogue: Iterator[bytes], most: int) -> int:
    """Sends messages until there are no more or the peer closes the connection; returns how many were sent."""
    sent = 0
    with suppress(OSError):
        for message in dialogue:
            connection.sendall(message)
            sent += 1
            if sent >= most:
                break
            _discard(connection)
    return sent


def _discard(connection: socket.socket) -> None:
    if isinstance(connection, ssl.SSLSocket):
        return  # what it sends back fits into the buffers
    with suppress(BlockingIOError):
        connection.recv(1 << 16, socket.MSG_DONTWAIT)


def malformed_udp(port: int, messages: int, seed: int) -> Sent:
    """Sends datagrams."""
    draw = random.Random(seed)  # noqa: S311
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(messages):
            with suppress(OSError):
                sender.sendto(datagram(draw), (LOOPBACK, port))
    return Sent(messages)


def endless_messages(port: int, seed: int, count: int = ENDLESS, held_s: float = HELD_S) -> Sent:
    """Opens connections, and sends on all of them without an end."""
    draw = random.Random(seed)  # noqa: S311
    open_now = {}
    sent = 0
    for _ in range(count):
        begin, repeated = endless(draw)
        connection = socket.create_connection((LOOPBACK, port), timeout=TIMEOUT_S)
        connection.sendall(begin)
        connection.setblocking(False)
        open_now[connection] = repeated
    end_s = time.monotonic() + held_s
    while open_now and time.monotonic() < end_s:
        for connection, repeated in list(open_now.items()):
            try:
                sent += connection.send(repeated) // 202
            except BlockingIOError:
                continue
            except OSError:
                del open_now[connection]
                connection.close()
    for connection in open_now:
        connection.close()
    return Sent(sent, count)


def half_open_connections(port: int, seed: int, count: int = HALF_OPEN, held_s: float = HELD_S) -> Sent:
    """Opens connections that begin a handshake and say no more."""
    draw = random.Random(seed)  # noqa: S311
    return _hold(port, [(half_open(draw),) for _ in range(count)], held_s)


def slow_readers(port: int, kind: str, count: int, held_s: float = HELD_S) -> Sent:
    """Opens connections that ask for everything and read nothing."""
    return _hold(port, [reader(kind)] * count, held_s)


def _hold(port: int, beginnings: Sequence[Sequence[bytes]], held_s: float) -> Sent:
    held, sent, refused = [], 0, 0
    for beginning in beginnings:
        try:
            connection = socket.create_connection((LOOPBACK, port), timeout=TIMEOUT_S)
            held.append(connection)
            for part in beginning:
                connection.sendall(part)
                sent += 1
        except OSError:
            refused += 1
    time.sleep(held_s)
    for connection in held:
        connection.close()
    return Sent(sent, len(held), refused)
