"""Events over the API."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from segments.models import Event, Profile, ProfileStats, Source
from tests.factories.api import api, post
from tests.factories.segments import make_profile

pytestmark = pytest.mark.django_db
AT = "2026-03-01T12:00:00+08:00"


@pytest.fixture
def sender() -> Client:
    return api("events:write")


@pytest.fixture(autouse=True)
def profile() -> Profile:
    return make_profile(1)


def event(number: int = 1, **changes: Any) -> dict[str, Any]:
    purchase = {
        "event_id": f"E{number}", "name": "purchase", "occurred_at": AT, "external_id": "C1", "amount": "12.50",
        "currency": "CNY", "category": "tea", "properties": {"sku": "T-1"},
    }  # fmt: skip
    return {name: value for name, value in {**purchase, **changes}.items() if value is not ...}


def send(client: Client, *events: Any, source: Any = "shop") -> Any:
    return post(client, "events/", {"source": source, "events": list(events)})


def outcome(answer: Any) -> list[tuple[str, str]]:
    assert answer.status_code == 200, answer.content
    return [(result["status"], result["field"]) for result in answer.json()["results"]]


def test_an_event_is_stored_and_counted_at_once(sender: Client, profile: Profile) -> None:
    answer = send(sender, event())
    assert answer.json() == {
        "accepted": 1,
        "duplicate": 0,
        "held": 0,
        "rejected": 0,
        "results": [{"event_id": "E1", "status": "accepted", "field": "", "reason": ""}],
    }
    stored = Event.objects.get()
    assert (stored.name, stored.amount, stored.currency, stored.category) == (
        "purchase", Decimal("12.50"), "CNY", "tea",
    )  # fmt: skip
    assert stored.occurred_at == datetime(2026, 3, 1, 4, tzinfo=UTC)
    assert stored.properties == {"sku": "T-1"}
    assert ProfileStats.objects.get(profile=profile).order_count == 1


def test_a_mixed_batch_gets_a_result_for_each_in_order(sender: Client) -> None:
    send(sender, event(1))
    answer = send(sender, event(1), event(2, name="Not a name"), event(3), "text", event(4, external_id="C9"), event(3))
    assert outcome(answer) == [
        ("duplicate", ""),
        ("rejected", "name"),
        ("accepted", ""),
        ("rejected", ""),
        ("rejected", "external_id"),
        ("duplicate", ""),
    ]
    counts = {name: answer.json()[name] for name in ("accepted", "duplicate", "rejected")}
    assert counts == {"accepted": 1, "duplicate": 2, "rejected": 3}
    assert [result["event_id"] for result in answer.json()["results"]] == ["E1", "E2", "E3", None, "E4", "E3"]
    assert all(result["reason"] for result in answer.json()["results"] if result["status"] == "rejected")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"event_id": ...}, "event_id"),
        ({"event_id": ""}, "event_id"),
        ({"event_id": 7}, "event_id"),
        ({"event_id": "x" * 201}, "event_id"),
        ({"name": "Purchase"}, "name"),
        ({"name": 1}, "name"),
        ({"occurred_at": "2026-03-01"}, "occurred_at"),
        ({"occurred_at": "2026-03-01T12:00:00"}, "occurred_at"),
        ({"occurred_at": "2026-02-30T12:00:00Z"}, "occurred_at"),
        ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "occurred_at"),
        ({"occurred_at": "9999-12-31T23:59:59-14:00"}, "occurred_at"),
        ({"occurred_at": "1989-12-31T00:00:00Z"}, "occurred_at"),
        ({"occurred_at": (datetime.now(UTC) + timedelta(hours=2)).isoformat()}, "occurred_at"),
        ({"occurred_at": 1772337600}, "occurred_at"),
        ({"amount": "1e3"}, "amount"),
        ({"amount": "12.345"}, "amount"),
        ({"amount": 1e300}, "amount"),
        ({"amount": 10**12}, "amount"),
        ({"amount": True}, "amount"),
        ({"amount": "NaN"}, "amount"),
        ({"currency": ...}, "currency"),
        ({"currency": "yuan"}, "currency"),
        ({"category": "x" * 81}, "category"),
        ({"properties": [1]}, "properties"),
        ({"uid": "1", "external_id": ...}, "uid"),
        ({"uid": 10**10, "external_id": ...}, "uid"),
        ({"uid": "01890a5d-ac96-774b-bcce-b302099a8057", "external_id": ...}, "uid"),
        ({"email": "person-1@example.com"}, "uid"),
        ({"external_id": ...}, "uid"),
        ({"external_id": ..., "email": "nobody"}, "email"),
        ({"shoe_size": 42}, "shoe_size"),
    ],
)
def test_a_bad_event_is_rejected_by_field_and_the_others_are_taken(
    sender: Client, changes: dict[str, Any], field: str
) -> None:
    answer = send(sender, event(1, **changes), event(2))
    assert outcome(answer) == [("rejected", field), ("accepted", "")]
    assert Event.objects.count() == 1


@pytest.mark.parametrize("amount", [12.3, 0.1, 7, "-3.50", -0.01, "999999999999.99"])
def test_amounts_are_taken_exactly(sender: Client, amount: Any) -> None:
    assert outcome(send(sender, event(amount=amount))) == [("accepted", "")]
    assert Event.objects.get().amount == Decimal(str(amount))


@pytest.mark.parametrize("person", [{"email": "Person-1@example.com"}, {"uid": None}])
def test_a_person_is_named_in_any_of_the_ways(sender: Client, profile: Profile, person: dict[str, Any]) -> None:
    named = {"uid": str(profile.subject.uid)} if "uid" in person else person
    assert outcome(send(sender, event(external_id=..., **named))) == [("accepted", "")]
    assert Event.objects.get().profile == profile


def test_a_thousand_events_are_taken_and_one_more_is_not(sender: Client) -> None:
    answer = send(sender, *[event(number) for number in range(1_000)])
    assert answer.json()["accepted"] == 1_000
    answer = send(sender, *[event(number) for number in range(2_000, 3_001)])
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "events"
    assert Event.objects.count() == 1_000


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"source": "shop", "events": []}, "events"),
        ({"source": "shop", "events": {}}, "events"),
        ({"source": "shop"}, "events"),
        ({"source": "no slug!", "events": [{}]}, "source"),
        ({"events": [{}]}, "source"),
        ({"source": "shop", "events": [{}], "more": 1}, "more"),
    ],
)
def test_a_batch_that_is_none_is_refused_whole(sender: Client, body: dict[str, Any], field: str) -> None:
    answer = post(sender, "events/", body)
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert not Event.objects.exists()


def test_a_new_source_is_made_by_its_first_events(sender: Client) -> None:
    uid = str(Profile.objects.get().subject.uid)
    assert outcome(send(sender, event(external_id=..., uid=uid), source="app")) == [("accepted", "")]
    assert Event.objects.get().source == Source.objects.get(key="app")
    # The same event id of another source is another event.
    assert outcome(send(sender, event(), source="shop")) == [("accepted", "")]


def test_a_batch_sent_again_with_its_key_counts_once(sender: Client) -> None:
    body = {"source": "shop", "events": [event()]}
    answers = [post(sender, "events/", body, Idempotency_Key="batch-1").json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[1]["accepted"] == 1
    assert Event.objects.count() == 1
