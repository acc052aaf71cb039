"""Who may speak on a socket: the workers of this run, by CURVE (RFC 26), or anybody on a socket that is open to all.

All workers of a run hold one key pair, made anew for every run and handed over when they are started. Who binds proves
with it that it is of this run, and so does who connects: the handler (ZAP, RFC 27) accepts the very key that the socket
serves and no other, for by itself a CURVE server accepts whoever knows its public key.
"""

import threading
from typing import Any

import zmq
from zmq.utils import z85

from pose_rig.config import Keys
from pose_rig.errors import PoseRigError
from pose_rig.installer import installer

HANDLER = "inproc://zeromq.zap.01"  # where libzmq asks; one per context
OPEN = b"open"  # the domain of sockets that are open to all; of others it is their public key
ACCEPTED, REFUSED = (b"200", b"OK"), (b"400", b"This key is not of this run.")

Socket = zmq.Socket[Any]


def fresh_keys() -> Keys:
    """Returns a key pair that nobody has seen.

    Raises:
        PoseRigError: This libzmq has no CURVE.
    """
    try:
        return Keys(*zmq.curve_keypair())
    except zmq.ZMQError as error:
        raise PoseRigError(
            "This pyzmq was built without CURVE, by which the workers of a rig know each other.",
            f"Install it again: {installer().again()}.",
        ) from error


def serve(socket: Socket, keys: Keys) -> None:
    """Lets only those who hold the keys connect to what the socket binds next."""
    _ask(socket, keys.public)
    socket.curve_publickey, socket.curve_secretkey = keys.public, keys.secret
    socket.curve_server = True


def call(socket: Socket, keys: Keys) -> None:
    """Makes the socket connect only to those who hold the keys from now on."""
    socket.curve_publickey, socket.curve_secretkey, socket.curve_serverkey = keys.public, keys.secret, keys.public


def open_to_all(socket: Socket) -> None:
    """Lets anybody connect to what the socket binds next, who speaks ZMTP 3 as every libzmq since version 4 does.

    Older versions have no handshake; what a browser sends to a port can pass for them.
    """
    socket.curve_server = False
    _ask(socket, OPEN)


def _ask(socket: Socket, domain: bytes) -> None:
    """Has every connection to what the socket binds next decided by the handler: none without one."""
    _start_handler(socket.context)
    socket.zap_domain = domain
    socket.set(zmq.ZAP_ENFORCE_DOMAIN, 1)


def _start_handler(context: "zmq.Context[Any]") -> None:
    """Starts the handler of a context, if it has none."""
    handler = context.socket(zmq.REP)
    handler.setsockopt(zmq.LINGER, 0)
    try:
        handler.bind(HANDLER)
    except zmq.ZMQError as error:
        handler.close()
        if error.errno != zmq.EADDRINUSE:
            raise
        return
    threading.Thread(target=_answer, args=(handler,), name="authentication", daemon=True).start()


def _answer(handler: Socket) -> None:
    """The thread of the handler."""
    while True:
        try:
            version, request, domain, _, _, mechanism, *credentials = handler.recv_multipart()
            status, text = ACCEPTED if _is_welcome(domain, mechanism, credentials) else REFUSED
            handler.send_multipart([version, request, status, text, b"", b""])
        except zmq.ContextTerminated:
            handler.close()
            return


def _is_welcome(domain: bytes, mechanism: bytes, credentials: list[bytes]) -> bool:
    """Returns whether who connects may, by the domain of the socket and the key that they have proven to hold."""
    if mechanism == b"CURVE":
        return z85.encode(credentials[0]) == domain
    return domain == OPEN
