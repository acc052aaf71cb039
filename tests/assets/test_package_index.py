"""Finding a file on a local index."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pose_rig.assets.index_settings import IndexSettings
from pose_rig.assets.package_index import candidates
from pose_rig.assets.web import UnreachableError
from tests.http_server import Page, Site, serve

NAME = "thing-1.0-py3-none-any.whl"
HTML = "text/html; charset=utf-8"
JSON = "application/vnd.pypi.simple.v1+json"


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serve() as site:
        yield site


def found(settings: IndexSettings) -> list[str]:
    """Returns the URL of every candidate, or its error."""
    results = []
    for source in candidates("thing", NAME, settings):
        try:
            results.append(source())
        except UnreachableError as error:
            results.append(str(error))
    return results


def indexes(*urls: str) -> IndexSettings:
    return IndexSettings(indexes=urls)


def page(text: str, kind: str = HTML) -> Page:
    return Page(text.encode(), kind)


def test_a_page_of_links(site: Site) -> None:
    links = f'<a href="../../files/thing-0.9.tar.gz">x</a><a href="../../files/{NAME}#sha256=00">y</a>'
    site.pages["/simple/thing/"] = page(f"<!doctype html><html><body>{links}</body></html>")
    assert found(indexes(f"{site.url}/simple")) == [f"{site.url}/files/{NAME}"]


def test_a_page_with_a_base_and_escapes(site: Site) -> None:
    name = NAME.replace("1.0", "1%2E0")
    site.pages["/simple/thing/"] = page(f'<base href="https://files.example/all/"><A HREF="a/{name}?x=1&amp;y=2">')
    assert found(indexes(f"{site.url}/simple")) == [f"https://files.example/all/a/{name}?x=1&y=2"]


def test_json(site: Site) -> None:
    files = [{"filename": "x", "url": "/x"}, {"filename": NAME, "url": f"https://files.example/{NAME}"}]
    site.pages["/simple/thing/"] = page(json.dumps({"files": files}), JSON)
    assert found(indexes(f"{site.url}/simple")) == [f"https://files.example/{NAME}"]


@pytest.mark.parametrize("text", ["{", "[]", '{"files": [1]}', '{"files": null}'])
def test_an_invalid_response_is_not_an_index(site: Site, text: str) -> None:
    site.pages["/simple/thing/"] = page(text, JSON)
    assert found(indexes(f"{site.url}/simple")) == ["the response is not a package index"]


def test_every_index_reports_why_it_does_not_have_the_file(site: Site) -> None:
    site.pages["/a/thing/"] = page("<a href='other'>")
    with_password = site.url.replace("//", "//me:secret@")
    assert found(indexes(f"{with_password}/a", f"{site.url}/b", "ftp://old.example/simple")) == [
        f"{site.url}/a does not have it",
        "127.0.0.1 answers 404 Not Found",
        "ftp://old.example/simple/thing/ is not a URL of https, http, file",
    ]


def test_the_login_of_an_index_is_sent_to_its_own_host_only(site: Site) -> None:
    index = site.url.replace("//", "//me:se%40cret@") + "/simple"
    site.pages["/simple/thing/"] = page(f'<a href="/files/{NAME}">')
    assert found(indexes(index)) == [site.url.replace("//", "//me:se%40cret@") + f"/files/{NAME}"]
    assert site.requests[0].login == "Basic " + base64.b64encode(b"me:se@cret").decode()
    site.pages["/simple/thing/"] = page(f'<a href="https://files.example/{NAME}">')
    assert found(indexes(index)) == [f"https://files.example/{NAME}"]


def test_an_index_and_wheels_in_local_folders(tmp_path: Path) -> None:
    folder = tmp_path / "simple" / "thing"
    folder.mkdir(parents=True)
    (folder / "index.html").write_text(f'<a href="../../files/{NAME}">')
    assert found(indexes((tmp_path / "simple").as_uri())) == [(tmp_path / "files" / NAME).as_uri()]
    (tmp_path / NAME).touch()
    links = (str(tmp_path), tmp_path.as_uri(), str(tmp_path / "simple"))
    here = (tmp_path / NAME).as_uri()
    assert found(IndexSettings(links, ())) == [here, here, f"{tmp_path / 'simple'} does not have it"]


def test_remote_links(site: Site) -> None:
    site.pages["/links.html"] = page(f'<a href="{NAME}">')
    settings = IndexSettings((f"{site.url}/links.html", f"{site.url}/direct/{NAME}"), ())
    assert found(settings) == [f"{site.url}/{NAME}", f"{site.url}/direct/{NAME}"]
