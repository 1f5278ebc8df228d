"""Steps that the tests of joining and merging share."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from compliance.services import subjects
from segments import identities
from segments.event_input import EventInput
from segments.models import Event, Identity, Profile, ProfileMerge, ProfileStats, ProfileTag, SegmentMembership
from segments.profile_input import ProfileInput
from segments.services import events, merging, profiles
from tests.factories.segments import SourceFactory

NOON = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
NOW = NOON + timedelta(days=1)
VALUES = ("gender", "birth_date", "language", "country", "region", "city", "timezone", "attributes", "merged_into_id")
STATS = (
    "event_count", "first_event_at", "last_event_at", "order_count", "order_amount", "first_order_at",
    "last_order_at", "rfm_recency", "rfm_frequency", "rfm_monetary", "rfm_at",
)  # fmt: skip


def tell(*inputs: ProfileInput, source: str = "shop", now: datetime = NOW) -> list[profiles.ProfileResult]:
    return profiles.upsert_many(source=SourceFactory(key=source), inputs=inputs, actor="test", now=now)


def person(source: str = "shop", now: datetime = NOW, **fields: Any) -> Profile:
    """A person of whom this is told."""
    (result,) = tell(ProfileInput(**fields), source=source, now=now)
    assert result.profile_id is not None, result
    return Profile.objects.get(pk=result.profile_id)


def bought(value: str, event_id: str = "1", identifier: str = "external_id", **changes: Any) -> str:
    """Send a purchase of this person; returns what became of it."""
    event = EventInput(
        event_id=event_id, name="purchase", occurred_at=NOON, identifier=identifier, value=value,
        amount=Decimal("10.00"), currency="CNY", category="fruit",
    )  # fmt: skip
    (result,) = events.ingest(source=SourceFactory(), events=[replace(event, **changes)], actor="test", now=NOW)
    return result.status


def merge(survivor: Profile, absorbed: Profile, **changes: Any) -> ProfileMerge:
    given: dict[str, Any] = {"cause": "staff", "actor": "user:ann", "now": NOW} | changes
    return merging.merge(survivor_id=survivor.pk, absorbed_id=absorbed.pk, **given)


def undo(made: ProfileMerge, **changes: Any) -> ProfileMerge:
    return merging.undo(merge=made, **({"actor": "user:bob", "now": NOW} | changes))


def world() -> dict[str, Any]:
    """Everything known of everybody, readable, so that two moments can be compared."""
    keys = subjects.data_keys(Profile.objects.values_list("pk", flat=True))
    named = {
        one.pk: identities.decrypt_name(keys[one.pk], bytes(one.name_encrypted)) if one.name_encrypted else ""
        for one in Profile.objects.all()
    }
    identifiers = {
        (one.pk, one.profile_id, one.kind, one.is_primary,
         identities.decrypt(keys[one.profile_id], one.kind, bytes(one.value_encrypted)))
        for one in Identity.objects.all()
    }  # fmt: skip
    return {
        "profiles": sorted(Profile.objects.values_list("pk", *VALUES), key=lambda row: row[0]),
        "names": named,
        "identifiers": identifiers,
        "events": set(Event.objects.values_list("id", "profile", "occurred_at", "dedup", "amount", "category")),
        "stats": sorted(ProfileStats.objects.values_list("pk", *STATS)),
        "tags": set(ProfileTag.objects.values_list("pk", "profile", "tag", "weight", "source")),
        "frozen": set(
            SegmentMembership.objects.filter(segment__is_active=False).values_list("segment", "profile", "entered_at")
        ),
    }


def recounted() -> dict[int, tuple[Any, ...]]:
    """The statistics of everybody, counted in Python from the stored events."""
    found = {}
    for profile_id in Profile.objects.values_list("pk", flat=True):
        rows = list(Event.objects.filter(profile=profile_id).values_list("name", "occurred_at", "amount"))
        orders = [(at, amount) for name, at, amount in rows if name == "purchase"]
        found[profile_id] = (
            len(rows), min((at for _, at, _ in rows), default=None), max((at for _, at, _ in rows), default=None),
            len({at for at, _ in orders}), sum((amount or 0 for _, amount in orders), Decimal(0)),
            min((at for at, _ in orders), default=None), max((at for at, _ in orders), default=None),
        )  # fmt: skip
    return found


def counted() -> dict[int, tuple[Any, ...]]:
    """The statistics as they are stored."""
    return {pk: tuple(values) for pk, *values in ProfileStats.objects.values_list("pk", *STATS[:7])}
