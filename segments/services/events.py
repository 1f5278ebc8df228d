"""Taking in events: stored once, counted in the person's statistics in the same transaction."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Coalesce

from segments import event_cleaning, identities, value_types
from segments.cleaning import DailyLimit, Verdict
from segments.event_input import NAME, EventInput, check, dedup_key
from segments.event_line import line, utc
from segments.identities import NEEDED, NOBODY, IdentityKey, Named
from segments.models import Profile, Source
from segments.partitions import month_of
from segments.profile_input import InputError
from segments.selectors.cleaning import EventRules
from segments.selectors.identities import owners as owners_of
from segments.selectors.value_types import event_schemas
from segments.services import event_store, quality
from segments.services.quarantine_intake import Holding, Kept


class UnknownPersonError(InputError):
    """Nobody is known by this identifier."""

    def __init__(self, field: str) -> None:
        super().__init__(field, "no person with this identifier is known")


@dataclass(frozen=True)
class EventResult:
    """What became of one event: `accepted`, `duplicate`, or `held` or `rejected` with the field and the reason."""

    status: str
    field: str = ""
    reason: str = ""


@dataclass(frozen=True)
class _Cleaned:
    """An event after the rules and checks that need no look at people, and the rule that holds it."""

    came: EventInput
    event: EventInput
    held: Verdict | None


@dataclass(frozen=True)
class _Known:
    """An event that can be stored: its person is known."""

    cleaned: _Cleaned
    profile_id: int
    dedup: str


def ingest(
    *, source: Source, events: Sequence[EventInput], actor: str, now: datetime, refused: int = 0
) -> list[EventResult]:
    """Store events of people who are known, in one transaction. Returns a result for each, in their order.

    Cleaning rules work first, then the checks and the declared types. An event that a rule holds waits in quarantine.
    An event that the same source sent before (same event id, person and time) is a `duplicate` and counts nothing; so
    is a second one with the event id of another in the same call. `refused` further events were so malformed that they
    do not stand in `events`; they count in the source's quality only. `actor` is who sends; events are too many for an
    audit leaf each, and each row names its source and time of receipt.
    """
    rules = EventRules(source)
    schemas = event_schemas({event.name for event in events if NAME.fullmatch(event.name)})
    cleaned = [_clean(event, rules, schemas, now) for event in events]
    named = {(item.event.identifier, item.event.value) for item in cleaned if isinstance(item, _Cleaned)}
    people = find_people(source=source, named=named - {NOBODY})
    by_uid = _by_uid({event.uid for event in events if event.uid})
    read = [_found(item, source, people, by_uid) for item in cleaned]
    first: dict[str, _Known] = {}
    for item in read:
        if isinstance(item, _Known):
            first.setdefault(item.dedup, item)
    limits = {limit: None for item in first.values() for limit in rules.plan(item.cleaned.event.name).limits}
    with transaction.atomic():
        stored, held = _store(source, first, list(limits), now)
        results = [_result(item, stored, held) for item in read]
        quality.count(source=source, counts=_counts(source, read, results, refused, now), now=now)
    return results


def _clean(
    given: EventInput, rules: EventRules, schemas: Mapping[str, value_types.Schema], now: datetime
) -> _Cleaned | InputError:
    try:
        event, held = event_cleaning.clean(rules.plan(given.name), given)
        check(event, now=now)
        value_types.check(schemas.get(event.name, {}), event.properties, prefix="properties")
    except InputError as error:
        return error
    return _Cleaned(given, event, held)


def _store(
    source: Source, events: Mapping[str, _Known], limits: Sequence[DailyLimit], now: datetime
) -> tuple[set[str], dict[str, Kept]]:
    """Store what no rule holds; returns the dedup keys of what was new, and what was held by its key."""
    lines = {dedup: line(item.cleaned.event, profile_id=item.profile_id, dedup=dedup) for dedup, item in events.items()}
    months = {month_of(utc(item.cleaned.event.occurred_at)) for item in events.values()}
    judged = {dedup: item.cleaned.held for dedup, item in events.items() if item.cleaned.held}
    holding = Holding(judged, limits)
    stored = event_store.store(source=source, lines=lines, months=months, now=now, take_out=holding.take_out)
    holding.keep(
        source=source, lines=lines, now=now,
        came=lambda dedup: event_cleaning.as_it_came(events[dedup].cleaned.came),
    )  # fmt: skip
    return stored, holding.kept


def find_people(*, source: Source, named: Iterable[Named]) -> dict[Named, int | InputError]:
    """The people with these identifiers by one look-up, or why there is none (`UnknownPersonError`: nobody yet)."""
    names = list(named)
    return dict(zip(names, find_owners(names, identities.keys_or_errors(names, source)), strict=True))


def find_owners(names: Sequence[Named], keys: Sequence[IdentityKey | InputError]) -> list[int | InputError]:
    """As `find_people`, by keys at hand; in their order."""
    owners = owners_of([key for key in keys if isinstance(key, IdentityKey)])
    return [
        key if isinstance(key, InputError) else owners.get(key) or UnknownPersonError(name[0])
        for name, key in zip(names, keys, strict=True)
    ]


def _by_uid(uids: set[UUID]) -> dict[UUID, int]:
    """People by public id; an old one leads to the profile that the person was merged into."""
    rows = Profile.objects.filter(subject__uid__in=uids)
    return dict(rows.values_list("subject__uid", Coalesce("merged_into_id", "pk")))


def _found(
    item: _Cleaned | InputError,
    source: Source,
    people: Mapping[Named, int | InputError],
    by_uid: Mapping[UUID, int],
) -> _Known | InputError:
    """The event with its person, or what is wrong with it."""
    if isinstance(item, InputError):
        return item
    event = item.event
    if event.uid:
        found: int | InputError = by_uid.get(event.uid) or UnknownPersonError("uid")
    else:
        found = people.get((event.identifier, event.value)) or InputError("identifier", NEEDED)
    if isinstance(found, InputError):
        return found
    return _Known(item, found, dedup_key(source.key, event.event_id))


def _result(item: _Known | InputError, stored: set[str], held: dict[str, Kept]) -> EventResult:
    if isinstance(item, InputError):
        return EventResult("rejected", item.field, item.reason)
    kept = held.pop(item.dedup, None)  # the first of equal ones in the batch was held or stored, the others were not
    if kept:
        return EventResult("held", kept.verdict.field, kept.verdict.reason)
    if item.dedup not in stored:
        return EventResult("duplicate")
    stored.discard(item.dedup)
    return EventResult("accepted")


def _counts(
    source: Source, read: Sequence[_Known | InputError], results: Sequence[EventResult], refused: int, now: datetime
) -> quality.Counts:
    statuses = Counter(result.status for result in results)
    valid = [item.cleaned.event for item in read if isinstance(item, _Known)]
    standard = quality.standard_of(source)
    earliest = quality.earliest_timely(standard, now)
    return quality.Counts(
        received=len(read) + refused,
        valid=len(valid),
        unique=len(valid) - statuses["duplicate"],
        asked_complete=len(valid) if standard.event_fields else 0,
        complete=sum(event_cleaning.is_complete(event, standard.event_fields) for event in valid)
        if standard.event_fields
        else 0,
        asked_timely=len(valid) if earliest else 0,
        timely=sum(event.occurred_at >= earliest for event in valid) if earliest else 0,
        held=statuses["held"],
    )
