"""Checkpoints as text: the C2SP tlog-checkpoint body inside a C2SP signed note, with Ed25519. Pure.

The body is three lines, origin, size and base64 root, then one extension line that names the checkpoint before it by
the SHA-256 of its whole text. After an empty line stands one signature line: an em dash, the key name and base64 of
the four-byte key id followed by the signature.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519 = b"\x01"  # the signature type in a key id
PREVIOUS = "previous "
KEY_ID_BYTES = 4


class NoteError(ValueError):
    """The text is not a checkpoint, or not signed by the key it is checked with."""


@dataclass(frozen=True)
class CheckpointBody:
    """What a checkpoint says. `previous` is the SHA-256 of the previous checkpoint's text, empty for the first."""

    origin: str
    size: int
    root: bytes
    previous: bytes


def note_digest(note: str) -> bytes:
    """How the next checkpoint refers to this one."""
    return hashlib.sha256(note.encode()).digest()


def sign(body: CheckpointBody, key: Ed25519PrivateKey) -> str:
    """The signed text."""
    text = f"{body.origin}\n{body.size}\n{_b64(body.root)}\n"
    if body.previous:
        text += f"{PREVIOUS}{_b64(body.previous)}\n"
    signature = key_id(body.origin, key.public_key()) + key.sign(text.encode())
    return f"{text}\n\N{EM DASH} {body.origin} {_b64(signature)}\n"


def verify(note: str, key: Ed25519PublicKey) -> CheckpointBody:
    """The body of a note, its signature checked. Raises `NoteError`."""
    text, separator, tail = note.partition("\n\n")
    body = _parse(text + "\n")
    words = tail.removesuffix("\n").split(" ")
    if not separator or len(words) != 3 or words[:2] != ["\N{EM DASH}", body.origin]:  # noqa: PLR2004
        raise NoteError("the note has no signature line of its origin")
    signature = _bytes(words[2])
    if signature[:KEY_ID_BYTES] != key_id(body.origin, key):
        raise NoteError("the note is signed by another key")
    try:
        key.verify(signature[KEY_ID_BYTES:], (text + "\n").encode())
    except InvalidSignature:
        raise NoteError("the signature is wrong") from None
    return body


def key_id(name: str, key: Ed25519PublicKey) -> bytes:
    """The first four bytes of SHA-256(name || newline || type || public key)."""
    return hashlib.sha256(name.encode() + b"\n" + ED25519 + key.public_bytes_raw()).digest()[:KEY_ID_BYTES]


def _parse(text: str) -> CheckpointBody:
    lines = text.removesuffix("\n").split("\n")
    if len(lines) not in (3, 4) or not lines[0] or not lines[1].isascii() or not lines[1].isdigit():
        raise NoteError("the text is not a checkpoint")
    previous = b""
    if len(lines) == 4:  # noqa: PLR2004
        if not lines[3].startswith(PREVIOUS):
            raise NoteError("the checkpoint has an unknown extension line")
        previous = _bytes(lines[3].removeprefix(PREVIOUS))
    return CheckpointBody(origin=lines[0], size=int(lines[1]), root=_bytes(lines[2]), previous=previous)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NoteError("a part of the note is not base64") from None
