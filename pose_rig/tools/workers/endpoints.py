"""The endpoints of a run on this machine (docs/wire.md has the table), and the keys that they require."""

import errno
import os
import random
import socket
import sys
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from pose_rig.config import Config
from pose_rig.errors import UsageError
from pose_rig.tools.arguments.camera_sources import is_remote
from pose_rig.web.network import listening_hosts
from pose_rig.wire.authentication import Keys, generate_keys
from pose_rig.wire.services import LOOPBACK, REMOTE_PORT_OFFSET, STREAMS_PORT_OFFSET

FREE_PORTS = range(20_000, 32_768)  # below the ports that systems assign to outgoing connections
MAX_TRIES = 100
WEB_PORT_TRIES = 20  # so many rigs of one machine may serve pages
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

    def check(self, port: int, host: str = LOOPBACK) -> int:
        """Returns a given port of an address of this machine, and keeps it until `release`.

        Raises:
            UsageError: It is taken.
        """
        self._sockets.append(_bound(port, host, reuse=os.name == "posix"))  # that of a run that has just ended is free
        return port

    def choose(self, host: str = LOOPBACK) -> int:
        """Returns a free port of an address of this machine, and keeps it."""
        chosen = _bound_somewhere(host)
        self._sockets.append(chosen)
        return int(chosen.getsockname()[1])

    def keep(self, hosts: Sequence[str], port: int, *, reuse: bool) -> None:
        """Keeps a given port on several addresses of this machine.

        Raises:
            UsageError: It is taken on one of them, or an address is not of this machine.
        """
        from pose_rig.web.listener import bound_sockets

        self._sockets += bound_sockets(hosts, port, reuse=reuse and os.name == "posix")

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
        recorder: (where the recorder receives, where it publishes); None if nothing can be recorded.
        reservation: Keeps their ports from other runs; to be referred to until the end of this one.
        web: Of the web worker; None if there are no pages.
        gateway: (where remote cameras connect, where the worker that receives from them publishes); None without any.
    """

    keys: Keys
    output: str
    streams: str
    internal: str
    streams_internal: str
    inputs: tuple[str, ...]
    recorder: tuple[str, str] | None
    reservation: PortReservation
    web: "WebEndpoints | None" = None
    gateway: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class WebEndpoints:
    """The endpoints of the web worker.

    Attributes:
        hosts: Addresses that browsers and phones reach, loopback first.
        port: The port on all of them.
        output: It publishes here for the workers of this run.
        thumbnails: It receives thumbnails of the cameras here.
        phones: It publishes the frames of phones here.
    """

    hosts: tuple[str, ...]
    port: int
    output: str
    thumbnails: str
    phones: str


def records_on_request(config: Config) -> bool:
    """Returns whether recordings can begin during the run, on its live page."""
    return config.view and config.pace == "realtime"


def free_endpoints(config: Config, inputs: int) -> Endpoints:
    """Returns endpoints on free ports, all different.

    Args:
        config: Says which are needed.
        inputs: Number of fusion's inputs.

    Raises:
        UsageError: The port of the poses or that of the streams worker is taken, or ``--host`` is not of this machine.
        PoseRigError: pyzmq has no CURVE.
    """
    reservation = PortReservation()

    def free(port: int = 0, host: str = LOOPBACK) -> str:
        bracketed = f"[{host}]" if ":" in host else host
        return f"tcp://{bracketed}:{reservation.check(port, host) if port else reservation.choose(host)}"

    streaming, remote = config.stream.has_receivers, any(map(is_remote, config.camera))
    remote_port = config.port + REMOTE_PORT_OFFSET if config.port else 0
    endpoints = Endpoints(
        keys=generate_keys(),
        output=free(config.port),
        streams=free(config.port + STREAMS_PORT_OFFSET if config.port else 0) if streaming else "",
        internal=free(),
        streams_internal=free() if streaming else "",
        inputs=tuple(free() for _ in range(inputs)),
        recorder=(free(), free()) if config.record or records_on_request(config) else None,
        reservation=reservation,
        web=_web_endpoints(config, reservation, free) if config.serves_pages else None,
        gateway=(free(remote_port, listening_hosts(config.host, phones=False)[-1]), free()) if remote else None,
    )
    reservation.let_workers_listen()
    return endpoints


def _web_endpoints(config: Config, reservation: PortReservation, free: Callable[[], str]) -> WebEndpoints:
    """Returns the endpoints of the web worker; its port is the configured one, or the next that is free everywhere.

    Raises:
        UsageError: ``--host`` is not of this machine, or no port is free.
    """
    hosts = listening_hosts(config.host, phones=bool(config.phone_cameras))
    wanted = config.web_port
    ports = range(wanted, wanted + WEB_PORT_TRIES) if wanted else random.sample(FREE_PORTS, MAX_TRIES)
    for port in ports[:-1]:
        with suppress(UsageError):
            reservation.keep(hosts, port, reuse=wanted != 0)
            return WebEndpoints(hosts, port, free(), free(), free())
    reservation.keep(hosts, ports[-1], reuse=wanted != 0)
    return WebEndpoints(hosts, ports[-1], free(), free(), free())


def _bound_somewhere(host: str) -> socket.socket:
    """Returns a socket bound to a free port."""
    for port in random.sample(FREE_PORTS, MAX_TRIES):
        with suppress(UsageError):
            return _bound(port, host, reuse=False)
    return _bound(0, host, reuse=False)


def _bound(port: int, host: str, *, reuse: bool) -> socket.socket:
    """Returns a bound socket that does not listen.

    Args:
        port: Its port, 0 for any.
        host: Its address, one of this machine.
        reuse: Accept a port that others have bound too, if none of them listens and all allow it.

    Raises:
        UsageError: The port is taken, or the address is not one of this machine.
    """
    probe = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(reuse))
    try:
        probe.bind((host, port))
    except (OSError, OverflowError) as error:
        probe.close()
        raise UsageError(
            f"Cannot listen on tcp://{host}:{port}: {getattr(error, 'strerror', None) or error}.",
            "Is another rig running? Choose another port with --port, 0 for any free one."
            if host == LOOPBACK or getattr(error, "errno", None) == errno.EADDRINUSE
            else "--host takes an address of this machine; 0.0.0.0 stands for all of them.",
        ) from error
    return probe


def _close(sockets: list[socket.socket]) -> None:
    while sockets:
        sockets.pop().close()
