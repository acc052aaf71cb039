"""The endpoints of a run on this machine (docs/wire.md has the table), and the keys that they require."""

import os
import random
import socket
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from pose_rig.config import Config
from pose_rig.errors import UsageError
from pose_rig.wire.authentication import Keys, generate_keys
from pose_rig.wire.services import LOOPBACK, STREAMS_PORT_OFFSET

# Below the ports that systems assign to outgoing connections: a free one stays free until the worker binds it.
FREE_PORTS = range(20_000, 32_768)
MAX_TRIES = 100


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
    """

    keys: Keys
    output: str
    streams: str
    internal: str
    streams_internal: str
    inputs: tuple[str, ...]
    recorder: tuple[str, str] | None


def free_endpoints(config: Config, inputs: int) -> Endpoints:
    """Returns free endpoints, all bound at the same time so that they differ.

    Args:
        config: Says which are needed.
        inputs: Number of fusion's inputs.

    Raises:
        UsageError: The port of the poses or that of the streams worker is taken.
        PoseRigError: pyzmq has no CURVE.
    """
    with ExitStack() as probes:

        def free(port: int = 0) -> str:
            probe = probes.enter_context(_bound(port) if port else _bound_somewhere())
            return f"tcp://{LOOPBACK}:{probe.getsockname()[1]}"

        streaming = config.stream.has_receivers
        return Endpoints(
            keys=generate_keys(),
            output=free(config.port),
            streams=free(config.port + STREAMS_PORT_OFFSET if config.port else 0) if streaming else "",
            internal=free(),
            streams_internal=free() if streaming else "",
            inputs=tuple(free() for _ in range(inputs)),
            recorder=(free(), free()) if config.record else None,
        )


def _bound_somewhere() -> socket.socket:
    """Returns a socket bound to a free port."""
    for port in random.sample(FREE_PORTS, MAX_TRIES):
        with suppress(UsageError):
            return _bound(port)
    return _bound(0)


def _bound(port: int) -> socket.socket:
    """Returns a bound socket that does not listen: early connections are refused and retried."""
    probe = socket.socket()
    if os.name == "posix":  # ports of a run that has just ended are free; on Windows the option means something else
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind((LOOPBACK, port))
    except (OSError, OverflowError) as error:
        probe.close()
        raise UsageError(
            f"Cannot listen on tcp://{LOOPBACK}:{port}: {getattr(error, 'strerror', None) or error}.",
            "Is another rig running? Choose another port with --port, 0 for any free one.",
        ) from error
    return probe
