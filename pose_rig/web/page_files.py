"""The files of the pages, and with which headers they are served."""

import mimetypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "pages"
KINDS = {".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm", ".woff2": "font/woff2"}
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True, slots=True)
class PageFile:
    """The content of a file and its media type."""

    data: bytes
    kind: str


@cache
def page_names() -> frozenset[str]:
    """Returns the names of all files, relative to the pages' folder, with slashes; no other file is ever served."""
    return frozenset(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file())


@cache
def page_file(name: str) -> PageFile | None:
    """Returns a file of the pages, None if there is none of that name."""
    if name not in page_names():
        return None
    path = FOLDER / name
    kind = KINDS.get(path.suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    text = kind.startswith("text/") or kind in ("image/svg+xml", "application/json")
    return PageFile(path.read_bytes(), f"{kind}; charset=utf-8" if text else kind)


def content_security_policy(host: str) -> str:
    """Returns the policy of a page: it loads nothing from anywhere else.

    Args:
        host: Host and port by which the browser reached it; older Safari does not count WebSockets as ``'self'``.
    """
    return (
        "default-src 'self'; img-src 'self' blob: data:; worker-src 'self' blob:; "
        f"connect-src 'self' blob: data: wss://{host}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
    )
