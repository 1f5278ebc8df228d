"""Creating and updating people from what a source knows of them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from compliance.services import audit, subjects
from segments import causes, identities
from segments.identities import IdentityKey
from segments.models import Identity, IdentityKind, MergeCause, Profile, ProfileStats, Source
from segments.precedence import contradictions
from segments.profile_input import InputError, ProfileInput, check
from segments.services import identity_scopes, join_reviews, joining, merging, touches
from segments.services.joining import Person

BATCH = 5_000
ATTEMPTS = 5
PLAIN_COLUMNS = ("gender", "birth_date", "language", "country", "region", "city", "timezone")


@dataclass(frozen=True)
class ProfileResult:
    """What became of one input. `field` and `reason` say why it was refused; then `profile_id` is None.

    `merged`: it showed two known people to be one. `in_review`: it names somebody else too, and staff are to decide.
    """

    profile_id: int | None
    created: bool = False
    merged: bool = False
    in_review: bool = False
    field: str = ""
    reason: str = ""


class _StaleError(Exception):
    """Another transaction has just merged or parted one of these people, or given them an identifier."""


def upsert_many(*, source: Source, inputs: Sequence[ProfileInput], actor: str, now: datetime) -> list[ProfileResult]:
    """Create or update one person per input, in one transaction. Returns a result for each input, in their order.

    A person is recognised by any of their identifiers; `joining` says whom an input speaks of that names several, and
    who is merged then. Fields that an input leaves out stay as they are; further attributes are merged key by key; an
    address given last is the primary one of its kind. An input that is wrong is refused while the others are taken.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with transaction.atomic():
                return _upsert(source, inputs, actor, now)
        except (IntegrityError, _StaleError):
            # Another transaction has just made or changed one of these people; the next attempt finds them.
            if attempt == ATTEMPTS:
                raise
    raise AssertionError("the loop returns or raises")


def _upsert(source: Source, inputs: Sequence[ProfileInput], actor: str, now: datetime) -> list[ProfileResult]:
    read = [_read(given, source, now) for given in inputs]
    batch = joining.Batch(source, [item for item in read if not isinstance(item, ProfileResult)])
    outcome = [
        item if isinstance(item, ProfileResult) else batch.assign(place, item) for place, item in enumerate(read)
    ]
    known = _merge(batch, actor, now)
    people = batch.people
    data_keys = _update([person for person in people if person.profile_id is not None], known, now)
    data_keys |= _create([person for person in people if person.profile_id is None], now)
    _store_identities(people, data_keys, now)
    merged = {join.place for join in batch.joins}
    in_review = join_reviews.open_many(source=source, conflicts=batch.conflicts, actor=actor, now=now)
    results = [
        item
        if isinstance(item, ProfileResult)
        else ProfileResult(_id(item.now()), item.now().created, merged=place in merged, in_review=place in in_review)
        for place, item in enumerate(outcome)
    ]
    _log(source, batch, results, actor, now)
    return results


def _merge(batch: joining.Batch, actor: str, now: datetime) -> Mapping[int, Profile]:
    """Lock everybody the batch changes, see that they still are who they were, and merge those who are one.

    Returns the known people by id, as they are then. Raises `_StaleError`.
    """
    pairs = [(_id(join.survivor), _id(join.absorbed), join) for join in batch.joins]
    merged = {profile_id for survivor_id, absorbed_id, _ in pairs for profile_id in (survivor_id, absorbed_id)}
    changed = {person.profile_id for person in batch.people if person.profile_id is not None} | merged
    people = merging.lock(merged, changed)
    if people.keys() != changed or any(profile.merged_into_id for profile in people.values()):
        raise _StaleError
    holdings = identity_scopes.holdings(merged)
    for survivor_id, absorbed_id, join in pairs:
        if contradictions(holdings[survivor_id], holdings[absorbed_id]):
            raise _StaleError
        holdings[survivor_id] |= holdings[absorbed_id]
        merging.merge(
            survivor_id=survivor_id, absorbed_id=absorbed_id, cause=MergeCause.IDENTIFIER, shared_kinds=join.kinds,
            actor=actor, now=now,
        )  # fmt: skip
    return Profile.objects.in_bulk(changed) if pairs else people


def _id(person: Person) -> int:
    """The id of somebody who is known or was created."""
    if person.profile_id is None:
        raise AssertionError("the person was not created yet")
    return person.profile_id


def _read(given: ProfileInput, source: Source, now: datetime) -> joining.Read | ProfileResult:
    try:
        check(given, today=now.date())
        return given, identities.keys_of(given, source)
    except InputError as error:
        return ProfileResult(None, field=error.field, reason=error.reason)


def _create(people: Sequence[Person], now: datetime) -> dict[int, bytes]:
    """Make these people; returns their data keys."""
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
    return data_keys


def _update(people: Sequence[Person], known: Mapping[int, Profile], now: datetime) -> dict[int, bytes]:
    """Change these people, who are locked; returns their data keys."""
    by_id = {_id(person): person for person in people}
    data_keys = subjects.data_keys(by_id)
    changed, touched = [], []
    for profile in (known[profile_id] for profile_id in sorted(by_id)):
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
    return data_keys


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


def _store_identities(people: Sequence[Person], data_keys: Mapping[int, bytes], now: datetime) -> None:
    """Add identifiers that are new; the last of its kind becomes the primary one."""
    by_id = {_id(person): person for person in people}
    known = {
        IdentityKey(kind, bytes(digest)): is_primary
        for kind, digest, is_primary in Identity.objects.filter(
            profile__in=[pk for pk, person in by_id.items() if not person.created]
        ).values_list("kind", "digest", "is_primary")
    }
    added: list[Identity] = []
    demoted: dict[str, list[int]] = defaultdict(list)
    for profile_id, person in by_id.items():
        given = person.identities
        newest = {key.kind: key for key in given}
        for key, written in given.items():
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
    # In one order for everybody: a second transaction with the same new identifiers waits, and never in a circle.
    Identity.objects.bulk_create(sorted(added, key=lambda one: (one.kind, one.digest)), batch_size=BATCH)


def _log(source: Source, batch: joining.Batch, results: Sequence[ProfileResult], actor: str, now: datetime) -> None:
    people = batch.people
    created = sum(person.created for person in people)
    details = {
        "source": source.key,
        "inputs": len(results),
        "created": created,
        "known": len(people) - created,
        "refused": sum(result.profile_id is None for result in results),
        "merged": len(batch.joins),
        "conflicts": len(batch.conflicts),
    }
    ignored = dict.fromkeys((_id(one.person.now()), _id(one.other.now())) for one in batch.disagreements)
    audit.append_many(
        entries=[
            audit.Entry("identity.device_shared", actor, "profile", str(person), {"source": source.key, "with": other})
            for person, other in ignored
        ],
        now=now,
    )
    audit.append(
        action="profiles.upserted", actor=actor, object_type="source", object_id=source.key, details=details, now=now
    )
