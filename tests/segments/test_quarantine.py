"""Events that rules hold wait for a decision: not stored, not lost, decided once."""

import importlib
import threading
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from segments.models import CleaningRule, Event, ProfileStats, QuarantinedEvent
from segments.partitions import ensure_months, month_of
from segments.services import imports, quarantine
from tests.factories.api import api, post
from tests.factories.segments import CleaningRuleFactory, SourceFactory, make_profile
from tests.segments.files import write
from tests.segments.views import LIMIT, MIDNIGHT, NOW, limit_views, send, view, views

pytestmark = pytest.mark.django_db


@pytest.fixture
def limit(db: None) -> CleaningRule:
    return limit_views()


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
