"""Reading people: contacts for sending, look-up by identifier."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models.functions import Coalesce

from compliance.services import subjects
from segments import identities
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


def current_id(uid: UUID) -> int | None:
    """The id of the person with this public id; an old one leads to the profile that it was merged into."""
    rows = Profile.objects.filter(subject__uid=uid)
    return rows.values_list(Coalesce("merged_into_id", "pk"), flat=True).first()


def find_by_identifier(field: str, value: str, source: Source | None = None) -> Profile | None:
    """The person with this external_id (of `source`), email, phone, wechat or device. Raises `InputError`."""
    if field not in identities.FIELD_KINDS:
        raise InputError("kind", f"is none of {', '.join(identities.FIELD_KINDS)}")
    key, _ = identities.key_of(field, value, source)
    found = Identity.objects.filter(kind=key.kind, digest=key.digest).select_related("profile__subject").first()
    return found.profile if found else None


def _name(data_key: bytes, stored: bytes | memoryview | None) -> str:
    return identities.decrypt_name(data_key, bytes(stored)) if stored else ""
