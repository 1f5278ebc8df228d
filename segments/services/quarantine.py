"""Deciding about events that rules hold: accepted ones are stored as if they had just come, rejected ones never are."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models.functions import Coalesce

from compliance import keys, vault
from compliance.services import audit
from segments.event_line import utc
from segments.models import Profile, QuarantinedEvent, QuarantineState
from segments.partitions import month_of
from segments.services import event_store, statistics

BATCH = 1_000


def decide(*, event_ids: Sequence[int], accept: bool, actor: str, now: datetime) -> int:
    """Accept or reject those of these events that still wait; returns how many they were. Doing so twice does no harm.

    Works in transactions of 1,000, each with an audit leaf per event. An accepted event counts in the statistics,
    touches its person and passes no rule again. It goes to whoever its person was merged into.
    """
    done = 0
    for start in range(0, len(event_ids), BATCH):
        with transaction.atomic():
            done += _decide(event_ids[start : start + BATCH], accept, actor, now)
    return done


def look(*, event: QuarantinedEvent, actor: str, now: datetime) -> dict[str, Any]:
    """The event as it came, for `actor`; it may name a person, so the audit log keeps who looked."""
    with transaction.atomic():
        audit.append(
            action="quarantined_event.viewed", actor=actor, object_type="quarantined_event", object_id=event.pk,
            details={}, now=now,
        )  # fmt: skip
        return came(event)


def came(event: QuarantinedEvent) -> dict[str, Any]:
    """The event as it came."""
    given: dict[str, Any] = _open(event)["came"]
    return given


def seal(*, came: Mapping[str, Any], line: str, dedup: str) -> bytes:
    """The event as it came and the line to store (`event_line.COLUMNS` without the person), encrypted."""
    text = json.dumps({"came": came, "line": line}, default=str, ensure_ascii=False)
    return vault.encrypt(_key(), text, _context(dedup))


def _decide(event_ids: Sequence[int], accept: bool, actor: str, now: datetime) -> int:
    waiting = QuarantinedEvent.objects.filter(pk__in=event_ids, state=QuarantineState.HELD)
    events = list(waiting.select_related("source").order_by("pk").select_for_update(of=["self"]))
    if accept:
        _lock_people(events)
        for same_source in _by_source(events):
            event_store.store(
                source=same_source[0].source,
                lines={str(event.pk): f"{event.profile_id}\t{_open(event)['line']}" for event in same_source},
                months={month_of(utc(event.occurred_at)) for event in same_source},
                now=now,
            )
    state = QuarantineState.ACCEPTED if accept else QuarantineState.REJECTED
    QuarantinedEvent.objects.filter(pk__in=[event.pk for event in events]).update(
        state=state, decided_at=now, decided_by=actor
    )
    audit.append_many(entries=[_entry(event, state, actor) for event in events], now=now)
    return len(events)


def _lock_people(events: Sequence[QuarantinedEvent]) -> None:
    """In the order of ids, as `event_store` does, and all at once: events of one person may be of several sources."""
    people = Profile.objects.filter(pk__in={event.profile_id for event in events})
    statistics.lock(profile_ids=sorted(set(people.values_list(Coalesce("merged_into_id", "pk"), flat=True))))


def _by_source(events: Sequence[QuarantinedEvent]) -> Iterator[list[QuarantinedEvent]]:
    groups: dict[int, list[QuarantinedEvent]] = defaultdict(list)
    for event in events:
        groups[event.source_id].append(event)
    return iter(groups.values())


def _entry(event: QuarantinedEvent, state: QuarantineState, actor: str) -> audit.Entry:
    return audit.Entry(
        f"quarantined_event.{state.value}", actor, "quarantined_event", str(event.pk),
        {"event": event.name, "source": event.source.key, "dedup": event.dedup.hex, "reason": event.reason},
    )  # fmt: skip


def _open(event: QuarantinedEvent) -> dict[str, Any]:
    text = vault.decrypt(_key(), bytes(event.event_encrypted), _context(event.dedup.hex))
    opened: dict[str, Any] = json.loads(text)
    return opened


def _key() -> bytes:
    return vault.derive(keys.master_key(), "quarantined-events")


def _context(dedup: str) -> str:
    return f"quarantined-event:{dedup}"
