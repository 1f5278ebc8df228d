"""Looking at what identifies a person; every look leaves an audit leaf."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from compliance.services import audit, subjects
from segments import identities
from segments.models import Identity, Profile


@dataclass(frozen=True)
class Identifier:
    """An identifier of a person, readable."""

    kind: str
    value: str
    is_primary: bool


@dataclass(frozen=True)
class PersonalData:
    """The name ('' when unknown) and all identifiers of a person; both empty when the person was erased."""

    name: str
    identifiers: list[Identifier]


def look(*, profile: Profile, actor: str, now: datetime) -> PersonalData:
    """Decrypt name and identifiers for `actor`; the audit log keeps who looked at whom."""
    with transaction.atomic():
        audit.append(
            action="profile.personal_data_viewed",
            actor=actor,
            object_type="profile",
            object_id=str(profile.subject.uid),
            details={},
            now=now,
        )
        data_key = subjects.data_keys([profile.pk]).get(profile.pk)
        if data_key is None:
            return PersonalData(name="", identifiers=[])
        stored = profile.name_encrypted
        rows = Identity.objects.filter(profile=profile).order_by("kind", "pk")
        return PersonalData(
            name=identities.decrypt_name(data_key, bytes(stored)) if stored else "",
            identifiers=[
                Identifier(row.kind, identities.decrypt(data_key, row.kind, bytes(row.value_encrypted)), row.is_primary)
                for row in rows
            ],
        )
