"""The HTTPS server: pages, certificates and WebSockets, all below a token.

Every address begins with a token (`pose_rig.wire.tokens`). Whatever has none gets status 404 without a body.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from aiohttp import web, web_protocol
from cryptography.x509.oid import NameOID

from pose_rig.web.certificate import Root, server_context
from pose_rig.web.listener import Listener, bound_sockets
from pose_rig.web.mobile_profile import KIND, mobile_profile
from pose_rig.web.page_files import HEADERS, PageFile, content_security_policy, page_file
from pose_rig.wire.jobs import WebJob
from pose_rig.wire.tokens import Access

PAGES: Mapping[Access, str] = {"watch": "live.html", "control": "live.html", "camera": "phone.html"}
SOCKET = "socket"
REQUEST_TIMEOUT_S = 8.0  # from the connection to its first request, and between two
MAX_HEADER_BYTES = 4096
MAX_HEADERS = 64

SocketHandler = Callable[[web.BaseRequest, Access], Awaitable[web.StreamResponse]]


class PageServer:
    """Serves pages and sockets.

    Args:
        job: Addresses and tokens.
        root: The certificate of this machine.
        socket_handler: Handles an accepted request for a WebSocket.
    """

    def __init__(self, job: WebJob, root: Root, socket_handler: SocketHandler) -> None:
        self._job, self._socket_handler = job, socket_handler
        self._certificates = {
            "root.crt": PageFile(root.der(), "application/x-x509-ca-cert"),
            "root.mobileconfig": PageFile(mobile_profile(root.der(), _common_name(root)), KIND),
        }
        self._wrong = 0
        self._http = web.Server(
            self._handle,
            access_log=None,
            logger=_quiet_logger(),
            keepalive_timeout=REQUEST_TIMEOUT_S,
            lingering_time=0,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
            max_headers=MAX_HEADERS,
        )
        self._listener = Listener(server_context(root, job.names), self._connection)

    @property
    def refused(self) -> int:
        """Connections and requests that were refused since the start."""
        return self._wrong + self._listener.refused

    def listen(self) -> None:
        """Starts to listen.

        Raises:
            UsageError: The port is in use.
        """
        self._listener.listen(bound_sockets(self._job.hosts, self._job.port, restarted=self._job.restarts > 0))

    async def close(self) -> None:
        """Ends all connections."""
        await self._listener.close()
        await self._http.shutdown(0.1)

    def refuse(self) -> web.Response:
        """Counts a wrong request and returns its response."""
        self._wrong += 1
        response = web.Response(status=HTTPStatus.NOT_FOUND, headers={"Server": "-"})
        response.force_close()
        return response

    def _connection(self) -> "_Connection":
        return _Connection(self.refuse, self._http)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        token, slash, name = request.path.removeprefix("/").partition("/")
        access = self._job.tokens.access(token)
        if access is None or request.method != "GET":
            return self.refuse()
        self._listener.accept(request.protocol)
        if not slash:
            return web.Response(status=HTTPStatus.PERMANENT_REDIRECT, headers={"Location": f"/{token}/", **HEADERS})
        if name == SOCKET:
            return await self._socket_handler(request, access) if is_own_page(request) else self.refuse()
        found = self._certificates.get(name) or page_file(name or PAGES[access])
        return self.refuse() if found is None else _response(found, request.host)


class _Connection(web_protocol.RequestHandler):
    """A connection that answers what is not HTTP like any other wrong request."""

    def __init__(self, refuse: Callable[[], web.Response], server: web.Server) -> None:
        super().__init__(server, loop=server._loop, **server._kwargs)  # as the server itself does
        self._refuse = refuse

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Returns the response to a request that is not valid, or whose handler failed."""
        del request, status, exc, message
        return self._refuse()


def is_own_page(request: web.BaseRequest) -> bool:
    """Returns whether a request for a WebSocket comes from our own page, or from a program that is no browser."""
    origin = request.headers.get("Origin")
    return origin is None or origin == f"https://{request.host}"


def _response(file: PageFile, host: str) -> web.Response:
    headers = {
        **HEADERS,
        "Content-Type": file.kind,
        "Content-Security-Policy": content_security_policy(host),
        "Server": "-",
    }
    return web.Response(body=file.data, headers=headers)


def _common_name(root: Root) -> str:
    return str(root.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def _quiet_logger() -> logging.Logger:
    """Returns a logger that keeps errors of clients out of the terminal; they are counted instead."""
    logger = logging.getLogger("pose_rig.web")
    logger.setLevel(logging.CRITICAL)
    logger.propagate = False
    return logger
