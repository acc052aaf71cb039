"""The TLS certificates of the web server: a root that is made once per machine, and a leaf for every start.

A browser that trusts the root trusts every later run of this machine. The root may only certify names in the local
network (RFC 5280, 4.2.1.10): whoever copies its key from this machine cannot pose as a public web site.
"""

import ipaddress
import socket
import ssl
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pose_rig.assets.private_file import read_private, write_private

ROOT_FILE = "web-root.pem"  # certificate and key
ROOT_VALID = timedelta(days=3650)
ROOT_LEAST_LEFT = timedelta(days=60)
LEAF_VALID = timedelta(days=90)  # browsers accept at most 397 days
CLOCK_TOLERANCE = timedelta(days=1)  # of phones whose clock is behind
LOCAL_DOMAINS = ("localhost", "local", "lan", "home.arpa", "internal")


@dataclass(frozen=True, slots=True)
class Root:
    """The root certificate of this machine and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def der(self) -> bytes:
        """Returns the certificate, which browsers install."""
        return self.certificate.public_bytes(serialization.Encoding.DER)


def load_root(folder: Path) -> Root:
    """Returns the root certificate of this machine; makes it if there is none, or if it expires soon.

    Raises:
        PoseRigError: The folder cannot be written, or other users may read the key.
    """
    path = folder / ROOT_FILE
    if root := _existing(path):
        return root
    root = _new_root()
    write_private(path, _pem(root.key) + root.certificate.public_bytes(serialization.Encoding.PEM))
    return _existing(path) or root  # that of another rig which made one at the same time


def server_context(root: Root, names: Sequence[str]) -> ssl.SSLContext:
    """Returns the TLS settings of a server, with a new certificate that the root signs.

    Args:
        root: Of this machine.
        names: Host names and IP addresses of the server.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = _leaf(root, key, names)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with tempfile.TemporaryDirectory(prefix="pose-rig-") as folder:  # mode 0700; ssl loads files only
        path = Path(folder) / "leaf.pem"
        path.write_bytes(_pem(key) + leaf.public_bytes(serialization.Encoding.PEM))
        context.load_cert_chain(path)
    return context


def _existing(path: Path) -> Root | None:
    """Returns the root in a file; None if there is none, if it is damaged, or if it expires soon."""
    data = read_private(path)
    if data is None:
        return None
    with suppress(ValueError):
        certificate, key = x509.load_pem_x509_certificate(data), serialization.load_pem_private_key(data, None)
        left = certificate.not_valid_after_utc - datetime.now(UTC)
        if isinstance(key, ec.EllipticCurvePrivateKey) and left > ROOT_LEAST_LEFT:
            return Root(certificate, key)
    return None


def _new_root() -> Root:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"pose-rig on {socket.gethostname()}"[:64])
    domains = dict.fromkeys((*LOCAL_DOMAINS, socket.gethostname().lower()))
    permitted = [x509.DNSName(domain) for domain in domains if domain.isascii()]
    certificate = (
        _builder(name, name, key.public_key(), ROOT_VALID)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.NameConstraints(permitted, None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Root(certificate, key)


def _leaf(root: Root, key: ec.EllipticCurvePrivateKey, names: Sequence[str]) -> x509.Certificate:
    issuer, issuer_key = root.certificate.subject, root.key.public_key()
    return (
        _builder(_name("pose-rig"), issuer, key.public_key(), LEAF_VALID)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
        .sign(root.key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, valid: timedelta
) -> x509.CertificateBuilder:
    start = datetime.now(UTC) - CLOCK_TOLERANCE
    return (
        x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + valid)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates, key_cert_sign=signs_certificates, crl_sign=signs_certificates,
        content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, plain)
