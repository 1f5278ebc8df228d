"""Taking in events: stored once, counted in the person's statistics in the same transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models.functions import Coalesce

from segments import identities
from segments.event_input import EventInput, check, dedup_key
from segments.event_line import line, utc
from segments.models import Identity, Profile, Source
from segments.partitions import month_of
from segments.profile_input import IDENTIFIERS, InputError
from segments.services import event_store

Named = tuple[str, str]  # an identifier's field and its value, such as ("email", "li@example.com")


class UnknownPersonError(InputError):
    """Nobody is known by this identifier."""

    def __init__(self, field: str) -> None:
        super().__init__(field, "no person with this identifier is known")


@dataclass(frozen=True)
class EventResult:
    """What became of one event: `accepted`, `duplicate` or `rejected` with the field and the reason."""

    status: str
    field: str = ""
    reason: str = ""


def ingest(*, source: Source, events: Sequence[EventInput], actor: str, now: datetime) -> list[EventResult]:
    """Store events of people who are known, in one transaction. Returns a result for each, in their order.

    An event that the same source sent before (same event id, person and time) is a `duplicate` and counts nothing; so
    is a second one with the event id of another in the same call. `actor` is who sends; events are too many for an
    audit leaf each, and each row names its source and time of receipt.
    """
    people = find_people(source=source, named={(event.identifier, event.value) for event in events if not event.uid})
    by_uid = _by_uid({event.uid for event in events if event.uid})
    keys: list[str | InputError] = []
    lines: dict[str, str] = {}
    for event in events:
        key, profile_id = _read(event, source, people, by_uid, now)
        keys.append(key)
        if isinstance(key, str) and key not in lines:
            lines[key] = line(event, profile_id=profile_id, dedup=key)
    good = [event for event, key in zip(events, keys, strict=True) if isinstance(key, str)]
    months = {month_of(utc(event.occurred_at)) for event in good}
    stored = event_store.store(source=source, lines=lines, months=months, now=now)
    return [_result(key, stored) for key in keys]


def find_people(*, source: Source, named: Iterable[Named]) -> dict[Named, int | InputError]:
    """The people with these identifiers by one look-up, or why there is none (`UnknownPersonError`: nobody yet)."""
    keys = {name: _key(name, source) for name in named}
    wanted = [key.digest for key in keys.values() if isinstance(key, identities.IdentityKey)]
    rows = Identity.objects.filter(digest__in=wanted).values_list("kind", "digest", "profile_id")
    owners = {identities.IdentityKey(kind, bytes(digest)): profile_id for kind, digest, profile_id in rows}
    return {
        name: key if isinstance(key, InputError) else owners.get(key) or UnknownPersonError(name[0])
        for name, key in keys.items()
    }


def _key(name: Named, source: Source) -> identities.IdentityKey | InputError:
    field, value = name
    if field not in identities.FIELD_KINDS:
        return InputError("identifier", f"one of {', '.join(IDENTIFIERS)} is needed")
    try:
        return identities.key_of(field, value, source)[0]
    except InputError as error:
        return error


def _by_uid(uids: set[UUID]) -> dict[UUID, int]:
    """People by public id; an old one leads to the profile that the person was merged into."""
    rows = Profile.objects.filter(subject__uid__in=uids)
    return dict(rows.values_list("subject__uid", Coalesce("merged_into_id", "pk")))


def _read(
    event: EventInput,
    source: Source,
    people: Mapping[Named, int | InputError],
    by_uid: Mapping[UUID, int],
    now: datetime,
) -> tuple[str | InputError, int]:
    """The dedup key and the person of an event, or what is wrong with it."""
    try:
        check(event, now=now)
    except InputError as error:
        return error, 0
    if event.uid:
        found: int | InputError = by_uid.get(event.uid) or UnknownPersonError("uid")
    else:
        found = people[event.identifier, event.value]
    if isinstance(found, InputError):
        return found, 0
    return dedup_key(source.key, event.event_id), found


def _result(key: str | InputError, stored: set[str]) -> EventResult:
    if isinstance(key, InputError):
        return EventResult("rejected", key.field, key.reason)
    if key not in stored:
        return EventResult("duplicate")
    stored.discard(key)  # the first of equal ones in the batch was stored, the others were not
    return EventResult("accepted")
