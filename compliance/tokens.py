"""The token of an unsubscribe link: opaque, short, valid for years, checked without a look-up. Pure but for the keys.

The bytes are `key id (1) || subject (8) || purpose (4) || channel (1) || reference (8) || address digest (32) ||
MAC (16)`, base64url without padding. Everything that a withdrawal needs is inside, so the link works when profile,
delivery or campaign are long gone.
"""

import base64
import binascii
import hashlib
import hmac
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from compliance import keys as installation
from compliance.channels import Channel

FORM = struct.Struct(">BqIBq32s")
MAC_BYTES = 16
CHANNELS = [
    Channel.EMAIL,
    Channel.SMS,
    Channel.PUSH,
    Channel.WECHAT,
    Channel.INAPP,
    Channel.WEBHOOK,
]  # append only


class TokenError(ValueError):
    """The token was not issued by this installation."""


@dataclass(frozen=True)
class Claim:
    """What a token says: who, for which purpose and channel, at which address, and about which message."""

    subject_id: int
    purpose_id: int
    channel: str
    digest: bytes
    reference: int


def issue(claim: Claim, *, keys: Mapping[int, bytes] | None = None) -> str:
    """The token of a claim, signed with the newest key."""
    ring = keys or installation.token_keys()
    key_id = max(ring)
    channel = CHANNELS.index(Channel(claim.channel))
    data = FORM.pack(key_id, claim.subject_id, claim.purpose_id, channel, claim.reference, claim.digest)
    return base64.urlsafe_b64encode(data + _mac(ring[key_id], data)).rstrip(b"=").decode()


def read(token: str, *, keys: Mapping[int, bytes] | None = None) -> Claim:
    """The claim in a token, signed with any key of the ring. Raises `TokenError`."""
    ring = keys or installation.token_keys()
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise TokenError("not a token") from None
    data, mac = raw[: FORM.size], raw[FORM.size :]
    if len(raw) != FORM.size + MAC_BYTES:
        raise TokenError("not a token")
    key_id, subject_id, purpose_id, channel, reference, digest = FORM.unpack(data)
    if key_id not in ring or not hmac.compare_digest(mac, _mac(ring[key_id], data)):
        raise TokenError("not issued here")
    return Claim(subject_id, purpose_id, CHANNELS[channel], digest, reference)


def _mac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, b"unsubscribe\0" + data, hashlib.sha256)[:MAC_BYTES]
