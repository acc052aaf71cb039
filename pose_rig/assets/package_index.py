"""Finding a file of a package on a simple index (PEP 503 HTML, PEP 691 JSON), without pip.

The index need not be trusted: whoever downloads the file compares its checksum.
"""

import json
from collections.abc import Callable, Iterator
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import url2pathname

from pose_rig.assets.index_settings import IndexSettings
from pose_rig.assets.web import Access, UnreachableError, open_url, without_password

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
FindUrl = Callable[[], str]


def candidates(project: str, name: str, settings: IndexSettings) -> Iterator[FindUrl]:
    """Yields functions that each return a URL of a file, or raise `UnreachableError`.

    Args:
        project: Normalized name of the project.
        name: Name of the file.
        settings: Indexes and links.
    """
    for link in settings.find_links:
        yield partial(_find_link, link, name, settings.access)
    for index in settings.indexes:
        yield partial(_find_in_index, index, project, name, settings.access)


def _find_in_index(index: str, project: str, name: str, access: Access) -> str:
    page = f"{index}/{project}/"
    if urlsplit(index).scheme == "file":
        page += "index.html"
    return _find_on_page(page, name, access, index)


def _find_link(link: str, name: str, access: Access) -> str:
    """Returns the URL of a file in a folder, or on a page of links."""
    parts = urlsplit(link)
    folder = Path(url2pathname(parts.path)) if parts.scheme == "file" else Path(link).expanduser()
    if (folder / name).is_file():
        return (folder / name).resolve().as_uri()
    if parts.scheme not in ("http", "https"):
        raise UnreachableError(f"{link} does not have it")
    return link if parts.path.endswith(f"/{name}") else _find_on_page(link, name, access, link)


def _find_on_page(page: str, name: str, access: Access, configured: str) -> str:
    """Returns the URL of a file on a page, with the login of the ``configured`` URL if the host is the same."""
    response = open_url(page, access, {"Accept": ACCEPT})
    try:
        text = response.read().decode("utf-8", "replace")
    except OSError as error:
        raise UnreachableError(f"{urlsplit(page).hostname}: {error}") from error
    finally:
        response.close()
    is_json = "json" in (response.headers.get("Content-Type") or "")
    for link in _json_links(text) if is_json else _html_links(text):
        url = urljoin(response.geturl(), link)
        if unquote(urlsplit(url).path).rpartition("/")[2] == name:
            return _with_login(url.partition("#")[0], configured)
    raise UnreachableError(f"{without_password(configured)} does not have it")


def _json_links(text: str) -> list[str]:
    try:
        return [file["url"] for file in json.loads(text)["files"]]
    except (ValueError, KeyError, TypeError) as error:
        raise UnreachableError("the response is not a package index") from error


def _html_links(text: str) -> list[str]:
    parser = _LinkParser()
    parser.feed(text)
    return [urljoin(parser.base, link) for link in parser.links]


class _LinkParser(HTMLParser):
    """Collects the links of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.base = ""
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        target = dict(attrs).get("href") or ""
        if tag == "base":
            self.base = self.base or target
        elif tag == "a" and target:
            self.links.append(target)


def _with_login(url: str, configured: str) -> str:
    """Returns a URL with the login of another one on the same host."""
    login, at, host = urlsplit(configured).netloc.rpartition("@")
    parts = urlsplit(url)
    return parts._replace(netloc=f"{login}{at}{host}").geturl() if at and parts.netloc == host else url
