"""Looking at what identifies a person; every look leaves an audit leaf."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from compliance.models import Subject
from compliance.services import audit, subjects
from segments import identities
from segments.models import Identity, Profile
from segments.selectors import profiles


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


def look_at_names(*, profile_ids: Sequence[int], actor: str, now: datetime) -> dict[int, str]:
    """Decrypt the names of some people, '' where unknown; the erased are absent. Each person gets an audit leaf."""
    with transaction.atomic():
        found = profiles.names(profile_ids)
        uids = Subject.objects.filter(pk__in=found).order_by("pk").values_list("uid", flat=True)
        leaves = [
            audit.Entry("profile.personal_data_viewed", actor, "profile", str(uid), {"what": "name"}) for uid in uids
        ]
        audit.append_many(entries=leaves, now=now)
        return found
