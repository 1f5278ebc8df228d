"""Events that rules hold wait for a decision: not stored, not lost, decided once."""

import importlib
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse

from compliance.models import AuditLeaf
from config import roles
from segments.event_input import EventInput
from segments.models import CleaningRule, Event, ProfileStats, QuarantinedEvent, Touch
from segments.partitions import ensure_months, month_of
from segments.services import events, imports, quarantine
from tests.factories.api import api, post
from tests.factories.campaigns import UserFactory
from tests.factories.segments import CleaningRuleFactory, SourceFactory, make_profile
from tests.segments.files import write

pytestmark = pytest.mark.django_db
MIDNIGHT = datetime(2026, 2, 28, 16, 0, tzinfo=UTC)  # 1 March in Shanghai, the installation's zone
NOW = MIDNIGHT + timedelta(days=3)
LIMIT = 5


@pytest.fixture
def limit(db: None) -> CleaningRule:
    return CleaningRuleFactory(
        event_names=["product_view", "browse"], field="", action="hold",
        parameters={"per_day": LIMIT, "reason": "too many views"},
    )  # fmt: skip


def view(number: int, *, minutes: float | None = None, **changes: Any) -> EventInput:
    moment = MIDNIGHT + timedelta(minutes=number if minutes is None else minutes)
    base: dict[str, Any] = {
        "event_id": f"V{number}", "name": "browse", "occurred_at": moment, "identifier": "external_id", "value": "C1",
    }  # fmt: skip
    return EventInput(**{**base, **changes})


def send(*given: EventInput, source: str = "shop") -> list[str]:
    results = events.ingest(source=SourceFactory(key=source), events=given, actor="test", now=NOW)
    return [result.status for result in results]


def views(*numbers: int, **changes: Any) -> list[str]:
    return send(*[view(number, **changes) for number in numbers])


def test_every_installation_starts_with_the_rule_for_product_views() -> None:
    CleaningRule.objects.all().delete()
    migration = importlib.import_module("segments.migrations.0005_cleaning")
    migration.add_default_rule(apps, None)
    migration.add_default_rule(apps, None)
    rule = CleaningRule.objects.get()
    assert (rule.parameters["per_day"], rule.event_names) == (1000, ["product_view", "browse"])
    make_profile(1)
    assert views(*range(1_001)).count("held") == 1


@pytest.mark.usefixtures("limit")
def test_views_beyond_the_limit_are_held_and_not_counted() -> None:
    profile = make_profile(1)
    assert views(*range(LIMIT + 2)) == ["accepted"] * LIMIT + ["held"] * 2
    assert ProfileStats.objects.get(profile=profile).event_count == Event.objects.count() == LIMIT
    held = QuarantinedEvent.objects.order_by("occurred_at").first()
    assert held is not None
    assert (held.profile, held.name, held.state, held.reason) == (profile, "browse", "held", "too many views")
    assert quarantine.came(held)["external_id"] == "C1"
    assert b"C1" not in bytes(held.event_encrypted)


@pytest.mark.usefixtures("limit")
def test_the_day_is_counted_over_batches_names_and_hours() -> None:
    make_profile(1)
    assert views(0, 1, 2) == ["accepted"] * 3
    assert views(3, name="product_view") == ["accepted"]
    assert views(4, minutes=23 * 60 + 59) == ["accepted"]
    assert views(5, 6) == ["held", "held"]
    assert views(7, minutes=24 * 60) == ["accepted"]  # the next day
    assert views(8, minutes=-1) == ["accepted"]  # the day before
    assert views(9, name="click") == ["accepted"]  # not a view


@pytest.mark.usefixtures("limit")
def test_the_earliest_of_a_batch_are_stored() -> None:
    make_profile(1)
    assert views(6, 5, 4, 3, 2, 1) == ["held", *["accepted"] * 5]


@pytest.mark.usefixtures("limit")
def test_each_person_has_a_count_of_their_own() -> None:
    make_profile(1)
    make_profile(2)
    assert views(*range(LIMIT)) == ["accepted"] * LIMIT
    assert views(*range(20, 20 + LIMIT + 1), value="C2") == ["accepted"] * LIMIT + ["held"]


@pytest.mark.usefixtures("limit")
def test_what_was_stored_or_held_before_is_a_duplicate() -> None:
    make_profile(1)
    views(*range(LIMIT + 1))
    assert views(*range(LIMIT + 1)) == ["duplicate"] * (LIMIT + 1)
    assert views(LIMIT + 1, LIMIT + 1) == ["held", "duplicate"]
    assert (Event.objects.count(), QuarantinedEvent.objects.count()) == (LIMIT, 2)


