"""The endpoints of a run on this machine (docs/wire.md has the table), and the keys that they require."""

import os
import random
import socket
import sys
import weakref
from contextlib import suppress
from dataclasses import dataclass

from pose_rig.config import Config
from pose_rig.errors import UsageError
from pose_rig.wire.authentication import Keys, generate_keys
from pose_rig.wire.services import LOOPBACK, STREAMS_PORT_OFFSET

FREE_PORTS = range(20_000, 32_768)  # below the ports that systems assign to outgoing connections
MAX_TRIES = 100
# Linux lets a worker listen on a port that another socket keeps bound, if both allow it. Elsewhere the port is released
# before the worker starts, and a run that starts at the same moment may take it.
CAN_KEEP_PORTS = sys.platform.startswith("linux")


class PortReservation:
    """Ports that no other run takes for its own, from when they are chosen: bound, but not listened on.

    The workers take seconds to start. A port that was free before may then be one of a run that starts in parallel.
    Early connections are refused and retried. The ports are released with the last reference to this.
    """

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []
        self.release = weakref.finalize(self, _close, self._sockets)

    def check(self, port: int) -> int:
        """Returns a given port, and keeps it until `release`.

        Raises:
            UsageError: It is taken.
        """
        self._sockets.append(_bound(port, reuse=os.name == "posix"))  # that of a run that has just ended is free
        return port

    def choose(self) -> int:
        """Returns a free port, and keeps it."""
        chosen = _bound_somewhere()
        self._sockets.append(chosen)
        return int(chosen.getsockname()[1])

    def let_workers_listen(self) -> None:
        """Allows the workers of this run to bind the ports, given ones as those chosen."""
        if not CAN_KEEP_PORTS:
            self.release()
        for kept in self._sockets:
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The endpoints of the workers of one run.

    Attributes:
        keys: Of this run; required by all endpoints but ``output`` and ``streams``.
        output: Fusion publishes here for any program.
        streams: The streams worker publishes here for any program; empty if nothing is streamed.
        internal: Fusion publishes here for the workers of this run.
        streams_internal: The streams worker publishes here for the workers of this run; empty if nothing is streamed.
        inputs: Fusion receives keypoints here: one for each camera, or one for all.
        recorder: (where the recorder receives, where it publishes); None if nothing is recorded.
        reservation: Keeps their ports from other runs; to be referred to until the end of this one.
    """

    keys: Keys
    output: str
    streams: str
    internal: str
    streams_internal: str
    inputs: tuple[str, ...]
    recorder: tuple[str, str] | None
    reservation: PortReservation


def free_endpoints(config: Config, inputs: int) -> Endpoints:
    """Returns endpoints on free ports, all different.

    Args:
        config: Says which are needed.
        inputs: Number of fusion's inputs.

    Raises:
        UsageError: The port of the poses or that of the streams worker is taken.
        PoseRigError: pyzmq has no CURVE.
    """
    reservation = PortReservation()

    def free(port: int = 0) -> str:
        return f"tcp://{LOOPBACK}:{reservation.check(port) if port else reservation.choose()}"

    streaming = config.stream.has_receivers
    endpoints = Endpoints(
        keys=generate_keys(),
        output=free(config.port),
        streams=free(config.port + STREAMS_PORT_OFFSET if config.port else 0) if streaming else "",
        internal=free(),
        streams_internal=free() if streaming else "",
        inputs=tuple(free() for _ in range(inputs)),
        recorder=(free(), free()) if config.record else None,
        reservation=reservation,
    )
    reservation.let_workers_listen()
    return endpoints


def _bound_somewhere() -> socket.socket:
    """Returns a socket bound to a free port."""
    for port in random.sample(FREE_PORTS, MAX_TRIES):
        with suppress(UsageError):
            return _bound(port, reuse=False)
    return _bound(0, reuse=False)


def _bound(port: int, *, reuse: bool) -> socket.socket:
    """Returns a bound socket that does not listen.

    Args:
        port: Its port, 0 for any.
        reuse: Accept a port that others have bound too, if none of them listens and all allow it.

    Raises:
        UsageError: The port is taken.
    """
    probe = socket.socket()
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(reuse))
    try:
        probe.bind((LOOPBACK, port))
    except (OSError, OverflowError) as error:
        probe.close()
        raise UsageError(
            f"Cannot listen on tcp://{LOOPBACK}:{port}: {getattr(error, 'strerror', None) or error}.",
            "Is another rig running? Choose another port with --port, 0 for any free one.",
        ) from error
    return probe


def _close(sockets: list[socket.socket]) -> None:
    while sockets:
        sockets.pop().close()
