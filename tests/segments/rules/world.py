"""A small population, once as plain Python values for the oracle and once as rows."""

import random
import uuid
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from compliance.models import ConsentRecord, ConsentState, Subject
from segments.models import Event, Profile, ProfileStats, ProfileTag, Segment, SegmentMembership, Source, Tag
from segments.partitions import ensure_months
from segments.services import event_store
from tests.factories.compliance import NoticeFactory, PurposeFactory

NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
MONTHS = (date(2025, 12, 1), date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1))
"""All in which something happens."""
CITIES = ("", "Shanghai", "Beijing", "shang", "100% Town_", "上海")
CATEGORIES = ("", "tea", "fruit", "toys")
EVENTS = ("purchase", "browse")
TAGS = ("vip", "new")
SEGMENTS = ("loyal", "far")
CONSENTS = (("offers", "email"), ("offers", "sms"), ("news", "email"))
TIMES = (
    "2026-02-01", "2026-02-23T04:00:00Z", "2026-02-23 12:00:00.5+08", "2026-01-31T12:00", "2026-02-30", "now",
    "2026-02-23T24:00", "2026-01-31T12:00 Asia/Tokyo",
)  # fmt: skip
"""The last four are none."""
JSON_VALUES: tuple[Any, ...] = ("tea", "", "4", 4, 3.5, -1, True, False, None, ["tea"], {"tea": 1}, *TIMES)
JSON_KEYS = ("taste", "2024", "收入")
PROPERTY_KEYS = ("color", "1", 'd\'or "%s"')
BIRTHDAYS = (date(2004, 2, 29), date(1966, 3, 2), date(1966, 3, 3), date(1990, 7, 1))


@dataclass
class Happening:
    """An event."""

    name: str
    occurred_at: datetime
    amount: Decimal | None = None
    category: str = ""
    currency: str = "CNY"
    properties: dict[str, Any] | None = None


@dataclass
class Carried:
    """A tag that somebody carries."""

    key: str
    weight: Decimal = Decimal(1)
    expires_at: datetime | None = None


@dataclass
class Person:
    """What is known of somebody."""

    country: str = ""
    city: str = ""
    gender: str = ""
    birth_date: date | None = None
    created_at: datetime = NOW
    attributes: dict[str, Any] = field(default_factory=dict)
    events: list[Happening] = field(default_factory=list)
    tags: list[Carried] = field(default_factory=list)
    rfm: tuple[int, int, int] | None = None
    segments: tuple[str, ...] = ()
    consents: dict[tuple[str, str], tuple[str, datetime | None]] = field(default_factory=dict)
    """Action and expiry by purpose and channel."""

    def statistics(self) -> dict[str, Any]:
        """The columns of ProfileStats, as their definitions say."""
        times = [event.occurred_at for event in self.events]
        orders = [event for event in self.events if event.name == "purchase"]
        order_times = {event.occurred_at for event in orders}
        return {
            "event_count": len(times),
            "first_event_at": min(times, default=None),
            "last_event_at": max(times, default=None),
            "order_count": len(order_times),
            "order_amount": sum((event.amount or Decimal(0) for event in orders), Decimal(0)),
            "first_order_at": min(order_times, default=None),
            "last_order_at": max(order_times, default=None),
            "rfm_recency": self.rfm and self.rfm[0],
            "rfm_frequency": self.rfm and self.rfm[1],
            "rfm_monetary": self.rfm and self.rfm[2],
        }


def random_person(rng: random.Random) -> Person:
    """Somebody about whom little or much is known."""
    keys = rng.sample(JSON_KEYS, rng.randint(0, len(JSON_KEYS)))
    tags = rng.sample(TAGS, rng.randint(0, len(TAGS)))
    return Person(
        country=rng.choice(("", "CN", "CN", "FR")),
        segments=tuple(rng.sample(SEGMENTS, rng.randint(0, 2))),
        consents={key: random_consent(rng) for key in rng.sample(CONSENTS, rng.randint(0, len(CONSENTS)))},
        city=rng.choice(CITIES),
        gender=rng.choice(("", "female", "male")),
        birth_date=rng.choice((None, *BIRTHDAYS)),
        created_at=NOW - timedelta(days=rng.randint(0, 60)),
        attributes={key: rng.choice(JSON_VALUES) for key in keys},
        events=[random_happening(rng) for _ in range(rng.choice((0, 1, 2, 5)))],
        tags=[random_tag(rng, key) for key in tags],
        rfm=rng.choice((None, (rng.randint(1, 5), rng.randint(1, 5), rng.randint(1, 5)))),
    )


def random_consent(rng: random.Random) -> tuple[str, datetime | None]:
    """A yes, without an end or with one, or a no."""
    end = rng.choice((None, NOW - timedelta(days=1), NOW, NOW + timedelta(days=1)))
    return ("given", end) if rng.random() < 0.7 else ("withdrawn", None)


