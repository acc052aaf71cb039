import asyncio
import plistlib
import socket
import ssl
from contextlib import closing
from http.client import HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from pose_rig.web.certificate import load_root
from pose_rig.wire.messages import RigState
from tests.web.rig import DEADLINE_S, WebRig, opened, run_async, running


async def get(rig: WebRig, url: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    def ask() -> tuple[int, dict[str, str], bytes]:
        at = urlsplit(url)
        with closing(HTTPSConnection(str(at.hostname), at.port, context=rig.tls(), timeout=DEADLINE_S)) as connection:
            connection.request(method, at.path)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()

    return await asyncio.to_thread(ask)


def test_pages_have_strict_headers_and_certificates_can_be_fetched(tmp_path: Path) -> None:
    async def check(rig: WebRig) -> None:
        status, headers, body = await get(rig, rig.url())
        assert status == 200
        assert b"<html" in body
        assert headers["Content-Type"] == "text/html; charset=utf-8"
        assert headers["Content-Security-Policy"].startswith("default-src 'self'; ")
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"
        root = load_root(tmp_path).der()
        assert (await get(rig, rig.url(rig.job.tokens.camera, "root.crt")))[2] == root
        profile = plistlib.loads((await get(rig, rig.url(rig.job.tokens.camera, "root.mobileconfig")))[2])
        assert profile["PayloadContent"][0]["PayloadContent"] == root
        assert (await get(rig, rig.url().removesuffix("/")))[0] == 308

    with running(tmp_path) as rig:
        run_async(check(rig))


def test_anything_else_is_404_without_a_body_and_counted(tmp_path: Path) -> None:
    async def check(rig: WebRig) -> None:
        base = f"https://127.0.0.1:{rig.job.port}"
        wrong = (
            f"{base}/",
            f"{base}/live.html",
            f"{base}/{'x' * 22}/",
            rig.url(path="nothing"),
            rig.url(path="..%2Fserver.py"),
        )
        for url in wrong:
            status, headers, body = await get(rig, url)
            assert (status, body) == (404, b""), url
            assert "aiohttp" not in headers["Server"]
        assert (await get(rig, rig.url(), "POST"))[0] == 404

    with running(tmp_path) as rig:
        run_async(check(rig))
        rig.health(lambda health: health.refused == 6)


def test_what_is_not_http_or_not_tls_is_counted(tmp_path: Path) -> None:
    with running(tmp_path) as rig:
        with socket.create_connection(("127.0.0.1", rig.job.port)) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            plain.settimeout(DEADLINE_S)
            assert b"200" not in plain.recv(100)
        with (
            socket.create_connection(("127.0.0.1", rig.job.port)) as plain,
            rig.tls().wrap_socket(plain, server_hostname="127.0.0.1") as secure,
        ):
            secure.sendall(b"\x00" * 100)
            assert secure.recv(100).split()[1] == b"404"
        rig.health(lambda health: health.refused >= 2)


def test_a_page_of_another_site_gets_no_socket(tmp_path: Path) -> None:
    async def check(rig: WebRig) -> None:
        with pytest.raises(aiohttp.WSServerHandshakeError, match="404"):
            async with opened(rig, rig.job.tokens.watch, origin="https://evil.example"):
                pass
        async with opened(rig, rig.job.tokens.watch, origin=f"https://127.0.0.1:{rig.job.port}") as page:
            await page.until("hello")

    with running(tmp_path) as rig:
        run_async(check(rig))
        rig.health(lambda health: health.refused == 1)


def test_an_untrusting_client_does_not_accept_the_certificate(tmp_path: Path) -> None:
    with (
        running(tmp_path) as rig,
        socket.create_connection(("127.0.0.1", rig.job.port)) as plain,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        ssl.create_default_context().wrap_socket(plain, server_hostname="127.0.0.1")


def test_hundreds_of_silent_connections_keep_no_page_out(tmp_path: Path) -> None:
    async def check(rig: WebRig) -> None:
        async with opened(rig, rig.job.tokens.watch) as before:
            await before.until("hello")
            silent = [socket.create_connection(("127.0.0.1", rig.job.port)) for _ in range(300)]
            async with opened(rig, rig.job.tokens.watch) as page:
                await page.until("hello")
                rig.fusion.send(RigState(t_ns=1, mode="cold", cameras=()))
                await page.until("rig")
            await before.until("rig")
            for one in silent:
                one.close()

    with running(tmp_path) as rig:
        run_async(check(rig))
