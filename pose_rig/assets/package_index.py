"""Finding a file of a package on a simple index, without pip.

PEP 503 (HTML) and PEP 691 (JSON). What is found is compared with a known sum by whoever downloads it, so an index need
not be trusted.
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
Source = Callable[[], str]


def sources(project: str, name: str, settings: IndexSettings) -> Iterator[Source]:
    """Yields functions that each return an address of a file, or raise `UnreachableError`.

    Args:
        project: Its normalized name.
        name: Of the file.
        settings: Where to look.
    """
    for place in settings.find_links:
        yield partial(_in_links, place, name, settings.access)
    for index in settings.indexes:
        yield partial(_in_index, index, project, name, settings.access)


def _in_index(index: str, project: str, name: str, access: Access) -> str:
    page = f"{index}/{project}/"
    if urlsplit(index).scheme == "file":
        page += "index.html"
    return _on_page(page, name, access, index)


def _in_links(place: str, name: str, access: Access) -> str:
    """Returns where a file is in a folder, or on a page of links."""
    parts = urlsplit(place)
    folder = Path(url2pathname(parts.path)) if parts.scheme == "file" else Path(place).expanduser()
    if (folder / name).is_file():
        return (folder / name).resolve().as_uri()
    if parts.scheme not in ("http", "https"):
        raise UnreachableError(f"{place} does not have it")
    return place if parts.path.endswith(f"/{name}") else _on_page(place, name, access, place)


def _on_page(page: str, name: str, access: Access, known: str) -> str:
    """Returns the address of a file that a page names, with the login of ``known`` if it is on the same host."""
    answer = open_url(page, access, {"Accept": ACCEPT})
    try:
        text = answer.read().decode("utf-8", "replace")
    except OSError as error:
        raise UnreachableError(f"{urlsplit(page).hostname}: {error}") from error
    finally:
        answer.close()
    is_json = "json" in (answer.headers.get("Content-Type") or "")
    for found in _json_links(text) if is_json else _html_links(text):
        address = urljoin(answer.url, found)
        if unquote(urlsplit(address).path).rpartition("/")[2] == name:
            return _with_login_of(known, address.partition("#")[0])
    raise UnreachableError(f"{without_password(known)} does not have it")


def _json_links(text: str) -> list[str]:
    try:
        files = json.loads(text)["files"]
        return [file["url"] for file in files]
    except (ValueError, KeyError, TypeError) as error:
        raise UnreachableError("its answer is not a package index") from error


def _html_links(text: str) -> list[str]:
    parser = _Links()
    parser.feed(text)
    return [urljoin(parser.base, link) for link in parser.links]


class _Links(HTMLParser):
    """Collects where the links of a page lead."""

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


def _with_login_of(known: str, url: str) -> str:
    """Returns an address with the login of another one on the same host."""
    login, at, host = urlsplit(known).netloc.rpartition("@")
    parts = urlsplit(url)
    return parts._replace(netloc=f"{login}{at}{host}").geturl() if at and parts.netloc == host else url
