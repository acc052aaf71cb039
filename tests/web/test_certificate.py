import socket
import ssl
import stat
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from pose_rig.web.certificate import ROOT_FILE, Root, load_root, server_context


def handshake(root: Root, names: tuple[str, ...], asked: str) -> x509.Certificate:
    """Returns the certificate with which a server with these names convinces a client that trusts the root."""
    trusting = ssl.create_default_context(cadata=root.certificate.public_bytes(Encoding.PEM).decode())
    inner, outer = socket.socketpair()

    def serve() -> None:
        try:
            with closing(server_context(root, names).wrap_socket(inner, server_side=True)) as connection:
                connection.recv(1)
        except OSError:
            inner.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with closing(trusting.wrap_socket(outer, server_hostname=asked)) as connection:
            return x509.load_der_x509_certificate(connection.getpeercert(binary_form=True) or b"")
    finally:
        outer.close()
        thread.join()


def test_the_root_is_made_once_and_is_private(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    first, second = load_root(folder), load_root(folder)
    assert first.der() == second.der()
    assert stat.S_IMODE((folder / ROOT_FILE).stat().st_mode) == 0o600
    assert first.certificate.not_valid_after_utc - datetime.now(UTC) > timedelta(days=3600)


def test_a_damaged_root_is_replaced(tmp_path: Path) -> None:
    before = load_root(tmp_path).der()
    (tmp_path / ROOT_FILE).write_bytes(b"-----BEGIN CERTIFICATE-----\nno\n")
    assert load_root(tmp_path).der() != before


@pytest.mark.parametrize("asked", ["127.0.0.1", "192.168.1.20", "localhost"])
def test_a_client_that_trusts_the_root_accepts_the_server(tmp_path: Path, asked: str) -> None:
    leaf = handshake(load_root(tmp_path), ("127.0.0.1", "192.168.1.20", "localhost"), asked)
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc <= timedelta(days=397)
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_another_address_or_a_public_name_is_not_accepted(tmp_path: Path) -> None:
    root = load_root(tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
        handshake(root, ("127.0.0.1",), "192.168.1.20")
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree"):
        handshake(root, ("bank.example.com",), "bank.example.com")