def random_happening(rng: random.Random) -> Happening:
    """An event of the last 60 days, at one of few instants, so that edges of windows and baskets occur."""
    instant = NOW - rng.choice((timedelta(0), timedelta(hours=1), timedelta(days=rng.choice((1, 7, 30, 60)))))
    return Happening(
        name=rng.choice(EVENTS),
        occurred_at=instant + rng.choice((timedelta(0), timedelta(seconds=1))),
        amount=rng.choice((None, Decimal(rng.randint(-500, 2_000)) / 100, Decimal(10))),
        category=rng.choice(CATEGORIES),
        currency=rng.choice(("CNY", "CNY", "EUR")),
        properties=random_properties(rng),
    )


def random_properties(rng: random.Random) -> dict[str, Any] | None:
    """None, too few, or values of any type."""
    keys = rng.sample(PROPERTY_KEYS, rng.randint(0, len(PROPERTY_KEYS)))
    return rng.choice((None, {key: rng.choice(JSON_VALUES) for key in keys}, {"color": rng.choice(("red", "tea", 4))}))


def random_tag(rng: random.Random, key: str) -> Carried:
    """A tag that has expired, expires now, later or never."""
    expiry = rng.choice((None, NOW - timedelta(days=1), NOW, NOW + timedelta(days=1)))
    return Carried(key, Decimal(rng.choice((0, 1, 2))) / 2, expiry)


def store(people: list[Person]) -> list[int]:
    """Write the people as rows. Returns their profile ids in the same order."""
    subjects = Subject.objects.bulk_create(Subject(wrapped_key=b"k") for _ in people)
    pairs = list(zip(subjects, people, strict=True))
    Profile.objects.bulk_create(
        Profile(
            subject=subject,
            country=person.country,
            city=person.city,
            gender=person.gender,
            birth_date=person.birth_date,
            attributes=person.attributes,
            created_at=person.created_at,
            updated_at=person.created_at,
        )
        for subject, person in pairs
    )
    ProfileStats.objects.bulk_create(
        ProfileStats(profile_id=subject.pk, rfm_at=NOW if person.rfm else None, **person.statistics())
        for subject, person in pairs
    )
    _store_events([(subject.pk, event) for subject, person in pairs for event in person.events])
    _store_memberships([(subject.pk, key) for subject, person in pairs for key in person.segments])
    _store_consents([(subject.pk, key, *what) for subject, person in pairs for key, what in person.consents.items()])
    tags = {key: Tag.objects.get_or_create(key=key, defaults={"name": key, "layer": "static"})[0] for key in TAGS}
    ProfileTag.objects.bulk_create(
        ProfileTag(
            profile_id=subject.pk,
            tag=tags[carried.key],
            weight=carried.weight,
            expires_at=carried.expires_at,
            assigned_at=NOW,
            source="test",
        )
        for subject, person in pairs
        for carried in person.tags
    )
    return [subject.pk for subject in subjects]


def _store_events(events: list[tuple[int, Happening]]) -> None:
    ensure_months(event_store.EVENT_TABLE, MONTHS)
    source, _ = Source.objects.get_or_create(key="shop")
    Event.objects.bulk_create(
        Event(
            profile_id=profile_id,
            occurred_at=event.occurred_at,
            dedup=uuid.uuid4(),
            name=event.name,
            source=source,
            amount=event.amount,
            currency=event.currency if event.amount is not None else "",
            category=event.category,
            properties=event.properties,
            received_at=event.occurred_at,
        )
        for profile_id, event in events
    )


def _store_memberships(rows: list[tuple[int, str]]) -> None:
    segments = {
        key: Segment.objects.get_or_create(key=key, defaults={"name": key, "definition": {"any": []}})[0]
        for key in {key for _, key in rows}
    }
    SegmentMembership.objects.bulk_create(
        SegmentMembership(segment=segments[key], profile_id=person, entered_at=NOW) for person, key in rows
    )


def _store_consents(rows: list[tuple[int, tuple[str, str], str, datetime | None]]) -> None:
    """States with records behind them; the ledger's own rules are tested elsewhere."""
    notices = {key: NoticeFactory(purpose=PurposeFactory(key=key)) for key in {key for key, _ in CONSENTS}}
    for person, (purpose, channel), action, end in rows:
        notice = notices[purpose]
        record = ConsentRecord.objects.create(
            subject_id=person, purpose=notice.purpose, channel=channel, action=action, method="form", notice=notice,
            source="test", occurred_at=NOW - timedelta(days=9), recorded_at=NOW, recorded_by="test", expires_at=end,
        )  # fmt: skip
        ConsentState.objects.create(
            subject_id=person, purpose=notice.purpose, channel=channel, action=action, record=record,
            occurred_at=record.occurred_at, expires_at=end,
        )  # fmt: skip
