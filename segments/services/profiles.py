"""Creating and updating people from what a source knows of them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from compliance.services import audit, subjects
from segments import causes, identities
from segments.identities import IdentityKey
from segments.models import Identity, IdentityKind, Profile, ProfileStats, Source
from segments.profile_input import InputError, ProfileInput, check
from segments.services import touches

BATCH = 5_000
ATTEMPTS = 3
PLAIN_COLUMNS = ("gender", "birth_date", "language", "country", "region", "city", "timezone")


@dataclass(frozen=True)
class ProfileResult:
    """What became of one input. `field` and `reason` say why it was refused; then `profile_id` is None."""

    profile_id: int | None
    created: bool = False
    field: str = ""
    reason: str = ""


@dataclass
class _Person:
    """One person of the batch: known (`profile_id`) or to be made, and what the inputs say of them, oldest first."""

    profile_id: int | None
    created: bool = False
    inputs: list[ProfileInput] = field(default_factory=list)
    identities: dict[IdentityKey, str] = field(default_factory=dict)


def upsert_many(*, source: Source, inputs: Sequence[ProfileInput], actor: str, now: datetime) -> list[ProfileResult]:
    """Create or update one person per input, in one transaction. Returns a result for each input, in their order.

    A person is recognised by any of their identifiers. Fields that an input leaves out stay as they are; further
    attributes are merged key by key; an address given last is the primary one of its kind. An input that is wrong, or
    whose identifiers belong to different people, is refused while the others are taken.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with transaction.atomic():
                return _upsert(source, inputs, actor, now)
        except IntegrityError:
            # Another transaction has just made one of these people; the next attempt finds them.
            if attempt == ATTEMPTS:
                raise
    raise AssertionError("the loop returns or raises")


def _upsert(source: Source, inputs: Sequence[ProfileInput], actor: str, now: datetime) -> list[ProfileResult]:
    read = [_read(given, source, now) for given in inputs]
    owners = _owners(key for item in read if not isinstance(item, ProfileResult) for key in item[1])
    outcome = [item if isinstance(item, ProfileResult) else _assign(*item, owners) for item in read]
    people = list({id(item): item for item in outcome if isinstance(item, _Person)}.values())
    _create([person for person in people if person.profile_id is None], now)
    _update([person for person in people if not person.created], now)
    results = [
        item if isinstance(item, ProfileResult) else ProfileResult(item.profile_id, item.created) for item in outcome
    ]
    _log(source, people, results, actor, now)
    return results


def _read(
    given: ProfileInput, source: Source, now: datetime
) -> tuple[ProfileInput, dict[IdentityKey, str]] | ProfileResult:
    try:
        check(given, today=now.date())
        return given, identities.keys_of(given, source)
    except InputError as error:
        return ProfileResult(None, field=error.field, reason=error.reason)


def _owners(keys: Iterable[IdentityKey]) -> dict[IdentityKey, _Person]:
    """The known people to whom any of these identifiers belongs."""
    wanted = set(keys)
    rows = Identity.objects.filter(digest__in={key.digest for key in wanted})
    people: dict[int, _Person] = {}
    owners: dict[IdentityKey, _Person] = {}
    for kind, digest, profile_id in rows.values_list("kind", "digest", "profile_id"):
        owners[IdentityKey(kind, bytes(digest))] = people.setdefault(profile_id, _Person(profile_id))
    return owners


def _assign(
    given: ProfileInput, keys: dict[IdentityKey, str], owners: dict[IdentityKey, _Person]
) -> ProfileResult | _Person:
    """The person an input speaks of. Identifiers that earlier inputs of the batch brought in count as well."""
    found = {id(owners[key]): owners[key] for key in keys if key in owners}
    if len(found) > 1:
        kinds = ", ".join(sorted(key.kind for key in keys if key in owners))
        return ProfileResult(None, field=kinds, reason="these identifiers belong to different people")
    person = next(iter(found.values()), None) or _Person(None)
    person.inputs.append(given)
    person.identities |= keys
    owners |= dict.fromkeys(keys, person)
    return person


