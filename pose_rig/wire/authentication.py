"""CURVE authentication (RFC 26) of the workers of one run, with a ZAP handler (RFC 27).

All workers of a run hold one key pair, which is generated for every run and passed to them at start. By itself a CURVE
server accepts every client that knows its public key; the ZAP handler here accepts only clients that have proven to
hold the very key pair that the socket serves. A public socket uses the NULL mechanism: every ZMTP 3 client may connect.
"""

import threading
from dataclasses import dataclass, field
from typing import Any

import zmq
from zmq.utils import z85

from pose_rig.errors import PoseRigError
from pose_rig.installer import installer

ZAP_ENDPOINT = "inproc://zeromq.zap.01"  # fixed by RFC 27; one handler per context
PUBLIC_DOMAIN = b"open"  # ZAP domain of public sockets; the domain of other sockets is their public key
ACCEPTED, REFUSED = (b"200", b"OK"), (b"400", b"This key is not of this run.")

Socket = zmq.Socket[Any]


@dataclass(frozen=True, slots=True)
class Keys:
    """The CURVE key pair of one run (docs/wire.md): every worker has it, no output shows it.

    Attributes:
        public: In Z85, ZeroMQ's encoding of keys; as good as a secret, since only the workers of this run receive it.
        secret: In Z85.
    """

    public: bytes = field(repr=False)
    secret: bytes = field(repr=False)


def generate_keys() -> Keys:
    """Returns a new CURVE key pair.

    Raises:
        PoseRigError: This libzmq was built without CURVE.
    """
    try:
        return Keys(*zmq.curve_keypair())
    except zmq.ZMQError as error:
        raise PoseRigError(
            "This pyzmq was built without CURVE, which authenticates the workers of a rig.",
            f"Install it again: {installer().reinstall()}.",
        ) from error


def require_keys(socket: Socket, keys: Keys) -> None:
    """Makes the socket a CURVE server: what it binds next accepts only clients that hold the keys."""
    _enforce_domain(socket, keys.public)
    socket.curve_publickey, socket.curve_secretkey = keys.public, keys.secret
    socket.curve_server = True


def use_keys(socket: Socket, keys: Keys) -> None:
    """Makes the socket a CURVE client: from now on it connects only to servers that hold the keys."""
    socket.curve_publickey, socket.curve_secretkey, socket.curve_serverkey = keys.public, keys.secret, keys.public


def allow_any(socket: Socket) -> None:
    """Makes the socket public: what it binds next accepts every client that speaks ZMTP 3 (libzmq 4 and later).

    Older versions have no handshake; what a browser sends to a port can pass for them.
    """
    socket.curve_server = False
    _enforce_domain(socket, PUBLIC_DOMAIN)


def _enforce_domain(socket: Socket, domain: bytes) -> None:
    """Passes every connection to what the socket binds next to the ZAP handler; without one all are refused."""
    _start_handler(socket.context)
    socket.zap_domain = domain
    socket.set(zmq.ZAP_ENFORCE_DOMAIN, 1)


def _start_handler(context: "zmq.Context[Any]") -> None:
    """Starts the ZAP handler of a context, unless it runs already."""
    handler = context.socket(zmq.REP)
    handler.setsockopt(zmq.LINGER, 0)
    try:
        handler.bind(ZAP_ENDPOINT)
    except zmq.ZMQError as error:
        handler.close()
        if error.errno != zmq.EADDRINUSE:
            raise
        return
    threading.Thread(target=_handle_requests, args=(handler,), name="authentication", daemon=True).start()


def _handle_requests(handler: Socket) -> None:
    while True:
        try:
            version, request, domain, _, _, mechanism, *credentials = handler.recv_multipart()
            status, text = ACCEPTED if _is_allowed(domain, mechanism, credentials) else REFUSED
            handler.send_multipart([version, request, status, text, b"", b""])
        except zmq.ContextTerminated:
            handler.close()
            return


def _is_allowed(domain: bytes, mechanism: bytes, credentials: list[bytes]) -> bool:
    """Returns whether a client may connect to a socket of this domain."""
    if mechanism == b"CURVE":
        return z85.encode(credentials[0]) == domain
    return domain == PUBLIC_DOMAIN
