"""Segments: their versions, their members, and the questions asked of them."""

from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import DataError, connection

from compliance.models import AuditLeaf
from segments.models import EventType, Profile, Segment, SegmentMembership, SegmentVersion
from segments.rules import RuleError
from segments.selectors import segments as selectors
from segments.services import memberships, refreshing, segments
from tests.segments.rules.world import Carried, Happening, Person, store

pytestmark = pytest.mark.django_db

SHANGHAI = {"attribute": "city", "op": "eq", "value": "Shanghai"}
BEIJING = {"attribute": "city", "op": "eq", "value": "Beijing"}
VIP = {"tag": "vip", "op": "has"}
ACTOR = "user:mei"


def create(now: datetime, definition: dict[str, Any] = SHANGHAI, key: str = "here") -> Segment:
    return segments.create(key=key, name="Here", definition=definition, actor=ACTOR, now=now)


def members(segment: Segment) -> list[int]:
    return sorted(SegmentMembership.objects.filter(segment=segment).values_list("profile_id", flat=True))


def leaf_actions(segment: Segment) -> list[str]:
    leaves = AuditLeaf.objects.filter(object_type="segment", object_id=str(segment.uid)).order_by("id")
    return list(leaves.values_list("action", flat=True))


def test_a_new_segment_has_a_first_version_and_an_audit_leaf(now: datetime) -> None:
    user = User.objects.create(username="mei")
    segment = segments.create(key="here", name="Here", definition=SHANGHAI, actor=ACTOR, now=now, user=user)
    version = SegmentVersion.objects.get(segment=segment)
    assert (version.version, version.definition, version.created_by) == (1, SHANGHAI, user)
    leaf = AuditLeaf.objects.get(action="segment.created")
    assert (leaf.actor, leaf.object_id, leaf.recorded_at) == (ACTOR, str(segment.uid), now)
    assert b"Shanghai" not in bytes(leaf.data), "a value may be personal; the leaf holds a digest of the rule"


@pytest.mark.parametrize("definition", [{"city": "Shanghai"}, VIP, {"none": [VIP]}])
def test_a_definition_that_cannot_be_used_is_refused(now: datetime, definition: dict[str, Any]) -> None:
    with pytest.raises(RuleError):
        create(now, definition)
    assert not Segment.objects.exists()


@pytest.mark.parametrize(
    ("each", "path"),
    [
        ({"property": "size", "op": "eq", "value": "41"}, "/value"),
        ({"property": "size", "op": "in", "value": [41, 42.5]}, ""),
        ({"property": "size", "op": "contains", "value": "4"}, "/op"),
        ({"property": "size", "op": "is_not_set"}, ""),
        ({"property": "due", "op": "gt", "value": {"days_ago": 3}}, ""),
        ({"property": "due", "op": "eq", "value": "2026-01-01"}, "/op"),
        ({"property": "due", "op": "gt", "value": 3}, "/value"),
        ({"property": "gift", "op": "eq", "value": True}, ""),
        ({"property": "gift", "op": "eq", "value": "yes"}, "/value"),
        ({"property": "note", "op": "starts_with", "value": "4"}, ""),
        ({"property": "note", "op": "gt", "value": 4}, "/op"),
        ({"property": "undeclared", "op": "gt", "value": 4}, ""),
    ],
)
def test_filters_are_of_the_types_that_properties_are_declared_with(
    now: datetime, each: dict[str, Any], path: str
) -> None:
    types = {"size": "number", "due": "time", "gift": "boolean", "note": "text"}
    EventType.objects.create(name="purchase", properties={name: {"type": kind} for name, kind in types.items()})
    step = {"event": "purchase", "where": [{"property": "size", "op": "is_set"}, each]}
    other = {"event": "browse", "op": "gte", "value": 1, "where": [each]}
    rules = [
        ({"none": [other, {**other, **step}]}, "/none/1/where/1"),
        ({"sequence": [{"event": "browse"}, step], "op": "did", "within": {"days": 1}}, "/sequence/1/where/1"),
    ]
    for definition, place in rules:
        if path:
            with pytest.raises(RuleError) as caught:
                segments.check(definition=definition)
            assert caught.value.path == place + path
        else:
            assert segments.check(definition=definition)


def test_a_taken_or_malformed_key_is_refused(now: datetime) -> None:
    create(now)
    for key in ("here", "no blanks", ""):
        with pytest.raises(ValidationError) as caught:
            create(now, key=key)
        assert "key" in caught.value.message_dict


def test_without_its_audit_leaf_nothing_is_created(now: datetime) -> None:
    with pytest.raises(DataError):
        segments.create(key="here", name="Here", definition=SHANGHAI, actor="x" * 201, now=now)
    assert not Segment.objects.exists()


def test_a_changed_definition_is_a_new_version(now: datetime) -> None:
    segment = create(now)
    changed = segments.change_definition(segment=segment, definition=BEIJING, actor=ACTOR, now=now)
    assert (changed.version, changed.definition) == (2, BEIJING)
    assert list(changed.versions.values_list("version", "definition")) == [(2, BEIJING), (1, SHANGHAI)]
    assert leaf_actions(segment) == ["segment.created", "segment.definition_changed"]


def test_the_same_definition_again_changes_nothing(now: datetime) -> None:
    segment = create(now)
    again = segments.change_definition(segment=segment, definition=dict(SHANGHAI), actor=ACTOR, now=now)
    assert again.version == 1
    assert leaf_actions(segment) == ["segment.created"]


