"""The written form of an inbox message: title and body, encrypted under the person's data key. Pure."""

import json

from compliance import vault


def seal(data_key: bytes, *, delivery_key: str, title: str, body: str) -> bytes:
    """The stored form, tied to the delivery."""
    return vault.encrypt(data_key, json.dumps([title, body], ensure_ascii=False), _context(delivery_key))


def read(data_key: bytes, *, delivery_key: str, stored: bytes) -> tuple[str, str]:
    """Title and body. Raises `VaultError`."""
    title, body = json.loads(vault.decrypt(data_key, stored, _context(delivery_key)))
    return title, body


def _context(delivery_key: str) -> str:
    return f"inbox:{delivery_key}"
