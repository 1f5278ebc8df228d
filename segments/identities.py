"""The identifiers of a person: how they are written, digested and encrypted."""

from collections.abc import Iterable
from typing import NamedTuple

from compliance import addresses, keys, vault
from segments.models import IdentityKind, Source
from segments.profile_input import CONTROL, IDENTIFIERS, InputError, ProfileInput

FIELD_KINDS = {
    "external_id": IdentityKind.EXTERNAL,
    "email": IdentityKind.EMAIL,
    "phone": IdentityKind.PHONE,
    "wechat": IdentityKind.WECHAT,
    "device": IdentityKind.DEVICE,
}

Named = tuple[str, str]
"""An identifier's field and its value, such as ("email", "li@example.com")."""
NOBODY = ("", "")
NEEDED = f"one of {', '.join(IDENTIFIERS)} is needed"


class IdentityKey(NamedTuple):
    """What an identifier is looked up by: unique in the whole installation."""

    kind: str
    digest: bytes


def key_of(
    field: str, value: str, source: Source | None, *, digest_key: bytes | None = None
) -> tuple[IdentityKey, str]:
    """The key and the written form of one identifier. A customer number counts within its source only.

    `digest_key`: of the installation, at hand for many. Raises `InputError` naming the field.
    """
    kind = FIELD_KINDS[field]
    if kind == IdentityKind.EXTERNAL and source is None:
        raise InputError("source", "a customer number needs the source it belongs to")
    if CONTROL.search(value):
        raise InputError(field, "contains control characters")
    try:
        written = addresses.normalise(kind, value)
    except addresses.AddressError as error:
        raise InputError(field, str(error)) from None
    digested = f"{source.key}\0{written}" if kind == IdentityKind.EXTERNAL and source else written
    return IdentityKey(kind.value, addresses.digest(kind, digested, key=digest_key)), written


def keys_or_errors(named: Iterable[Named], source: Source) -> list[IdentityKey | InputError]:
    """The keys of identifiers in their order, or why one has none."""
    digest_key = keys.digest_key()
    found: list[IdentityKey | InputError] = []
    for field, value in named:
        if field not in FIELD_KINDS:
            found.append(InputError("identifier", NEEDED))
            continue
        try:
            found.append(key_of(field, value, source, digest_key=digest_key)[0])
        except InputError as error:
            found.append(error)
    return found


def keys_of(given: ProfileInput, source: Source) -> dict[IdentityKey, str]:
    """All identifiers of an input with their written forms. Raises `InputError` naming the field."""
    values = {field: getattr(given, field) for field in FIELD_KINDS}
    return dict(key_of(field, value, source) for field, value in values.items() if value)


def encrypt(data_key: bytes, kind: str, written: str) -> bytes:
    """An identifier as it is stored."""
    return vault.encrypt(data_key, written, f"identity:{kind}")


def decrypt(data_key: bytes, kind: str, blob: bytes) -> str:
    """A stored identifier. Raises `VaultError`."""
    return vault.decrypt(data_key, bytes(blob), f"identity:{kind}")


def encrypt_name(data_key: bytes, name: str) -> bytes:
    """A name as it is stored."""
    return vault.encrypt(data_key, name, "name")


def decrypt_name(data_key: bytes, blob: bytes) -> str:
    """A stored name. Raises `VaultError`."""
    return vault.decrypt(data_key, bytes(blob), "name")