def test_a_faulty_change_leaves_the_segment_as_it_was(now: datetime) -> None:
    segment = create(now)
    with pytest.raises(RuleError):
        segments.change_definition(segment=segment, definition={"any": [{}]}, actor=ACTOR, now=now)
    segment.refresh_from_db()
    assert (segment.version, segment.definition) == (1, SHANGHAI)


def test_details_change_with_a_leaf_and_without_a_version(now: datetime) -> None:
    segment = create(now)
    changed = segments.change_details(
        segment=segment, name="There", description="x", is_active=False, actor=ACTOR, now=now
    )
    assert (changed.name, changed.description, changed.is_active, changed.version) == ("There", "x", False, 1)
    assert leaf_actions(segment) == ["segment.created", "segment.details_changed"]
    with pytest.raises(ValidationError):
        segments.change_details(segment=segment, name="", description="", is_active=True, actor=ACTOR, now=now)


def test_a_refresh_lets_people_in_and_out(now: datetime) -> None:
    stays, leaves, enters = store([Person(city="Shanghai"), Person(city="Shanghai"), Person(city="Beijing")])
    segment = create(now)
    first = segments.refresh(segment=segment, now=now, actor=ACTOR)
    assert first == segments.RefreshResult(entered=2, left=0, members=2)
    Profile.objects.filter(pk=leaves).update(city="Beijing")
    Profile.objects.filter(pk=enters).update(city="Shanghai")
    later = now + timedelta(hours=1)
    second = segments.refresh(segment=segment, now=later, actor=ACTOR)
    assert second == segments.RefreshResult(entered=1, left=1, members=2)
    assert members(segment) == sorted([stays, enters])
    entered = SegmentMembership.objects.values_list("profile_id", "entered_at")
    assert dict(entered) == {stays: now, enters: later}
    segment.refresh_from_db()
    assert (segment.member_count, segment.refreshed_at) == (2, later)


def test_a_refresh_that_changes_nobody_leaves_no_leaf(now: datetime) -> None:
    store([Person(city="Shanghai")])
    segment = create(now)
    for _ in range(2):
        segments.refresh(segment=segment, now=now, actor=ACTOR)
    assert leaf_actions(segment) == ["segment.created", "segment.members_changed"]


def test_a_refresh_follows_the_clock(now: datetime) -> None:
    person = Person(events=[Happening("browse", now)], tags=[Carried("vip", expires_at=now + timedelta(days=2))])
    [profile] = store([person])
    recent = {"event": "browse", "op": "gte", "value": 1, "window": {"days": 1}}
    segment = create(now, {"any": [recent, VIP]})
    in_days = {days: now + timedelta(days=days) for days in (0, 1, 2)}
    expected = {0: [profile], 1: [profile], 2: []}
    for days, moment in in_days.items():
        segments.refresh(segment=segment, now=moment, actor=ACTOR)
        assert members(segment) == expected[days]


def test_segments_do_not_touch_each_other(now: datetime) -> None:
    [profile] = store([Person(city="Shanghai")])
    here, nobody = create(now), create(now, {"any": []}, key="nobody")
    segments.refresh(segment=here, now=now, actor=ACTOR)
    segments.refresh(segment=nobody, now=now, actor=ACTOR)
    assert (members(here), members(nobody)) == ([profile], [])


def test_all_active_segments_are_refreshed_whatever_becomes_of_one(now: datetime) -> None:
    store([Person(city="Shanghai")])
    create(now, key="a-broken")
    create(now, key="b-idle")
    create(now, key="c-fine")
    Segment.objects.filter(key="a-broken").update(definition={"gone": True})
    Segment.objects.filter(key="b-idle").update(is_active=False)
    assert refreshing.refresh_all(now=now, actor="system") == {"c-fine": segments.RefreshResult(1, 0, 1)}


def test_a_segment_being_refreshed_is_passed_over(now: datetime) -> None:
    segment = create(now)
    with psycopg.connect(**_address()) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s, %s)", [memberships.LOCK_NAMESPACE, segment.pk])
        assert refreshing.refresh_all(now=now, actor="system") == {}
    assert set(refreshing.refresh_all(now=now, actor="system")) == {"here"}


def _address() -> dict[str, Any]:
    settings = connection.settings_dict
    names = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD", "dbname": "NAME"}
    return {name: settings[key] for name, key in names.items() if settings[key]}


def test_members_are_paged_by_key(now: datetime) -> None:
    profiles = store([Person(city="Shanghai") for _ in range(5)])
    segment = create(now)
    segments.refresh(segment=segment, now=now, actor=ACTOR)
    first = selectors.members_after(segment, limit=2)
    assert [member.profile_id for member in first] == profiles[:2]
    assert first[0].uid == Profile.objects.get(pk=profiles[0]).subject.uid
    SegmentMembership.objects.filter(profile_id=profiles[0]).delete()
    rest = selectors.members_after(segment, cursor=first[-1].profile_id)
    assert [member.profile_id for member in rest] == profiles[2:], "somebody left; nobody is passed over"


def test_an_unsaved_rule_can_be_counted_and_sampled(now: datetime) -> None:
    profiles = store([Person(city="Shanghai"), Person(city="Beijing"), Person(city="Shanghai")])
    assert selectors.count(SHANGHAI, now) == 2
    assert selectors.sample(SHANGHAI, now) == [profiles[0], profiles[2]]
    assert selectors.sample({"all": []}, now, limit=1) == profiles[:1]
    with pytest.raises(RuleError):
        selectors.count({"all": None}, now)