def test_a_limit_for_one_source_counts_that_source_only() -> None:
    make_profile(1)
    app = SourceFactory(key="app")
    CleaningRuleFactory(source=app, field="", action="hold", parameters={"per_day": 2, "reason": "many"})
    uid = Event._meta.get_field("profile").related_model.objects.get().subject.uid
    named: dict[str, Any] = {"identifier": "", "value": "", "uid": uid}
    assert views(0, 1, 2) == ["accepted"] * 3
    assert send(*[view(number, **named) for number in range(3)], source="app") == ["accepted", "accepted", "held"]


@pytest.mark.usefixtures("limit")
def test_rows_of_a_file_are_held_over_the_jobs_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "EVENT_BATCH", 3)
    make_profile(1)
    rows = "".join(f"V{number},C1,2026-03-01 00:{number:02}\n" for number in range(8))
    path = write(tmp_path / "views.csv", f"event_id,external_id,occurred_at\n{rows}V0,C1,2026-03-01 00:00\n,C1,x\n")
    job = imports.import_events(
        path=path, source_key="shop", mapping={}, name="browse", currency="CNY", timezone="Asia/Shanghai",
        actor="test", now=NOW,
    )  # fmt: skip
    assert (job.accepted, job.held, job.duplicates, job.rejected, job.rows_done) == (5, 3, 1, 1, 10)
    held = QuarantinedEvent.objects.order_by("occurred_at").first()
    assert held is not None
    assert quarantine.came(held) == {"event_id": "V5", "external_id": "C1", "occurred_at": "2026-03-01 00:05"}
    assert views(5) == ["duplicate"]


def test_a_typed_comparison_holds() -> None:
    make_profile(1)
    rule = CleaningRuleFactory(
        field="amount", action="hold", parameters={"op": "gte", "value": 1000, "reason": "a large sum"}
    )
    large: dict[str, Any] = {"name": "purchase", "amount": Decimal(1000), "currency": "CNY"}
    assert send(view(1, **large), view(2, **{**large, "amount": Decimal("999.99")})) == ["held", "accepted"]
    rule.is_active = False
    rule.save()
    assert send(view(1, **large)) == ["duplicate"]  # it waits already


def test_an_event_stored_before_the_rule_was_made_is_a_duplicate() -> None:
    make_profile(1)
    assert views(1) == ["accepted"]
    CleaningRuleFactory(field="category", action="hold", parameters={"op": "is_not_set", "reason": "x"})
    assert views(1, 2) == ["duplicate", "held"]


@pytest.fixture
def held(limit: CleaningRule) -> list[int]:
    """Two views and a purchase that wait."""
    make_profile(1)
    CleaningRuleFactory(field="amount", action="hold", parameters={"op": "gt", "value": 10, "reason": "much"})
    views(*range(LIMIT + 2))
    send(view(50, name="purchase", amount=Decimal(20), currency="CNY", category="a\tb", properties={"x": "y\\n"}))
    Touch.objects.all().delete()
    return list(QuarantinedEvent.objects.order_by("pk").values_list("pk", flat=True))


def test_accepted_events_are_stored_counted_and_followed_up(held: list[int]) -> None:
    assert quarantine.decide(event_ids=held, accept=True, actor="user:anna", now=NOW) == 3
    stats = ProfileStats.objects.get()
    assert (stats.event_count, stats.order_count, stats.order_amount) == (LIMIT + 3, 1, Decimal(20))
    purchase = Event.objects.get(name="purchase")
    assert (purchase.category, purchase.properties) == ("a\tb", {"x": "y\\n"})
    assert set(Touch.objects.values_list("cause", flat=True)) == {"event:browse", "event:purchase"}
    row = QuarantinedEvent.objects.get(pk=held[0])
    assert (row.state, row.decided_by, row.decided_at) == ("accepted", "user:anna", NOW)
    assert AuditLeaf.objects.filter(action="quarantined_event.accepted", actor="user:anna").count() == 3
    assert quarantine.decide(event_ids=held, accept=True, actor="user:bo", now=NOW) == 0
    assert quarantine.decide(event_ids=held, accept=False, actor="user:bo", now=NOW) == 0
    assert ProfileStats.objects.get().event_count == Event.objects.count() == LIMIT + 3


def test_rejected_events_are_never_stored(held: list[int]) -> None:
    assert quarantine.decide(event_ids=held[:1], accept=False, actor="user:anna", now=NOW) == 1
    assert quarantine.decide(event_ids=held, accept=True, actor="user:anna", now=NOW) == 2
    assert Event.objects.count() == LIMIT + 2
    assert views(LIMIT) == ["duplicate"]


