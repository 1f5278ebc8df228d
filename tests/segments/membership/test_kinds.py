"""Dynamic segments, snapshots and lists: whose members follow what."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from campaigns.selectors import audience
from compliance.models import AuditLeaf
from segments import causes
from segments.models import ImportJob, Segment, SegmentChange, SegmentUpload, Touch
from segments.services import followup, memberships, refreshing, segments, touches
from tests.factories.campaigns import CampaignFactory
from tests.factories.segments import SegmentFactory, SourceFactory, make_profile
from tests.segments.membership.stage import (
    ACTOR,
    BEIJING,
    NOW,
    SHANGHAI,
    create,
    history,
    listed,
    members,
    move,
    take_in,
)

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(hours=1)


def test_a_snapshot_is_taken_when_it_is_created_and_again_on_demand() -> None:
    first, second = make_profile(1, city="Shanghai"), make_profile(2, city="Beijing")
    snapshot = create(kind="snapshot")
    snapshot.refresh_from_db()
    assert (members(snapshot), snapshot.taken_at, snapshot.member_count) == ({first.pk}, NOW, 1)
    move(second, "Shanghai")
    result = segments.take_snapshot(segment=snapshot, now=LATER, actor=ACTOR)
    assert (result.entered, result.left, result.members) == (1, 0, 2)
    snapshot.refresh_from_db()
    assert (members(snapshot), snapshot.taken_at) == ({first.pk, second.pk}, LATER)
    assert {row[2] for row in history(snapshot)} == {"snapshot"}
    leaves = AuditLeaf.objects.filter(object_id=str(snapshot.uid), action="segment.snapshot_taken")
    assert leaves.count() == 2


def test_nothing_but_taking_it_again_changes_a_snapshot() -> None:
    person, newcomer = make_profile(1, city="Shanghai"), make_profile(2, city="Shanghai")
    snapshot = create(kind="snapshot")
    move(person, "Beijing")
    newcomer.delete()
    assert refreshing.refresh_all(now=LATER, actor=ACTOR) == {}
    assert segments.refresh(segment=snapshot, now=LATER, actor=ACTOR).entered == 0
    memberships.recheck(touched={causes.attribute("city"): {person.pk}}, now=LATER, actor=ACTOR)
    segments.change_definition(segment=snapshot, definition=BEIJING, actor=ACTOR, now=LATER)
    assert members(snapshot) == {person.pk}
    snapshot.refresh_from_db()
    assert (snapshot.version, snapshot.refreshed_version) == (2, 1)


def test_nothing_but_lists_changes_an_uploaded_segment() -> None:
    person = make_profile(1)
    segment = listed("friends", person)
    assert refreshing.refresh_all(now=LATER, actor=ACTOR) == {}
    memberships.recheck(touched={causes.IDENTITY: {person.pk}}, now=LATER, actor=ACTOR)
    assert members(segment) == {person.pk}
    with pytest.raises(ValidationError):
        segments.take_snapshot(segment=segment, now=LATER, actor=ACTOR)
    with pytest.raises(ValidationError) as caught:
        segments.change_definition(segment=segment, definition=SHANGHAI, actor=ACTOR, now=LATER)
    assert list(caught.value.message_dict) == ["definition"]


def test_a_list_with_a_rule_and_an_unknown_kind_are_refused_by_field() -> None:
    for kind, field in (("uploaded", "definition"), ("static", "kind")):
        with pytest.raises(ValidationError) as caught:
            create(definition=SHANGHAI, kind=kind)
        assert list(caught.value.message_dict) == [field]
    assert not Segment.objects.exists()


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"kind": "static"}, "segment_kind_known"),
        ({"kind": "uploaded"}, "segment_without_rule_iff_uploaded"),
        ({"definition": {}}, "segment_without_rule_iff_uploaded"),
        ({"taken_at": NOW}, "segment_taken_iff_snapshot"),
        ({"kind": "snapshot"}, "segment_taken_iff_snapshot"),
    ],
)
def test_the_database_holds_kind_rule_and_time_together(values: dict[str, Any], constraint: str) -> None:
    segment = SegmentFactory()
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Segment.objects.filter(pk=segment.pk).update(**values)


@pytest.mark.parametrize(
    ("values", "constraint"),
    [({"kind": "moved"}, "segment_change_kind_known"), ({"cause": ""}, "segment_change_has_cause")],
)
def test_the_database_knows_the_changes(values: dict[str, str], constraint: str) -> None:
    segment, person = SegmentFactory(), make_profile()
    given = {"kind": "entered", "cause": "clock", "segment": segment, "profile": person, "version": 1, "at": NOW}
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        SegmentChange.objects.create(**{**given, **values})


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"mode": "swap"}, "segment_upload_mode_known"),
        ({"mode": "add", "left": 1}, "segment_upload_add_lets_nobody_out"),
        ({"mode": "remove", "entered": 1}, "segment_upload_remove_lets_nobody_in"),
    ],
)
def test_the_database_knows_the_modes_of_a_list(values: dict[str, Any], constraint: str) -> None:
    job = ImportJob.objects.create(
        kind="members", source=SourceFactory(), file_name="list.csv", fingerprint="1", started_at=NOW
    )
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        SegmentUpload.objects.create(job=job, segment=listed(), file_encrypted=b"", uploaded_by=ACTOR, **values)


@pytest.mark.parametrize("kind", ["snapshot", "uploaded", "dynamic"])
def test_other_rules_and_campaigns_work_with_every_kind(kind: str) -> None:
    person, other = make_profile(1, city="Shanghai"), make_profile(2, city="Beijing")
    base = listed("base", person) if kind == "uploaded" else create("base", kind=kind)
    if kind == "dynamic":
        segments.refresh(segment=base, now=NOW, actor=ACTOR)
    outside = create("outside", {"segment": "base", "op": "not_in"})
    segments.refresh(segment=outside, now=NOW, actor=ACTOR)
    assert members(outside) == {other.pk}
    campaign = CampaignFactory(segment=base)
    assert [row[0] for row in audience.people(campaign, NOW)] == [person.pk]


@pytest.mark.parametrize("kind", ["snapshot", "uploaded"])
def test_whoever_asks_for_the_segment_follows_within_seconds(kind: str) -> None:
    person = make_profile(1, city="Shanghai")
    followup.follow_up(now=NOW, actor=ACTOR)
    base = listed("base") if kind == "uploaded" else create("base", BEIJING, kind=kind)
    inside = create("inside", {"segment": "base", "op": "in"})
    move(person, "Beijing")
    if kind == "uploaded":
        take_in(base, person, now=LATER)
    else:
        segments.take_snapshot(segment=base, now=LATER, actor=ACTOR)
    followup.follow_up(now=LATER, actor=ACTOR)
    assert members(inside) == {person.pk}
    assert history(inside) == [(person.pk, "entered", "segment:base", 1)]


def test_nobody_is_told_of_a_segment_that_nobody_asks_for() -> None:
    person = make_profile(1)
    touches.claim(limit=100)
    listed("friends", person)
    assert not Touch.objects.exists()


def test_a_vast_list_is_followed_for_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memberships, "VAST", 1)
    people = [make_profile(number) for number in range(2)]
    base = listed("base")
    inside = create("inside", {"segment": "base", "op": "in"})
    followup.follow_clock(now=NOW, actor=ACTOR)
    touches.claim(limit=100)
    take_in(base, *people, now=LATER)
    assert list(Touch.objects.values_list("profile", "cause")) == [(None, "segment:base")]
    followup.follow_clock(now=LATER, actor=ACTOR)
    assert members(inside) == {person.pk for person in people}
    assert not Touch.objects.exists()
