"""Opening addresses: certificates, proxies and passwords are those that the user has set up for installing packages."""

import base64
import http.client
import netrc
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import SplitResult, unquote, urlsplit

TIMEOUT_S = 15.0
SCHEMES = ("https", "http", "file")


class UnreachableError(Exception):
    """An address gives nothing.

    Args:
        reason: Why, without a full stop.
        status: Of HTTP; 0 if no server answered.
    """

    def __init__(self, reason: str, status: int = 0) -> None:
        super().__init__(reason)
        self.status = status


class Headers(Protocol):
    """The headers of an answer."""

    def get(self, name: str, /) -> str | None:
        """Returns a header, None if it is absent."""


class Answer(Protocol):
    """An open address."""

    @property
    def headers(self) -> Headers:
        """What the server says of it."""

    @property
    def status(self) -> int | None:
        """Of HTTP; None for a file."""

    @property
    def url(self) -> str:
        """Where it was found in the end."""

    def read(self, count: int = -1, /) -> bytes:
        """Returns the next bytes, at most ``count``; none at the end."""

    def close(self) -> None:
        """Ends the connection."""


@dataclass(frozen=True, slots=True)
class Access:
    """How the network is reached.

    Attributes:
        certificates: File of the authorities that are trusted; empty = the operating system's.
        trusted_hosts: ``host`` or ``host:port`` whose certificate is not checked.
        proxy: Address of the proxy; empty = that of the environment or the operating system.
    """

    certificates: str = ""
    trusted_hosts: frozenset[str] = frozenset()
    proxy: str = ""


def open_url(url: str, access: Access, headers: Mapping[str, str] | None = None) -> Answer:
    """Returns an open address.

    Args:
        url: ``https``, ``http`` or ``file``; may hold a user name and password.
        access: How the network is reached.
        headers: To send along.

    Raises:
        UnreachableError: It gives nothing.
    """
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        raise UnreachableError(f"{without_password(url)} is no address of {', '.join(SCHEMES)}")
    request = urllib.request.Request(without_password(url), headers=dict(headers or {}))  # noqa: S310  checked above
    if login := _login(parts):
        # Unredirected: a mirror may send on to another host, which the password is not meant for.
        token = base64.b64encode(login.encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {token}")
    try:
        answer: Answer = _opener(parts, access).open(request, timeout=TIMEOUT_S)
        return answer
    except urllib.error.HTTPError as error:
        error.close()
        raise UnreachableError(f"{parts.hostname} answers {error.code} {error.reason}", error.code) from error
    except urllib.error.URLError as error:
        raise UnreachableError(f"{parts.hostname or url}: {error.reason}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise UnreachableError(f"{parts.hostname or url}: {error or type(error).__name__}") from error


def without_password(url: str) -> str:
    """Returns an address as it may be shown."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if "@" in parts.netloc else url


def _login(parts: SplitResult) -> str:
    """Returns ``user:password`` from an address or from the user's netrc file; empty if there is none."""
    if parts.username is not None:
        return f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    try:
        known = netrc.netrc().authenticators(parts.hostname or "")
    except (OSError, netrc.NetrcParseError):
        return ""  # there need not be one, and other programs tell when it is wrong
    return f"{known[0] or known[1]}:{known[2]}" if known else ""


def _opener(parts: SplitResult, access: Access) -> urllib.request.OpenerDirector:
    handlers: list[urllib.request.BaseHandler] = []
    if parts.scheme == "https":
        handlers.append(urllib.request.HTTPSHandler(context=_tls(parts, access)))
    if access.proxy:
        handlers.append(urllib.request.ProxyHandler({"http": access.proxy, "https": access.proxy}))
    return urllib.request.build_opener(*handlers)


def _tls(parts: SplitResult, access: Access) -> ssl.SSLContext:
    """Returns how certificates are checked: as pip does it."""
    if access.trusted_hosts & {parts.hostname, f"{parts.hostname}:{parts.port or 443}"}:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # the user's wish
        return context
    if access.certificates:
        return ssl.create_default_context(cafile=access.certificates)
    import truststore  # the operating system's store, also where OpenSSL does not know it: macOS, standalone Pythons

    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
