"""Signed webhooks in the form of the Standard Webhooks specification 1.0, "v1" symmetric signatures. Pure."""

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Mapping
from datetime import datetime

PREFIX = "whsec_"
SECRET_BYTES = 32
SECRET_LENGTHS = range(24, 65)  # bytes, as the specification has them
TOLERANCE_SECONDS = 300


class SignatureError(ValueError):
    """The message was not signed with this secret, was changed, or is too old."""


def new_secret() -> str:
    """A secret to share with the receiver."""
    return PREFIX + base64.b64encode(os.urandom(SECRET_BYTES)).decode()


def headers(*, secret: str, message_id: str, body: bytes, now: datetime) -> dict[str, str]:
    """The three headers of a message. Raises `SignatureError` for a malformed secret."""
    timestamp = str(int(now.timestamp()))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": "v1," + _signature(secret, message_id, timestamp, body),
    }


def verify(*, secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    """Check a message with its headers, named in lower case. Raises `SignatureError`."""
    try:
        message_id, timestamp = headers["webhook-id"], headers["webhook-timestamp"]
        signatures = headers["webhook-signature"].split(" ")
    except KeyError as error:
        raise SignatureError(f"the header {error.args[0]} is missing") from None
    if not (timestamp.isascii() and timestamp.isdigit()):
        raise SignatureError("webhook-timestamp is not a time in seconds")
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE_SECONDS:
        raise SignatureError("webhook-timestamp is more than five minutes off")
    wanted = "v1," + _signature(secret, message_id, timestamp, body)
    if not any(hmac.compare_digest(wanted, given) for given in signatures):
        raise SignatureError("webhook-signature does not fit")


def _signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if len(key) not in SECRET_LENGTHS:
        raise SignatureError("the secret is not base64 of 24 to 64 bytes")
    signed = f"{message_id}.{timestamp}.".encode() + body
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
