"""The key that a rig and its remote cameras share: one text, from which both derive the same CURVE key pair.

A key has 128 random bits and a checksum, as 32 letters and digits in groups: ``k7qd-…``. It is stored on every machine
that uses it.
"""

import base64
import hashlib
import secrets
from pathlib import Path

import zmq
from zmq.utils import z85

from pose_rig.assets.private_file import config_folder, read_private, write_private
from pose_rig.errors import UsageError
from pose_rig.wire.authentication import Keys

SEED_BYTES, CHECKSUM_BYTES = 16, 4
GROUP = 4  # characters between two hyphens
KEY_FILE = "remote-cameras.key"


def new_key() -> str:
    """Returns a new random key."""
    seed = secrets.token_bytes(SEED_BYTES)
    text = base64.b32encode(seed + _checksum(seed)).decode().lower()
    return "-".join(text[at : at + GROUP] for at in range(0, len(text), GROUP))


def curve_keys(key: str) -> Keys:
    """Returns the key pair of a key; hyphens, spaces and case do not matter.

    Raises:
        UsageError: It is not a key, or has a typing error; the text is not repeated.
    """
    text = "".join(key.split()).replace("-", "").upper()
    try:
        data = base64.b32decode(text)
    except ValueError:
        data = b""
    seed = data[:SEED_BYTES]
    if len(data) != SEED_BYTES + CHECKSUM_BYTES or data[SEED_BYTES:] != _checksum(seed):
        raise UsageError(
            "That is not a key for remote cameras, or it has a typing error.",
            "Copy it from `pose-rig keys` on the machine of the rig: eight groups of four letters and digits.",
        )
    secret = z85.encode(hashlib.blake2b(seed, digest_size=32, person=b"pose-rig remote").digest())
    return Keys(zmq.curve_public(secret), secret)


def key_path() -> Path:
    """Returns where the key of this machine is stored."""
    return config_folder() / KEY_FILE


def stored_key() -> str:
    """Returns the key of this machine; empty if it has none.

    Raises:
        PoseRigError: The file cannot be read, or other users may read it.
    """
    return (read_private(key_path()) or b"").decode("ascii", "replace").strip()


def store_key(key: str) -> None:
    """Makes a key that of this machine, readable by this user only.

    Raises:
        UsageError: It is not a key.
        PoseRigError: The folder is not writable.
    """
    curve_keys(key)
    write_private(key_path(), f"{key.strip()}\n".encode("ascii"))


def machine_key() -> str:
    """Returns the key of this machine, made and stored if it has none.

    Raises:
        PoseRigError: The file cannot be read or written.
    """
    key = stored_key()
    if not key:
        key = new_key()
        store_key(key)
    return key


def _checksum(seed: bytes) -> bytes:
    return hashlib.sha256(seed).digest()[:CHECKSUM_BYTES]
