"""Opening URLs with the certificates, proxies and passwords that the user has configured for installing packages."""

import base64
import http.client
import netrc
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPResponse
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.response import addinfourl

TIMEOUT_S = 15.0
SCHEMES = ("https", "http", "file")
Response = HTTPResponse | addinfourl  # addinfourl: of a ``file`` URL


class UnreachableError(Exception):
    """A URL cannot be read.

    Args:
        reason: A clause without a full stop.
        status: HTTP status; 0 without a response.
    """

    def __init__(self, reason: str, status: int = 0) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class Access:
    """Network settings.

    Attributes:
        certificates: File of trusted certificate authorities; empty = those of the operating system.
        trusted_hosts: ``host`` or ``host:port`` whose certificate is not verified.
        proxy: URL of the proxy; empty = that of the environment or the operating system.
    """

    certificates: str = ""
    trusted_hosts: frozenset[str] = frozenset()
    proxy: str = ""


def open_url(url: str, access: Access, headers: Mapping[str, str] | None = None) -> Response:
    """Returns the open response of a URL.

    Args:
        url: ``https``, ``http`` or ``file``; may contain a user name and password.
        access: Network settings.
        headers: Request headers.

    Raises:
        UnreachableError: There is no response, or it is an error.
    """
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        raise UnreachableError(f"{without_password(url)} is not a URL of {', '.join(SCHEMES)}")
    request = urllib.request.Request(without_password(url), headers=dict(headers or {}))  # noqa: S310  checked above
    if login := _login(parts):
        # Unredirected: a mirror may redirect to another host, which must not get the password.
        token = base64.b64encode(login.encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {token}")
    try:
        response: Response = _opener(parts, access).open(request, timeout=TIMEOUT_S)
        return response
    except urllib.error.HTTPError as error:
        error.close()
        raise UnreachableError(f"{parts.hostname} answers {error.code} {error.reason}", error.code) from error
    except urllib.error.URLError as error:
        raise UnreachableError(f"{parts.hostname or url}: {error.reason}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise UnreachableError(f"{parts.hostname or url}: {error or type(error).__name__}") from error


def without_password(url: str) -> str:
    """Returns a URL without user name and password."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if "@" in parts.netloc else url


def _login(parts: SplitResult) -> str:
    """Returns ``user:password`` from a URL or from the user's netrc file, else an empty string."""
    if parts.username is not None:
        return f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    try:
        entry = netrc.netrc().authenticators(parts.hostname or "")
    except (OSError, netrc.NetrcParseError):
        return ""  # the file is optional
    return f"{entry[0] or entry[1]}:{entry[2]}" if entry else ""


def _opener(parts: SplitResult, access: Access) -> urllib.request.OpenerDirector:
    handlers: list[urllib.request.BaseHandler] = []
    if parts.scheme == "https":
        handlers.append(urllib.request.HTTPSHandler(context=_tls_context(parts, access)))
    if access.proxy:
        handlers.append(urllib.request.ProxyHandler({"http": access.proxy, "https": access.proxy}))
    return urllib.request.build_opener(*handlers)


def _tls_context(parts: SplitResult, access: Access) -> ssl.SSLContext:
    """Returns how certificates are verified: as pip does it."""
    if access.trusted_hosts & {parts.hostname, f"{parts.hostname}:{parts.port or 443}"}:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # configured by the user
        return context
    if access.certificates:
        return ssl.create_default_context(cafile=access.certificates)
    import truststore  # the operating system's store, which OpenSSL does not use on macOS or in standalone Pythons

    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
