"""Reading people: contacts for sending, look-up by identifier."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models.functions import Coalesce

from compliance.services import subjects
from segments import identities, masking
from segments.models import Identity, Profile, Source
from segments.profile_input import InputError


@dataclass(frozen=True)
class Contact:
    """How to reach a person: the name ('' when unknown) and the primary address of one kind, readable."""

    name: str
    address: str


def names_and_addresses(profile_ids: Sequence[int], kind: str) -> dict[int, Contact]:
    """The contacts of these people by profile id; who has no address of the kind, or was erased, is absent."""
    data_keys = subjects.data_keys(profile_ids)
    names = dict(Profile.objects.filter(pk__in=data_keys).values_list("pk", "name_encrypted"))
    rows = Identity.objects.filter(profile__in=data_keys, kind=kind, is_primary=True)
    return {
        profile_id: Contact(
            name=_name(data_keys[profile_id], names.get(profile_id)),
            address=identities.decrypt(data_keys[profile_id], kind, bytes(value)),
        )
        for profile_id, value in rows.values_list("profile_id", "value_encrypted")
    }


@dataclass(frozen=True)
class Glimpse:
    """Name and identifiers of a person, masked: enough to tell people apart, too little to use."""

    name: str
    identifiers: Sequence[tuple[str, str]]


def glimpses(profile_ids: Sequence[int]) -> dict[int, Glimpse]:
    """Masked names and identifiers (kind and value) by profile id; who was erased is absent."""
    data_keys = subjects.data_keys(profile_ids)
    names = Profile.objects.filter(pk__in=data_keys).values_list("pk", "name_encrypted")
    found: dict[int, list[tuple[str, str]]] = {profile_id: [] for profile_id in data_keys}
    for one in Identity.objects.filter(profile__in=data_keys).order_by("kind", "pk"):
        value = identities.decrypt(data_keys[one.profile_id], one.kind, bytes(one.value_encrypted))
        found[one.profile_id].append((one.kind, masking.mask_address(one.kind, value)))
    return {pk: Glimpse(masking.mask_name(_name(data_keys[pk], name)), found[pk]) for pk, name in names}


def current_id(uid: UUID) -> int | None:
    """The id of the person with this public id; an old one leads to the profile that it was merged into."""
    rows = Profile.objects.filter(subject__uid=uid)
    return rows.values_list(Coalesce("merged_into_id", "pk"), flat=True).first()


def names(profile_ids: Sequence[int]) -> dict[int, str]:
    """The names of these people, '' where unknown, readable; who was erased is absent."""
    data_keys = subjects.data_keys(profile_ids)
    stored = Profile.objects.filter(pk__in=data_keys).values_list("pk", "name_encrypted")
    return {profile_id: _name(data_keys[profile_id], name) for profile_id, name in stored}


def find_by_identifier(field: str, value: str, source: Source | None = None) -> Profile | None:
    """The person with this external_id (of `source`), email, phone, wechat or device. Raises `InputError`."""
    if field not in identities.FIELD_KINDS:
        raise InputError("kind", f"is none of {', '.join(identities.FIELD_KINDS)}")
    key, _ = identities.key_of(field, value, source)
    found = Identity.objects.filter(kind=key.kind, digest=key.digest).select_related("profile__subject").first()
    return found.profile if found else None


def _name(data_key: bytes, stored: bytes | memoryview | None) -> str:
    return identities.decrypt_name(data_key, bytes(stored)) if stored else ""
