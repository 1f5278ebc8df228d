"""Encryption of personal data: AES-256-GCM under a key per person, itself wrapped by the master key. Pure.

A blob is `version (1 byte) || nonce (12 bytes) || ciphertext || tag (16 bytes)`. The context is authenticated, so that
a blob moved to another person or column does not decrypt.
"""

import os
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VERSION = b"\x01"
NONCE_BYTES = 12  # NIST SP 800-38D, section 8.2.2: random nonces of 96 bits
KEY_BYTES = 32


class VaultError(Exception):
    """The value cannot be decrypted: wrong key or context, or it was altered."""


def new_data_key() -> bytes:
    """A fresh key for one person."""
    return os.urandom(KEY_BYTES)


def wrap(master_key: bytes, data_key: bytes, subject_uid: UUID) -> bytes:
    """The data key encrypted under the master key, tied to its subject."""
    return _seal(master_key, data_key, _wrap_context(subject_uid))


def unwrap(master_key: bytes, wrapped: bytes, subject_uid: UUID) -> bytes:
    """The data key of a subject. Raises `VaultError`."""
    return _open(master_key, wrapped, _wrap_context(subject_uid))


def encrypt(key: bytes, text: str, context: str) -> bytes:
    """`text` encrypted under `key`; `context` says what it is and must be given again to read it."""
    return _seal(key, text.encode(), context.encode())


def decrypt(key: bytes, blob: bytes, context: str) -> str:
    """The text in `blob`. Raises `VaultError`."""
    return _open(key, blob, context.encode()).decode()


def derive(master_key: bytes, label: str) -> bytes:
    """A key of its own for data that belongs to no single person (HKDF, RFC 5869)."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"heed/" + label.encode()).derive(master_key)


def _seal(key: bytes, data: bytes, context: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return VERSION + nonce + AESGCM(key).encrypt(nonce, data, context)


def _open(key: bytes, blob: bytes, context: bytes) -> bytes:
    blob = bytes(blob)
    if blob[:1] != VERSION:
        raise VaultError("unknown form of encrypted value")
    try:
        return AESGCM(key).decrypt(blob[1 : 1 + NONCE_BYTES], blob[1 + NONCE_BYTES :], context)
    except (InvalidTag, ValueError) as error:
        raise VaultError("the value does not decrypt with this key and context") from error


def _wrap_context(subject_uid: UUID) -> bytes:
    return b"data-key:" + subject_uid.bytes
