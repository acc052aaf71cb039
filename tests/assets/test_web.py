"""Opening URLs on the loopback interface."""

import base64
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pose_rig.assets.web import Access, UnreachableError, open_url
from tests.http_server import Page, Site, serve


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Site]:
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    with serve() as site:
        yield site


def basic(login: str) -> str:
    return "Basic " + base64.b64encode(login.encode()).decode()


def test_a_url_is_read(site: Site) -> None:
    site.pages["/a"] = Page(b"content")
    answer = open_url(f"{site.url}/a", Access(), {"Range": "bytes=3-"})
    assert (answer.status, answer.read()) == (206, b"tent")
    answer.close()


def test_a_password_is_sent_and_not_shown_in_errors(site: Site) -> None:
    url = site.url.replace("//", "//me:secret@")
    with pytest.raises(UnreachableError, match=r"^127\.0\.0\.1 answers 404 Not Found$") as raised:
        open_url(f"{url}/missing", Access())
    assert raised.value.status == 404
    assert site.requests[0].login == basic("me:secret")


def test_a_password_of_the_users_netrc_is_sent(site: Site, tmp_path: Path) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login me password hidden\n")
    netrc.chmod(0o600)
    site.pages["/a"] = Page(b"x")
    open_url(f"{site.url}/a", Access()).close()
    open_url(f"{site.url.replace('//', '//you:own@')}/a", Access()).close()
    assert [request.login for request in site.requests] == [basic("me:hidden"), basic("you:own")]


def test_a_password_is_not_sent_to_another_host(site: Site) -> None:
    site.pages["/a"] = Page(status=302, location=site.url.replace("127.0.0.1", "localhost") + "/b")
    site.pages["/b"] = Page(b"x")
    open_url(site.url.replace("//", "//me:secret@") + "/a", Access()).close()
    assert [(request.path, request.login) for request in site.requests] == [("/a", basic("me:secret")), ("/b", "")]


def test_a_proxy_is_used(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy")
    monkeypatch.delenv("NO_PROXY", raising=False)
    site.pages["http://mirror.example/a"] = Page(b"through the proxy")
    answer = open_url("http://mirror.example/a", Access(proxy=site.url))
    assert answer.read() == b"through the proxy"
    answer.close()


@pytest.mark.parametrize("url", ["ftp://example.org/a", "/etc/passwd", "data:,x"])
def test_other_schemes_are_rejected(url: str) -> None:
    with pytest.raises(UnreachableError, match="is not a URL of https, http, file"):
        open_url(url, Access())


def test_certificates(tmp_path: Path) -> None:
    """A self-signed one is rejected unless the user configures it or trusts the host."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run([*command, "-keyout", key, "-out", cert, "-days", "2", *subject], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with serve(context) as site:
        site.pages["/a"] = Page(b"x")
        url = site.url.replace("http://127.0.0.1", "https://localhost")
        with pytest.raises(UnreachableError, match=r"(?i)certificate"):
            open_url(f"{url}/a", Access())
        for access in (Access(str(cert)), Access(trusted_hosts=frozenset({"localhost"}))):
            answer = open_url(f"{url}/a", access)
            assert answer.read() == b"x"
            answer.close()
