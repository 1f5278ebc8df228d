"""The credentials of sending channels: stored encrypted, under a key derived from the master key."""

from compliance import keys, vault

LABEL = "channel credentials"


def encrypt(channel_key: str, credential: str) -> bytes:
    """The stored form, tied to the channel's key, which never changes."""
    return vault.encrypt(vault.derive(keys.master_key(), LABEL), credential, channel_key)


def decrypt(channel_key: str, stored: bytes) -> str:
    """The credential. Raises `VaultError`."""
    return vault.decrypt(vault.derive(keys.master_key(), LABEL), stored, channel_key)
