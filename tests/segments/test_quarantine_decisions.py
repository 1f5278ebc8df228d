"""Deciding about what waits in quarantine: once, by those who may, with a trace; and what people may read of it."""

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from compliance import holdings
from compliance.models import AuditLeaf
from config import roles
from segments.cleaning import Verdict
from segments.models import CleaningRule, Event, ImportJob, Profile, ProfileStats, QuarantinedEvent, Touch
from segments.services import merging, quarantine
from segments.services.quarantine_intake import Holding, Kept
from tests.factories.campaigns import UserFactory
from tests.factories.segments import CleaningRuleFactory, SourceFactory, make_profile
from tests.segments.views import LIMIT, MIDNIGHT, NOW, limit_views, send, view, views

pytestmark = pytest.mark.django_db


@pytest.fixture
def limit(db: None) -> CleaningRule:
    return limit_views()


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


def test_the_event_as_it_came_is_for_those_who_may_see_addresses_and_the_look_is_logged(held: list[int]) -> None:
    page = member("Compliance officer").get(reverse("admin:segments_quarantinedevent_change", args=[held[0]]))
    assert "external_id" in page.content.decode()
    leaf = AuditLeaf.objects.get(action="quarantined_event.viewed")
    assert (leaf.actor, leaf.object_id) == ("user:compliance officer", str(held[0]))


def test_people_can_read_and_erase_what_waits_about_them(held: list[int]) -> None:
    person = ProfileStats.objects.get().pk
    (holding,) = [item for item in holdings.all_holdings() if item.name == "quarantine"]
    first = next(iter(holding.collect(person)))
    assert (first["state"], first["event"]["external_id"]) == ("held", "C1")
    assert holding.erase(person, NOW) == len(held)
    assert not QuarantinedEvent.objects.exists()


def test_an_accepted_event_goes_to_whom_its_person_was_merged_into(held: list[int]) -> None:
    absorbed, survivor = Profile.objects.get(), make_profile(2)
    merging.merge(survivor_id=survivor.pk, absorbed_id=absorbed.pk, cause="staff", actor="user:anna", now=NOW)
    (holding,) = [item for item in holdings.all_holdings() if item.name == "quarantine"]
    assert len(list(holding.collect(survivor.pk))) == len(held)
    assert views(LIMIT) == ["duplicate"]
    assert quarantine.decide(event_ids=held, accept=True, actor="user:anna", now=NOW) == 3
    assert set(Event.objects.values_list("profile", flat=True)) == {survivor.pk}
    assert ProfileStats.objects.get(profile=survivor).event_count == LIMIT + 3


def test_an_event_waits_for_whom_it_belongs_to_now(limit: CleaningRule) -> None:
    first, second = make_profile(1), make_profile(2)
    verdict = Verdict(limit.pk, "name", "too many views")
    holding = Holding({}, [], {"0" * 32: Kept(verdict, second.pk)})
    line = f"{first.pk}\t{MIDNIGHT.isoformat()}\t{'0' * 32}\tbrowse\t\\N\t\t\t\\N"
    holding.keep(source=SourceFactory(), lines={"0" * 32: line}, came=lambda _dedup: {}, now=NOW)
    row = QuarantinedEvent.objects.get()
    assert row.profile == second
    quarantine.decide(event_ids=[row.pk], accept=True, actor="user:anna", now=NOW)
    assert Event.objects.get().profile == second


def test_a_rule_deleted_this_moment_still_holds(limit: CleaningRule) -> None:
    profile = make_profile(1)
    holding = Holding({}, [], {"0" * 32: Kept(Verdict(limit.pk + 1_000, "name", "many"), profile.pk)})
    line = f"{profile.pk}\t{MIDNIGHT.isoformat()}\t{'0' * 32}\tbrowse\t\\N\t\t\t\\N"
    holding.keep(source=SourceFactory(), lines={"0" * 32: line}, came=lambda _dedup: {}, now=NOW)
    assert QuarantinedEvent.objects.get().rule is None


def test_held_rows_are_part_of_a_jobs_rows() -> None:
    job = ImportJob(kind="events", source=SourceFactory(), rows_done=2, accepted=1, started_at=NOW)
    with pytest.raises(IntegrityError, match="import_job_rows_add_up"), transaction.atomic():
        job.save()
    job.held = 1
    job.save()


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


def test_events_of_several_sources_are_accepted_together() -> None:
    profile = make_profile(1)
    CleaningRuleFactory(field="category", action="hold", parameters={"op": "is_not_set", "reason": "x"})
    named: dict[str, Any] = {"identifier": "", "value": "", "uid": profile.subject.uid}
    assert [*views(1), *send(view(1, **named), source="app")] == ["held", "held"]
    event_ids = list(QuarantinedEvent.objects.values_list("pk", flat=True))
    assert quarantine.decide(event_ids=event_ids, accept=True, actor="user:anna", now=NOW) == 2
    assert set(Event.objects.values_list("source__key", flat=True)) == {"shop", "app"}
    assert ProfileStats.objects.get().event_count == 2
