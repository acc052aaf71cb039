"""An HTTP server on the loopback interface with configurable faults."""

import re
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Page:
    """The content of a path.

    Attributes:
        body: The bytes.
        kind: Content type.
        ranges: Whether range requests are supported.
        cut: Bytes after which the connection is closed, one entry per request; later ones are complete.
        status: HTTP status.
        location: Redirect to.
        sized: Whether Content-Length is sent.
        chunks: Returns what is sent instead of the body.
    """

    body: bytes = b""
    kind: str = "application/octet-stream"
    ranges: bool = True
    cut: list[int] = field(default_factory=list)
    status: int = 200
    location: str = ""
    sized: bool = True
    chunks: Callable[[], Iterable[bytes]] | None = None


@dataclass(frozen=True)
class Request:
    """One request."""

    path: str
    range: str
    login: str


class Site:
    """Pages by their paths, the files of a folder, and the requests received."""

    def __init__(self, port: int) -> None:
        self.folder: Path | None = None
        self.pages: dict[str, Page] = {}
        self.requests: list[Request] = []
        self.url = f"http://127.0.0.1:{port}"

    def page(self, path: str) -> Page:
        """Returns the page of a path, else the file in the folder."""
        file = self.folder / path.lstrip("/") if self.folder else None
        return self.pages.get(path) or (Page(file.read_bytes()) if file and file.is_file() else Page(status=404))


@contextmanager
def serve(tls: ssl.SSLContext | None = None) -> Iterator[Site]:
    """Yields a running site; with ``tls``, over https."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers = self.headers
            site.requests.append(Request(self.path, headers.get("Range", ""), headers.get("Authorization", "")))
            answer(self, site.page(self.path))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Logs nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """Ignores closed connections, which are part of the tests."""

    with Server(("127.0.0.1", 0), Handler) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        site = Site(server.server_port)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join()


def answer(handler: BaseHTTPRequestHandler, page: Page) -> None:
    """Responds with a page, or with the part of it that the request or ``cut`` selects."""
    body, status = page.body, page.status
    wanted = re.match(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    start = int(wanted[1]) if wanted and page.ranges else 0
    if start >= len(body) and start:
        status, body = 416, b""
    elif wanted and page.ranges:
        status, body = 206, body[start:]
    handler.send_response(status)
    handler.send_header("Content-Type", page.kind)
    if page.sized and not page.chunks:
        handler.send_header("Content-Length", str(len(body)))
    if page.ranges:
        handler.send_header("Accept-Ranges", "bytes")
    if status == 206:
        handler.send_header("Content-Range", f"bytes {start}-{len(page.body) - 1}/{len(page.body)}")
    if page.location:
        handler.send_header("Location", page.location)
    handler.end_headers()
    for chunk in page.chunks() if page.chunks else (body[: page.cut.pop(0)] if page.cut else body,):
        handler.wfile.write(chunk)
    handler.close_connection = True
