"""Where the workers of a run listen on this machine (docs/wire.md has the table), and the keys that they ask for."""

import os
import random
import socket
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from pose_rig.config import Config
from pose_rig.errors import UsageError
from pose_rig.wire.authentication import Keys, generate_keys
from pose_rig.wire.services import LOOPBACK, STREAMS_PORT_OFFSET

# Below the ports that systems give to whoever connects somewhere: none of these is taken between looking and listening.
FREE_PORTS = range(20_000, 32_768)
MOST_TRIED = 100


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the workers of one run listen.

    Attributes:
        keys: Those of this run; all but the first two endpoints ask for them.
        output: Fusion publishes here for anybody, and
        streams: what feeds engines too; empty if nothing does.
        inside: Fusion publishes here for the workers, and
        streams_inside: what feeds engines too.
        inputs: Fusion listens here, on one lane or on several.
        recorded: The recorder listens at the first and publishes at the second; empty if there is none.
    """

    keys: Keys
    output: str
    streams: str
    inside: str
    streams_inside: str
    inputs: tuple[str, ...]
    recorded: tuple[str, ...]


def free_endpoints(config: Config, lanes: int) -> Endpoints:
    """Returns endpoints that are free, all tried at once, so that no two of them are the same.

    Args:
        config: What is wanted.
        lanes: How many inputs fusion has.

    Raises:
        UsageError: The port of the poses, or the one above it, is taken.
        PoseRigError: There can be no keys.
    """
    with ExitStack() as probes:

        def free(port: int = 0) -> str:
            probe = probes.enter_context(_bound(port) if port else _bound_somewhere())
            return f"tcp://{LOOPBACK}:{probe.getsockname()[1]}"

        fed = config.stream.wanted
        return Endpoints(
            keys=generate_keys(),
            output=free(config.port),
            streams=free(config.port + STREAMS_PORT_OFFSET if config.port else 0) if fed else "",
            inside=free(),
            streams_inside=free() if fed else "",
            inputs=tuple(free() for _ in range(lanes)),
            recorded=(free(), free()) if config.record else (),
        )


def _bound_somewhere() -> socket.socket:
    """Returns a socket on a port that nobody has, as `_bound`."""
    for port in random.sample(FREE_PORTS, MOST_TRIED):
        with suppress(UsageError):
            return _bound(port)
    return _bound(0)


def _bound(port: int) -> socket.socket:
    """Returns a socket that has a port and does not listen: who connects too early is to try again."""
    probe = socket.socket()
    if os.name == "posix":  # what a run left behind a moment ago does not count; Windows means something else by it
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