def _create(people: Sequence[_Person], now: datetime) -> None:
    profiles, data_keys = [], {}
    for person, (subject, data_key) in zip(people, subjects.create_many(count=len(people), now=now), strict=True):
        person.profile_id, person.created = subject.pk, True
        data_keys[subject.pk] = data_key
        profile = Profile(subject=subject, created_at=now, updated_at=now)
        for given in person.inputs:
            _apply(profile, given, data_key)
        profiles.append(profile)
    Profile.objects.bulk_create(profiles, batch_size=BATCH)
    touches.add(touched=[(profile.pk, causes.IDENTITY) for profile in profiles], now=now)
    ProfileStats.objects.bulk_create([ProfileStats(profile_id=profile.pk) for profile in profiles], batch_size=BATCH)
    _store_identities(people, data_keys, now)


def _update(people: Sequence[_Person], now: datetime) -> None:
    by_id = {person.profile_id: person for person in people if person.profile_id is not None}
    data_keys = subjects.data_keys(by_id)
    changed, touched = [], []
    for profile in Profile.objects.filter(pk__in=by_id).order_by("pk").select_for_update():
        inputs = by_id[profile.pk].inputs
        names = set().union(*[_apply(profile, given, data_keys[profile.pk]) for given in inputs])
        if names:
            profile.updated_at = now
            changed.append(profile)
            touched += [(profile.pk, causes.attribute(name)) for name in sorted(names)]
    # The rows are there and locked, so each conflicts and is updated; bulk_update would take ten times as long.
    Profile.objects.bulk_create(
        changed, BATCH, update_conflicts=True, unique_fields=["subject"],
        update_fields=["name_encrypted", "attributes", "updated_at", *PLAIN_COLUMNS],
    )  # fmt: skip
    touches.add(touched=touched, now=now)
    _store_identities(people, data_keys, now)


def _apply(profile: Profile, given: ProfileInput, data_key: bytes) -> set[str]:
    """Put what the input says into the profile; returns the names of what changed, as rules call them."""
    changes: dict[str, Any] = {
        name: getattr(given, name)
        for name in PLAIN_COLUMNS
        if getattr(given, name) is not None and getattr(given, name) != getattr(profile, name)
    }
    known = profile.attributes
    new = {key for key, value in given.attributes.items() if key not in known or known[key] != value}
    if new:
        changes["attributes"] = {**known, **given.attributes}
    stored = profile.name_encrypted
    if given.name is not None and given.name != (identities.decrypt_name(data_key, bytes(stored)) if stored else ""):
        changes["name_encrypted"] = identities.encrypt_name(data_key, given.name)
    for name, value in changes.items():
        setattr(profile, name, value)
    return (changes.keys() - {"attributes"}) | {f"attributes.{key}" for key in new}


def _store_identities(people: Sequence[_Person], data_keys: Mapping[int, bytes], now: datetime) -> None:
    """Add identifiers that are new; the last of its kind becomes the primary one."""
    by_id = {person.profile_id: person for person in people if person.profile_id is not None}
    known = {
        IdentityKey(kind, bytes(digest)): is_primary
        for kind, digest, is_primary in Identity.objects.filter(
            profile__in=[pk for pk, person in by_id.items() if not person.created]
        ).values_list("kind", "digest", "is_primary")
    }
    added: list[Identity] = []
    demoted: dict[str, list[int]] = defaultdict(list)
    for profile_id, person in by_id.items():
        newest = {key.kind: key for key in person.identities}
        for key, written in person.identities.items():
            if key in known:
                continue
            is_primary = newest[key.kind] == key or key.kind == IdentityKind.EXTERNAL
            if is_primary and not person.created and key.kind != IdentityKind.EXTERNAL:
                demoted[key.kind].append(profile_id)
            added.append(
                Identity(
                    profile_id=profile_id, kind=key.kind, digest=key.digest, is_primary=is_primary, created_at=now,
                    value_encrypted=identities.encrypt(data_keys[profile_id], key.kind, written),
                )
            )  # fmt: skip
    for kind, profile_ids in demoted.items():
        Identity.objects.filter(profile__in=profile_ids, kind=kind, is_primary=True).update(is_primary=False)
    Identity.objects.bulk_create(added, batch_size=BATCH)


def _log(
    source: Source, people: Sequence[_Person], results: Sequence[ProfileResult], actor: str, now: datetime
) -> None:
    created = sum(person.created for person in people)
    details = {
        "source": source.key,
        "inputs": len(results),
        "created": created,
        "known": len(people) - created,
        "refused": sum(result.profile_id is None for result in results),
    }
    audit.append(
        action="profiles.upserted", actor=actor, object_type="source", object_id=source.key, details=details, now=now
    )
