"""Tags from outside, and their removal, which computations respect."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from compliance.models import AuditLeaf
from segments.models import ProfileTag, Segment, SegmentMembership, Tag, TagExclusion
from segments.services import segments
from segments.services.tags import assignment
from segments.services.tags.assignment import Given
from tests.segments.tags.stage import ACTOR, carried, compute, define, do, follow, person

pytestmark = pytest.mark.django_db

SHANGHAI = {"attribute": "city", "op": "eq", "value": "Shanghai"}


def assign(tag: Tag, profile_id: int, now: datetime, **given: object) -> None:
    assignment.assign(tag=tag, given=Given(profile_id, **given), actor="user:anna", now=now)  # type: ignore[arg-type]


def remove(tag: Tag, profile_id: int, now: datetime) -> bool:
    return assignment.remove(tag=tag, profile_id=profile_id, reason="asked for it", actor="user:anna", now=now)


def test_a_tag_by_hand_moves_the_segment_and_leaves_a_leaf_that_does_not_tell_it(now: datetime) -> None:
    tag = define("vip", "manual", now, expires_after_days=30)
    rule = {"tag": "vip", "op": "has"}
    vips = segments.create(key="vips", name="VIPs", definition=rule, actor=ACTOR, now=now)
    someone = person()
    assign(tag, someone.pk, now, weight=2.0)
    follow(now)
    assert SegmentMembership.objects.filter(segment=vips, profile=someone).exists()
    row = ProfileTag.objects.get()
    assert (row.source, row.is_given, row.weight) == ("user:anna", True, 2.0)
    assert row.expires_at == now + timedelta(days=30)
    leaf = AuditLeaf.objects.get(action="tag.assigned")
    assert b"vip" not in bytes(leaf.data)
    assert remove(tag, someone.pk, now)
    follow(now)
    assert not SegmentMembership.objects.filter(segment=vips).exists()
    assert not TagExclusion.objects.exists()  # a tag by hand comes back by hand only, anyway
    assert Segment.objects.get(pk=vips.pk).member_count == 0


def test_what_was_removed_stays_removed_from_computation_and_import(now: datetime) -> None:
    local = person(city="Shanghai")
    computed = define("local", "rule", now, rule=SHANGHAI, rhythm="at_once")
    imported = define("crm", "import", now)
    compute(computed, now)
    given = [Given(local.pk)]
    assignment.assign_many(tag=imported, people=given, source="crm", actor=ACTOR, now=now)
    assert set(carried(local, now)) == {"local", "crm"}
    assert remove(computed, local.pk, now)
    assert remove(imported, local.pk, now)
    compute(computed, now)
    follow(now)
    answer = assignment.assign_many(tag=imported, people=given, source="crm", actor=ACTOR, now=now)
    assert answer == ["excluded"]
    assert carried(local, now) == {}
    assignment.readmit(tag=computed, profile_id=local.pk, actor=ACTOR, now=now)
    assert set(carried(local, now)) == {"local"}


def test_removing_a_definition_by_category_removes_all_its_categories(now: datetime) -> None:
    interest = define("interest", "interest", now, half_life_days=10.0, floor=0.1, rhythm="at_once", gains={"view": 1})
    reader = person()
    for category in ("tea", "fruit"):
        do(reader, "view", now, category=category, now=now)
    follow(now)
    assert len(carried(reader, now)) == 2
    assert remove(interest, reader.pk, now)
    do(reader, "view", now, category="toys", now=now)
    follow(now)
    compute(interest, now)
    assert carried(reader, now) == {}


def test_removing_one_category_leaves_the_others(now: datetime) -> None:
    define("interest", "interest", now, half_life_days=10.0, floor=0.1, rhythm="at_once", gains={"view": 1})
    reader = person()
    for category in ("tea", "fruit"):
        do(reader, "view", now, category=category, now=now)
    follow(now)
    remove(Tag.objects.get(key="interest-tea"), reader.pk, now)
    do(reader, "view", now, category="tea", now=now)
    follow(now)
    assert list(carried(reader, now)) == ["interest-fruit"]


def test_giving_by_hand_lifts_an_exclusion(now: datetime) -> None:
    local = person(city="Shanghai")
    tag = define("local", "rule", now, rule=SHANGHAI, rhythm="daily")
    remove(tag, local.pk, now)
    assign(tag, local.pk, now)
    assert set(carried(local, now)) == {"local"}
    assert not TagExclusion.objects.exists()


def test_a_given_tag_outlasts_a_computation_that_would_take_it(now: datetime) -> None:
    other = person(city="Beijing")
    tag = define("local", "rule", now, rule=SHANGHAI, rhythm="daily")
    assign(tag, other.pk, now)
    compute(tag, now)
    assert set(carried(other, now)) == {"local"}


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("weight", {"weight": -1.0}),
        ("weight", {"weight": float("nan")}),
        ("confidence", {"confidence": Decimal("1.5")}),
        ("expires_at", {"expires_at": datetime.fromisoformat("2020-01-01T00:00:00+00:00")}),
    ],
)
def test_figures_out_of_range_are_refused_by_name(field: str, given: dict[str, object], now: datetime) -> None:
    tag = define("vip", "manual", now)
    with pytest.raises(ValidationError) as caught:
        assign(tag, person().pk, now, **given)
    assert list(caught.value.message_dict) == [field]


def test_a_group_is_carried_by_nobody(now: datetime) -> None:
    group = define("home", "group", now)
    with pytest.raises(ValidationError, match="groups others"):
        assign(group, person().pk, now)


def test_a_computed_tag_is_not_imported(now: datetime) -> None:
    tag = define("local", "rule", now, rule=SHANGHAI, rhythm="daily")
    with pytest.raises(ValidationError, match="computed"):
        assignment.assign_many(tag=tag, people=[Given(person().pk)], source="crm", actor=ACTOR, now=now)


def test_nobody_carries_two_tags_of_an_exclusive_group(now: datetime) -> None:
    group = define("home", "group", now, is_exclusive=True, rhythm="daily")
    first = define("home-a", "manual", now, parent=group)
    second = define("home-b", "manual", now, parent=group)
    someone = person()
    assign(first, someone.pk, now)
    assign(second, someone.pk, now)
    assert list(carried(someone, now)) == ["home-b"]
    with pytest.raises(IntegrityError, match="profile_tag_one_of_group"), transaction.atomic():
        ProfileTag.objects.create(profile=someone, tag=first, group=group, source="x", assigned_at=now)


@pytest.mark.parametrize(
    ("constraint", "fields"),
    [
        ("profile_tag_weight_not_negative", {"weight": -0.1}),
        ("profile_tag_weight_not_negative", {"weight": float("nan")}),
        ("profile_tag_confidence_is_share", {"confidence": Decimal("1.1")}),
    ],
)
def test_the_database_refuses_figures_out_of_range(constraint: str, fields: dict[str, object], now: datetime) -> None:
    tag = define("vip", "manual", now)
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        ProfileTag.objects.create(profile=person(), tag=tag, source="x", assigned_at=now, **fields)


def test_one_exclusion_for_a_person_and_tag(now: datetime) -> None:
    tag, someone = define("vip", "import", now), person()
    fields = {"profile": someone, "tag": tag, "excluded_at": now, "excluded_by": "x"}
    TagExclusion.objects.create(**fields)
    with pytest.raises(IntegrityError, match="tag_exclusion_unique"), transaction.atomic():
        TagExclusion.objects.create(**fields)
