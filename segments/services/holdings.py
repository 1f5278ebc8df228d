"""What segments holds about a person: for them to read, and to erase."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from compliance.services import subjects
from segments import identities
from segments.models import (
    Event,
    Identity,
    Profile,
    ProfileMerge,
    ProfileTag,
    QuarantinedEvent,
    SegmentChange,
    SegmentMembership,
    Touch,
)
from segments.services import quarantine

COLUMNS = ("gender", "birth_date", "language", "country", "region", "city", "timezone", "created_at", "updated_at")


def profile(subject_id: int) -> Iterator[dict[str, Any]]:
    """Name, attributes and statistics."""
    for found in Profile.objects.filter(pk=subject_id).select_related("stats"):
        key = subjects.data_keys([subject_id]).get(subject_id)
        stored = found.name_encrypted
        name = identities.decrypt_name(key, bytes(stored)) if key and stored else ""
        stats = found.stats
        yield {
            "name": name,
            **{column: getattr(found, column) for column in COLUMNS},
            "attributes": found.attributes,
            "orders": stats.order_count,
            "amount_of_orders": stats.order_amount,
            "last_order_at": stats.last_order_at,
            "rfm": [stats.rfm_recency, stats.rfm_frequency, stats.rfm_monetary],
        }


def identifiers(subject_id: int) -> Iterator[dict[str, Any]]:
    """Addresses, customer numbers and devices, readable."""
    key = subjects.data_keys([subject_id]).get(subject_id)
    for found in Identity.objects.filter(profile=subject_id).order_by("pk") if key else ():
        value = identities.decrypt(key, found.kind, bytes(found.value_encrypted)) if key else ""
        yield {"kind": found.kind, "value": value, "since": found.created_at}


def events(subject_id: int) -> Iterator[dict[str, Any]]:
    """What the person did, oldest first."""
    rows = Event.objects.filter(profile=subject_id).select_related("source").order_by("occurred_at", "dedup")
    for found in rows.iterator():
        yield {
            "name": found.name,
            "occurred_at": found.occurred_at,
            "source": found.source.key,
            "amount": found.amount,
            "currency": found.currency,
            "category": found.category,
            "properties": found.properties,
        }


def quarantined_events(subject_id: int) -> Iterator[dict[str, Any]]:
    """Events that a rule held back, as they came, and what was decided about them."""
    rows = _quarantined(subject_id).select_related("source").order_by("occurred_at", "dedup")
    for found in rows.iterator():
        yield {
            "name": found.name,
            "occurred_at": found.occurred_at,
            "source": found.source.key,
            "reason": found.reason,
            "state": found.state,
            "event": quarantine.came(found),
        }


def erase_quarantined_events(subject_id: int, _now: datetime) -> int:
    """They go before the profile, so that they are counted."""
    return _quarantined(subject_id).delete()[0]


def _quarantined(subject_id: int) -> QuerySet[QuarantinedEvent]:
    """Also what was held of profiles that this one has taken in: it stays with them until it is accepted."""
    return QuarantinedEvent.objects.filter(Q(profile=subject_id) | Q(profile__merged_into=subject_id))


def tags(subject_id: int) -> Iterator[dict[str, Any]]:
    """How the person was labelled, and from which source."""
    for found in ProfileTag.objects.filter(profile=subject_id).select_related("tag").order_by("tag__key"):
        yield {
            "tag": found.tag.name,
            "weight": found.weight,
            "confidence": found.confidence,
            "source": found.source,
            "since": found.assigned_at,
            "until": found.expires_at,
        }


def memberships(subject_id: int) -> Iterator[dict[str, Any]]:
    """The segments that the person is in."""
    rows = SegmentMembership.objects.filter(profile=subject_id).select_related("segment")
    for found in rows.order_by("segment__key"):
        yield {"segment": found.segment.name, "since": found.entered_at}


def segment_history(subject_id: int) -> Iterator[dict[str, Any]]:
    """When and why the person entered and left segments, oldest first, also as profiles that this one has taken in."""
    for found in _changes(subject_id).select_related("segment").order_by("at", "pk").iterator():
        yield {"segment": found.segment.name, "change": found.kind, "at": found.at, "cause": found.cause}


def erase_segment_history(subject_id: int, _now: datetime) -> int:
    """They go before the profile, so that they are counted."""
    return _changes(subject_id).delete()[0]


def _changes(subject_id: int) -> QuerySet[SegmentChange]:
    return SegmentChange.objects.filter(Q(profile=subject_id) | Q(profile__merged_into=subject_id))


def merges(subject_id: int) -> Iterator[dict[str, Any]]:
    """When profiles were joined into this one, by which kinds of identifiers, and whether that was undone."""
    for found in ProfileMerge.objects.filter(survivor=subject_id).order_by("pk"):
        yield {
            "merged_at": found.merged_at,
            "cause": found.get_cause_display(),
            "shared_identifiers": found.shared_kinds,
            "undone_at": found.undone_at,
        }


def erase_events(subject_id: int, _now: datetime) -> int:
    """Events have no database constraint that would take them along."""
    Touch.objects.filter(profile=subject_id).delete()
    return Event.objects.filter(profile=subject_id).delete()[0]


def erase_profile(subject_id: int, _now: datetime) -> int:
    """The profile with all that hangs on it: identifiers, tags, statistics, memberships."""
    return Profile.objects.filter(pk=subject_id).delete()[0]
