"""The installation's keys, read from the settings when they are used."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings


def master_key() -> bytes:
    """The 32 bytes that wrap the data key of every subject."""
    key: bytes = settings.MASTER_KEY
    return key


def digest_key() -> bytes:
    """The 32 bytes that key the digests of addresses. Never rotated: digests outlive what they were made from."""
    key: bytes = settings.DIGEST_KEY
    return key


def token_keys() -> dict[int, bytes]:
    """The keys of unsubscribe links by key id. The highest id signs; all of them are accepted."""
    return {0: settings.TOKEN_KEY}


def audit_key() -> Ed25519PrivateKey:
    """The key that signs checkpoints of the audit log."""
    return Ed25519PrivateKey.from_private_bytes(settings.AUDIT_KEY)
