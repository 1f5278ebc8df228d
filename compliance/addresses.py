"""Addresses and identifiers: one written form for each, and the keyed digest under which it is looked up. Pure but for
the default key and region, which come from the settings."""

import hashlib
import hmac
import re
import unicodedata

import phonenumbers
from django.conf import settings

from compliance import keys

MAX_LENGTH = 254  # RFC 5321, section 4.5.3.1.3: a path has 256 octets with its angle brackets
LOCAL_PART = re.compile(r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}")
DOMAIN = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")
# Letters that the two standards of international domains turn into different domains (UTS #46, section 1.3).
AMBIGUOUS = re.compile("[ßς\u200c\u200d]")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class AddressError(ValueError):
    """The value is not an address of its kind; the message says why."""


def normalise(kind: str, value: str, *, region: str | None = None) -> str:
    """The one written form of an address, so that equal addresses have equal digests.

    E-mail: NFC, lower case, domain in its ASCII form (RFC 3490); a domain that RFC 5891 would read as another one is
    refused, for the mail would reach somebody else. Phone: E.164, with `region` (default: the setting DEFAULT_REGION)
    for numbers without a country prefix. Other kinds: NFC without surrounding space, case kept. Raises `AddressError`.
    """
    text = unicodedata.normalize("NFC", value).strip()
    if not text:
        raise AddressError("is empty")
    if len(text) > MAX_LENGTH:
        raise AddressError(f"is longer than {MAX_LENGTH} characters")
    if CONTROL.search(text):
        raise AddressError("contains control characters")
    if kind == "email":
        return _email(text)
    if kind == "phone":
        return _phone(text, region or settings.DEFAULT_REGION)
    return text


def digest(kind: str, normalised: str, *, key: bytes | None = None) -> bytes:
    """The 32 bytes under which an address is looked up: HMAC-SHA-256 over kind and value (RFC 2104)."""
    message = f"{kind}\0{normalised}".encode()
    return hmac.digest(key or keys.digest_key(), message, hashlib.sha256)


def _email(text: str) -> str:
    local, at, domain = text.lower().rpartition("@")
    if not at:
        raise AddressError("has no @")
    if AMBIGUOUS.search(domain):
        raise AddressError("has a domain that can be read in two ways; write it in its ASCII form (xn--...)")
    try:
        domain = domain.encode("idna").decode()
    except UnicodeError:
        raise AddressError("has an invalid domain") from None
    if not LOCAL_PART.fullmatch(local) or local.startswith(".") or local.endswith(".") or ".." in local:
        raise AddressError("has an invalid part before the @")
    if not DOMAIN.fullmatch(domain):
        raise AddressError("has an invalid domain")
    return f"{local}@{domain}"


def _phone(text: str, region: str) -> str:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        raise AddressError("is not a phone number") from None
    if not phonenumbers.is_possible_number(number):
        raise AddressError("has a wrong number of digits for its country")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
