"""Events are stored once, and the statistics of a person are those of their events."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compliance.uuid7 import uuid7
from segments.event_input import EventInput
from segments.models import Event, Profile, ProfileStats
from segments.partitions import ensure_months, month_of, next_month
from segments.services import events
from tests.factories.segments import SourceFactory, make_profile

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)


def purchase(event_id: str = "1", **changes: Any) -> EventInput:
    base = EventInput(
        event_id=event_id, name="purchase", occurred_at=NOON, identifier="external_id", value="C1",
        amount=Decimal("10.00"), currency="CNY", category="fruit",
    )  # fmt: skip
    return replace(base, **changes)


def ingest(*given: EventInput, now: datetime = NOON + timedelta(days=1), source: str = "shop") -> list[str]:
    results = events.ingest(source=SourceFactory(key=source), events=given, actor="test", now=now)
    return [result.field or result.status for result in results]


@pytest.fixture
def profile() -> Profile:
    return make_profile(1)


def stats() -> ProfileStats:
    return ProfileStats.objects.get()


def test_an_event_is_stored_and_counted(profile: Profile) -> None:
    assert ingest(purchase(properties={"sku": "A1"})) == ["accepted"]
    event = Event.objects.get()
    assert (event.profile, event.amount, event.category, event.properties) == (
        profile, Decimal("10.00"), "fruit", {"sku": "A1"},
    )  # fmt: skip
    assert (stats().event_count, stats().order_count, stats().order_amount) == (1, 1, Decimal("10.00"))
    assert stats().first_order_at == stats().last_order_at == NOON


def test_the_same_event_id_of_a_source_counts_once(profile: Profile) -> None:
    assert ingest(purchase(), purchase()) == ["accepted", "duplicate"]
    assert ingest(purchase()) == ["duplicate"]
    assert stats().event_count == 1


def test_an_event_id_used_twice_in_one_call_counts_once(profile: Profile) -> None:
    assert ingest(purchase(), purchase(occurred_at=NOON - timedelta(days=1))) == ["accepted", "duplicate"]
    assert (stats().event_count, Event.objects.count()) == (1, 1)


def test_lines_of_one_basket_are_one_order_even_when_sent_apart(profile: Profile) -> None:
    ingest(purchase("1"), purchase("2", amount=Decimal("5.50")))
    ingest(purchase("3", amount=Decimal("-2.00")))
    assert (stats().event_count, stats().order_count, stats().order_amount) == (3, 1, Decimal("13.50"))


def test_other_events_are_no_orders(profile: Profile) -> None:
    ingest(purchase(name="browse", amount=None, currency=""))
    assert (stats().event_count, stats().order_count, stats().last_order_at) == (1, 0, None)


def test_late_events_move_the_first_time_and_not_the_last(profile: Profile) -> None:
    ingest(purchase("1"))
    ingest(purchase("2", occurred_at=NOON - timedelta(days=400)))
    assert (stats().first_order_at, stats().last_order_at) == (NOON - timedelta(days=400), NOON)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"event_id": ""}, "event_id"),
        ({"name": "Kauf!"}, "name"),
        ({"occurred_at": NOON + timedelta(days=2)}, "occurred_at"),
        ({"occurred_at": datetime(1989, 1, 1, tzinfo=UTC)}, "occurred_at"),
        ({"amount": Decimal("NaN")}, "amount"),
        ({"amount": Decimal("1e12")}, "amount"),
        ({"currency": "yuan"}, "currency"),
        ({"currency": ""}, "currency"),
        ({"category": "x" * 81}, "category"),
        ({"properties": {"a": {"b": "\x00"}}}, "properties"),
        ({"identifier": "name"}, "identifier"),
        ({"identifier": "email", "value": "nobody"}, "email"),
        ({"value": "C2"}, "external_id"),
        ({"value": "C\ud800"}, "external_id"),
    ],
)
def test_wrong_fields_are_named_and_the_rest_is_taken(profile: Profile, changes: dict[str, Any], field: str) -> None:
    assert ingest(replace(purchase("bad"), **changes), purchase("good")) == [field, "accepted"]


def test_a_person_can_be_named_by_public_id(profile: Profile) -> None:
    by_uid = purchase(identifier="", value="", uid=profile.subject.uid)
    assert ingest(by_uid, purchase("2", identifier="", value="", uid=uuid7())) == [
        "accepted", "uid",
    ]  # fmt: skip


def test_partitions_are_made_for_the_months_of_the_events(profile: Profile) -> None:
    last_moment = datetime(2025, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    assert ingest(purchase("1", occurred_at=last_moment), purchase("2", occurred_at=last_moment + timedelta(0, 1))) == [
        "accepted", "accepted",
    ]  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM segments_event ORDER BY occurred_at")
        assert [name for (name,) in cursor.fetchall()] == ["segments_event_2025_12", "segments_event_2026_01"]


def test_months() -> None:
    assert next_month(month_of(datetime(2026, 12, 31, tzinfo=UTC))).isoformat() == "2027-01-01"
    ensure_months("segments_event", [month_of(NOON)])
    ensure_months("segments_event", [month_of(NOON), next_month(month_of(NOON))])


LINES = st.lists(
    st.tuples(st.integers(0, 8), st.integers(0, 3), st.sampled_from(["purchase", "browse"]), st.integers(-5, 20)),
    max_size=12,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(LINES, max_size=4))
def test_statistics_are_those_of_the_stored_events(
    profile: Profile, batches: list[list[tuple[int, int, str, int]]]
) -> None:
    Event.objects.all().delete()
    ProfileStats.objects.update(
        event_count=0, order_count=0, order_amount=0, first_event_at=None, last_event_at=None, first_order_at=None,
        last_order_at=None,
    )  # fmt: skip
    for batch in batches:
        ingest(
            *[
                purchase(str(number), name=name, occurred_at=NOON - timedelta(days=day), amount=Decimal(amount))
                for number, day, name, amount in batch
            ]
        )
    stored = list(Event.objects.values_list("name", "occurred_at", "amount"))
    orders = [row for row in stored if row[0] == "purchase"]
    found = stats()
    assert found.event_count == len(stored)
    assert found.order_count == len({at for _, at, _ in orders})
    assert found.order_amount == sum(amount for *_, amount in orders)
    assert found.first_event_at == min((at for _, at, _ in stored), default=None)
    assert found.last_order_at == max((at for _, at, _ in orders), default=None)


@pytest.mark.django_db(transaction=True)
def test_two_senders_of_one_basket_count_one_order() -> None:
    make_profile(1)
    SourceFactory()
    ensure_months("segments_event", [month_of(NOON)])
    start = threading.Barrier(4)

    def send(number: int) -> None:
        try:
            start.wait(timeout=20)
            ingest(purchase(str(number)), purchase("shared"))
        finally:
            connection.close()

    threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert (stats().event_count, stats().order_count, stats().order_amount) == (5, 1, Decimal("50.00"))