def test_many_are_decided_in_small_transactions(held: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine, "BATCH", 2)
    assert quarantine.decide(event_ids=held, accept=True, actor="user:anna", now=NOW) == 3


def test_a_deleted_rule_leaves_what_it_held(held: list[int], limit: CleaningRule) -> None:
    limit.delete()
    row = QuarantinedEvent.objects.get(pk=held[0])
    assert (row.rule, row.reason) == (None, "too many views")


def member(role: str) -> Client:
    roles.apply_roles()
    user = UserFactory(username=role.lower())
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


def decide_in_admin(client: Client, action: str, ids: list[int]) -> Any:
    url = reverse("admin:segments_quarantinedevent_changelist")
    return client.post(url, {"action": action, "_selected_action": ids, "index": 0}, follow=True)


def test_an_analyst_decides_in_bulk(held: list[int]) -> None:
    client = member("Analyst")
    assert "2 events are accepted." in decide_in_admin(client, "accept", held[:2]).content.decode()
    assert "1 event is rejected." in decide_in_admin(client, "reject", held).content.decode()
    assert set(QuarantinedEvent.objects.values_list("state", "decided_by")) == {
        ("accepted", "user:analyst"), ("rejected", "user:analyst"),
    }  # fmt: skip
    filtered = client.get(reverse("admin:segments_quarantinedevent_changelist") + "?state__exact=rejected")
    assert filtered.context["cl"].result_count == 1


def test_an_auditor_looks_and_does_not_decide(held: list[int]) -> None:
    client = member("Auditor")
    decide_in_admin(client, "accept", held)
    assert not QuarantinedEvent.objects.exclude(state="held").exists()
    page = client.get(reverse("admin:segments_quarantinedevent_change", args=[held[0]])).content.decode()
    assert "too many views" in page
    assert "external_id" not in page


def test_the_event_as_it_came_is_for_those_who_may_see_addresses(held: list[int]) -> None:
    page = member("Compliance officer").get(reverse("admin:segments_quarantinedevent_change", args=[held[0]]))
    assert "external_id" in page.content.decode()


@pytest.mark.usefixtures("limit")
def test_the_api_answers_held() -> None:
    make_profile(1)
    body = {
        "source": "shop",
        "events": [
            {"event_id": f"E{n}", "name": "browse", "occurred_at": "2026-03-01T12:00:00+08:00", "external_id": "C1"}
            for n in range(LIMIT + 1)
        ],
    }
    answer = post(api("events:write"), "events/", body).json()
    assert {name: answer[name] for name in ("accepted", "held")} == {"accepted": LIMIT, "held": 1}
    (held,) = [result for result in answer["results"] if result["status"] == "held"]
    assert (held["field"], held["reason"]) == ("name", "too many views")


@pytest.mark.django_db(transaction=True)
def test_senders_at_the_same_moment_do_not_pass_the_limit_together() -> None:
    make_profile(1)
    SourceFactory()
    CleaningRuleFactory(field="", action="hold", parameters={"per_day": 10, "reason": "many"})
    ensure_months("segments_event", [month_of(MIDNIGHT), month_of(MIDNIGHT + timedelta(days=1))])
    start = threading.Barrier(4)
    statuses: list[str] = []

    def run(sender: int) -> None:
        try:
            start.wait(timeout=20)
            for batch in range(3):
                statuses.extend(views(*[sender * 100 + batch * 10 + number for number in range(3)], minutes=5))
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(sender,)) for sender in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert (statuses.count("accepted"), statuses.count("held")) == (10, 26)
    assert (Event.objects.count(), QuarantinedEvent.objects.count()) == (10, 26)


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "accepted"},
        {"state": "accepted", "decided_at": NOW},
        {"state": "rejected", "decided_by": "user:anna"},
        {"decided_at": NOW, "decided_by": "user:anna"},
        {"state": "lost", "decided_at": NOW, "decided_by": "user:anna"},
    ],
)
def test_a_decision_has_who_and_when(held: list[int], changes: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError, match="quarantined_event_decided_by_someone"), transaction.atomic():
        QuarantinedEvent.objects.filter(pk=held[0]).update(**changes)


def test_an_event_waits_once(held: list[int]) -> None:
    row = QuarantinedEvent.objects.get(pk=held[0])
    row.pk = None
    with pytest.raises(IntegrityError, match="quarantined_event_key"), transaction.atomic():
        row.save(force_insert=True)
