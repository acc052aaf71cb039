"""Free ports outside the range that the operating system assigns to outgoing connections."""

import random
import socket

from pose_rig.tools.workers.endpoints import FREE_PORTS


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Returns a free port of this machine."""
    for port in random.sample(FREE_PORTS, len(FREE_PORTS)):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("every port is taken")


def free_endpoint() -> str:
    """Returns an endpoint with a free port."""
    return f"tcp://127.0.0.1:{free_port()}"
